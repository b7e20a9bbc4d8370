"""What the node, the zygote and the task processes say to each other.

Two conversations, both over Unix sockets that only these processes hold:

* control, node ⇄ zygote: one message per datagram (SOCK_SEQPACKET), file descriptors beside it;
* work, node ⇄ task process: frames of a 4-byte little-endian length and a body (SOCK_STREAM).
  A body to the task process is a list of :class:`Work`, from it one of :data:`FromTask`.

Imported by every task process: no pathlib, no dataclasses, no asyncio here.
"""

from __future__ import annotations

import mmap
import socket
import struct

import msgspec

TAIL_BYTES = 4096
"""How much of a task's stderr is kept."""
INLINE_BYTES = 2**20
"""Files up to this size travel as bytes, larger ones as a path."""
SOCKET_BUFFER_BYTES = 4 * 2**20
RECEIVE_BYTES = 2**18


class Start(msgspec.Struct, tag="start", array_like=True):
    """Node → zygote: start a process.

    Beside it go the descriptors of its work socket, its stderr and its progress page, in this
    order. kind: isolated, loop, streaming or service. close_order: the descriptor of the node's
    CloseOrder in the zygote, which fills it in.
    """

    ident: int
    kind: str
    task: str
    module: str
    scripts_folder: str
    children: list[str]
    args: list[str]
    environment: dict[str, str]
    work_folder: str
    log: str
    files_per_call: int | None = None
    timeout_ns: int | None = None
    memory_bytes: int | None = None
    close_order: int = -1


class Signal(msgspec.Struct, tag="signal", array_like=True):
    """Node → zygote: send a signal to the process group of a started process."""

    ident: int
    signum: int


class Started(msgspec.Struct, tag="started", array_like=True):
    """Zygote → node: the process exists."""

    ident: int
    pid: int


class Ended(msgspec.Struct, tag="ended", array_like=True):
    """Zygote → node: the process and all its descendants are gone. status is that of wait()."""

    ident: int
    status: int


class InFile(msgspec.Struct, array_like=True):
    """An input file: inline, or where to link or read it. group: which call of task() gets it."""

    name: str
    data: bytes | None
    path: str | None = None
    group: int = 0


class Work(msgspec.Struct, array_like=True):
    """Node → task process: one call. groups is how many calls of task() the files make.

    firing: the instant of a time-triggered task, see base.Call.
    """

    ident: int
    job: str
    attempt: int
    groups: int
    files: list[InFile]
    firing: dict[str, int | str] | None = None


class OutFile(msgspec.Struct, array_like=True):
    """An output file, inline or on disk. child: the only child it is for, or None."""

    name: str
    data: bytes | None
    path: str | None = None
    child: str | None = None


class Result(msgspec.Struct, array_like=True):
    """How one call ended; the fields are those of base.Outcome.

    folder: holds outputs on disk. watch: the number of its pathout's watch, see close_order.
    """

    ident: int
    ok: bool
    started_ns: int
    ended_ns: int
    outputs: list[OutFile]
    reason: str = ""
    exit_code: int | None = None
    stderr_tail: str = ""
    peak_memory_bytes: int = 0
    folder: str | None = None
    watch: int = -1


class Ready(msgspec.Struct, tag="ready", array_like=True):
    """Task process → node: the module is imported."""


class Unready(msgspec.Struct, tag="unready", array_like=True):
    """Task process → node: it can't work, and why; the process ends."""

    reason: str
    trace: str


class Results(msgspec.Struct, tag="results", array_like=True):
    """Task process → node: these calls have ended."""

    results: list[Result]


ToZygote = Start | Signal
FromZygote = Started | Ended
FromTask = Ready | Unready | Results

encode = msgspec.msgpack.Encoder().encode
decode_to_zygote = msgspec.msgpack.Decoder(ToZygote).decode
decode_from_zygote = msgspec.msgpack.Decoder(FromZygote).decode
decode_work = msgspec.msgpack.Decoder(list[Work]).decode
decode_from_task = msgspec.msgpack.Decoder(FromTask).decode

_LENGTH = struct.Struct("<I")


def frame(body: bytes) -> bytes:
    """The body with its length before it. Raises ValueError from 4 GiB on."""
    if len(body) > 0xFFFF_FFFF:
        raise ValueError(f"a message of {len(body)} bytes is too large: at most 4 GiB - 1")
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scratch = mmap.mmap(-1, RECEIVE_BYTES)  # costs only the pages that get used

    def receive(self, connection: socket.socket) -> list[bytes] | None:
        """The bodies that one receive completes, perhaps none of them; None at the stream's end.

        Raises BlockingIOError on a non-blocking socket with nothing to read.
        """
        try:
            count = connection.recv_into(self._scratch)
        except ConnectionResetError:  # the other end died with something of ours unread
            return None
        return self.feed(memoryview(self._scratch)[:count]) if count else None

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """Take the next bytes of the stream, return the bodies that are now complete."""
        self._buffer += data
        bodies = []
        start, size = 0, len(self._buffer)
        while size - start >= 4:
            end = start + 4 + _LENGTH.unpack_from(self._buffer, start)[0]
            if end > size:
                break
            bodies.append(bytes(memoryview(self._buffer)[start + 4 : end]))
            start = end
        del self._buffer[:start]
        return bodies


class Tail:
    """The last bytes of a stream, as text."""

    def __init__(self, limit_bytes: int = TAIL_BYTES) -> None:
        self._limit = limit_bytes
        self._kept = bytearray()

    def feed(self, data: bytes) -> None:
        self._kept += data
        del self._kept[: -self._limit]

    @property
    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")


_PROGRESS = struct.Struct("=qq")
PROGRESS_BYTES = 4096


class Progress:
    """A page of shared memory where a resident task process says which call it is in.

    One writer, one reader, no lock: the reader only compares a call's start with a timeout, or
    asks which call ran when the process died.
    """

    def __init__(self, page: memoryview) -> None:
        self._page = page

    def enter(self, ident: int, started_ns: int) -> None:
        _PROGRESS.pack_into(self._page, 0, ident, started_ns)

    def leave(self) -> None:
        _PROGRESS.pack_into(self._page, 0, 0, 0)

    def read(self) -> tuple[int, int]:
        """(call, start in CLOCK_MONOTONIC ns); (0, 0) when no call runs."""
        ident, started_ns = _PROGRESS.unpack_from(self._page, 0)
        return ident, started_ns
