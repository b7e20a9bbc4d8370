"""The clients of a time service: a Unix socket, JSON lines both ways.

A client sends ``{"id": 1, "op": "bind", ...}`` and gets ``{"id": 1, "ok": {...}}`` or ``{"id": 1,
"error": {"kind": "...", "message": "...", "best_ns": 0}}``. The operations are in
docs/timeline_api.md. A connection that closes, for whatever reason, takes its bindings along.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qot.binding_events import Refusal
from qot.errors import ServiceError

CLIENTS_MOST = 1024
_LINE_MOST_BYTES = 65_536
_UNSENT_MOST_BYTES = 1 << 20
_CREDENTIALS = struct.Struct("3i")


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address for bind or connect, whatever the length of the path (the system takes 107 bytes).

    Raises OSError when the folder can't be opened.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@dataclass(slots=True)
class Client:
    """One connection. pid, uid: by the system's word (SO_PEERCRED), not the client's."""

    number: int
    socket: socket.socket
    pid: int
    uid: int
    _left: bytes = b""
    _unsent: bytes = field(default=b"")
    closed: bool = False

    def receive(self) -> list[bytes]:
        """The whole lines that have come; sets ``closed`` at the end or at an error."""
        try:
            data = self.socket.recv(_LINE_MOST_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self.closed = self.closed or not data
        *lines, self._left = (self._left + data).split(b"\n")
        if len(self._left) > _LINE_MOST_BYTES:
            self.closed = True
        return lines

    def answer(self, request: int, ok: dict[str, Any]) -> None:
        self._send({"id": request, "ok": ok})

    def refuse(self, request: int, kind: Refusal, message: str, best_ns: int = 0) -> None:
        error = {"kind": kind, "message": message, "best_ns": best_ns}
        self._send({"id": request, "error": error})

    @property
    def unsent(self) -> bool:
        """There is something left for :meth:`flush`."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Send what the socket takes; who does not read its answers is dropped."""
        try:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        if len(self._unsent) > _UNSENT_MOST_BYTES:
            self.closed = True

    def _send(self, message: dict[str, Any]) -> None:
        self._unsent += json.dumps(message).encode() + b"\n"
        self.flush()


class ClientDoor:
    """The listening socket. mode: 0o600 for the service's own user, 0o660 for its group too.

    A socket that nobody listens at is replaced. Raises ServiceError.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self._count = 0
        try:
            self._bind(mode)
        except OSError as error:
            self.socket.close()
            raise ServiceError(
                f"the time service can't listen at {path}: {error}; give a socket_path in a folder "
                "that exists, which no other service uses"
            ) from None

    def _bind(self, mode: int) -> None:
        with socket_address(self.path) as address:
            if self.path.exists():
                self._make_room(address)
            before = os.umask(0o777 & ~mode)
            try:
                self.socket.bind(address)
            finally:
                os.umask(before)
        self.socket.listen(128)

    def _make_room(self, address: str) -> None:
        """Remove what a dead service left; raise OSError for anything else."""
        if not stat.S_ISSOCK(self.path.stat().st_mode):
            raise FileExistsError("there is a file of that name, and it is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(address)
            except ConnectionRefusedError:
                self.path.unlink()
                return
        raise FileExistsError("another time service listens there")

    def accept(self, present: int) -> Client | None:
        """The next client; None when there is none, or when there are too many."""
        try:
            made, _ = self.socket.accept()
        except OSError:
            return None  # It went away before its turn.
        made.setblocking(False)
        pid, uid, _ = _CREDENTIALS.unpack(
            made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        self._count += 1
        client = Client(self._count, made, pid, uid)
        if present >= CLIENTS_MOST:
            client.refuse(
                0,
                Refusal.PROTOCOL,
                f"{CLIENTS_MOST} clients are connected already: close some first",
            )
            made.close()
            return None
        return client

    def close(self) -> None:
        self.socket.close()
        self.path.unlink(missing_ok=True)
