"""The spool: what a node owes, in append-only files, safe across a kill at any moment.

A segment file is a sequence of records, each

    4 bytes  header length        4 bytes  payload length
    4 bytes  CRC-32 of header and payload
    header   msgpack (one of the records below)
    payload  opaque bytes

Records are appended in memory at once and written and synced in groups by a thread of the spool;
:meth:`Spool.append` names a ticket, and ``committed(ticket)`` is called in the event loop when
everything up to that ticket is on disk. Reading happens only at start. The newest segment is cut
off at its first torn record, which is the trace of a kill; a torn one in an older segment is an
error.

Segments are deleted from the oldest on, each when every job in it has ended for the whole app
(``forget``), because until then it is also the memory of which deliveries have been here before.
"""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from dispatcher.messages import Delivery, FileEntry
from jupiter.errors import JupiterError

_RECORD = struct.Struct(">III")
_SEGMENT_BYTES = 64 << 20
_GROUP_PAUSE_S = 0.005
"""Between two groups: a sync costs the same for one record as for hundreds, and nothing but the
acknowledgement waits for it."""


class SpoolError(JupiterError):
    """The spool can't be read or written; says which file, and why."""


class Received(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A delivery came in; the payload is its files' bytes."""

    delivery: Delivery


class Made(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A stage finished a job with these outputs: (child, its files); the payload is their bytes.

    For home's own entry the stage is "home" and the outputs are the job's input files.
    """

    job: str
    index: int
    task: str
    release_ns: int | None
    outputs: tuple[tuple[str, tuple[FileEntry, ...]], ...]


class Retired(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Everything this stage owed for this job has been acknowledged; its inputs are not needed."""

    index: int
    task: str


class Below(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Every job with a smaller index has ended everywhere."""

    index: int


Record = Received | Made | Retired | Below
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Spool:
    """Append-only, crash-safe memory of one node. Owned by one event loop."""

    def __init__(
        self,
        folder: Path,
        *,
        committed: Callable[[int], None],
        failed: Callable[[str], None],
        segment_bytes: int = _SEGMENT_BYTES,
    ) -> None:
        """committed(ticket): all up to ticket is on disk. failed(reason): the disk refuses; a thing
        that is not committed by then will not be, and the node must stop taking deliveries."""
        self._folder = folder
        self._committed = committed
        self._failed = failed
        self._segment_bytes = segment_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[bytes | memoryview] = []
        self._ticket = 0
        self._newest_job = -1
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._closing = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._number = 0
        self._file = -1
        self._file_bytes = 0
        self._is_broken = False
        self._sealed: list[tuple[Path, int]] = []
        """Older segments, oldest first, each with the greatest job index in it."""
        self._forgetting: deque[tuple[int, int]] = deque()
        """(ticket, below): what may be deleted once that ticket is on disk."""

    def recover(self) -> Iterator[tuple[Record, bytes]]:
        """Every record still on disk, oldest first. Call once, before :meth:`start`.

        Raises SpoolError when an older segment is damaged.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sealed.clear()
        segments = sorted(self._folder.glob("segment-*.spool"))
        for place, path in enumerate(segments):
            newest = -1
            for record, payload in _read_segment(path, repair=place == len(segments) - 1):
                newest = max(newest, _index_of(record))
                yield record, payload
            self._sealed.append((path, newest))
            self._number = int(path.stem.removeprefix("segment-"))

    def start(self) -> None:
        """Begin a new segment and accept records. Raises SpoolError when the disk refuses."""
        self._loop = asyncio.get_running_loop()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._begin_segment()
        except OSError as error:
            raise SpoolError(f"{self._folder} can't be written: {error.strerror}") from error
        self._thread = threading.Thread(target=self._write_groups, name="spool", daemon=True)
        self._thread.start()

    def append(self, record: Record, payload: bytes | memoryview = b"") -> int:
        """Add a record; returns its ticket. Never blocks; a broken spool drops it."""
        header = _encode(record)
        checksum = zlib.crc32(payload, zlib.crc32(header))
        head = _RECORD.pack(len(header), len(payload), checksum) + header
        with self._lock:
            self._ticket += 1
            ticket = self._ticket
            if self._is_broken:
                return ticket
            is_first = not self._waiting
            self._waiting.append(head)
            if len(payload):
                self._waiting.append(payload)
            self._newest_job = max(self._newest_job, _index_of(record))
        if is_first:
            self._work.set()
        return ticket

    def forget(self, below: int) -> None:
        """Every job with an index under ``below`` has ended everywhere: remember that, and when it
        is on disk, drop the segments of only those."""
        self._forgetting.append((self.append(Below(below)), below))

    def close(self) -> None:
        """Write what waits, sync, and end. Blocks shortly."""
        self._stopping = True
        self._closing.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin_segment(self) -> None:
        self._number += 1
        path = self._folder / f"segment-{self._number:06d}.spool"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._file_bytes = 0
        self._path = path
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write_groups(self) -> None:
        assert self._loop is not None
        while True:
            self._work.wait()
            self._work.clear()
            is_last = self._stopping
            with self._lock:
                group, self._waiting = self._waiting, []
                ticket = self._ticket
                newest = self._newest_job
            if group:
                try:
                    self._write(group)
                    if self._file_bytes >= self._segment_bytes:
                        self._seal(newest)
                except (OSError, MemoryError) as error:
                    reason = getattr(error, "strerror", None) or repr(error)
                    with self._lock:
                        self._is_broken = True
                        self._waiting.clear()
                    self._tell(self._failed, f"{self._path}: {reason}")
                    return
                self._tell(self._settled, ticket)
            if is_last:
                return
            self._closing.wait(_GROUP_PAUSE_S)

    def _settled(self, ticket: int) -> None:
        """In the event loop: everything up to ``ticket`` is on disk."""
        self._committed(ticket)
        while self._forgetting and self._forgetting[0][0] <= ticket:
            _, below = self._forgetting.popleft()
            # In order: a job's later records say that its earlier ones are settled.
            while self._sealed and self._sealed[0][1] < below:
                self._sealed[0][0].unlink(missing_ok=True)
                del self._sealed[0]

    def _write(self, group: list[bytes | memoryview]) -> None:
        data = b"".join(group)
        view = memoryview(data)
        while view:
            written = os.write(self._file, view)
            view = view[written:]
        os.fdatasync(self._file)
        self._file_bytes += len(data)

    def _seal(self, newest: int) -> None:
        sealed = (self._path, newest)
        os.close(self._file)
        self._file = -1
        self._begin_segment()
        self._tell(self._sealed.append, sealed)

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)


def _index_of(record: Record) -> int:
    """The job whose end frees a record's segment. A Below is only freed by a greater one."""
    return record.delivery.index if isinstance(record, Received) else record.index


def _read_segment(path: Path, *, repair: bool) -> Iterator[tuple[Record, bytes]]:
    """All records of one file. With ``repair``, a torn end is cut off; without, it is an error."""
    with path.open("r+b" if repair else "rb") as file:
        size = path.stat().st_size
        good = 0
        while good < size:
            head = file.read(_RECORD.size)
            intact = False
            if len(head) == _RECORD.size:
                header_length, payload_length, checksum = _RECORD.unpack(head)
                length = _RECORD.size + header_length + payload_length
                if header_length and good + length <= size:
                    header = file.read(header_length)
                    payload = file.read(payload_length)
                    intact = zlib.crc32(payload, zlib.crc32(header)) == checksum
            if not intact:
                if not repair:
                    raise SpoolError(
                        f"{path} is damaged at byte {good}: the record's checksum does not hold. "
                        "The disk has lost what was acknowledged; run the app again."
                    )
                file.truncate(good)
                os.fsync(file.fileno())
                return
            yield _decode(header), payload
            good += length
