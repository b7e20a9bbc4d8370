"""A gate inside an app: a task that comes to it reports itself and waits until the test opens it.

So a test knows for certain that a run is in its middle, and which process is where, without waiting
for a time to pass.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self

LIMIT_S = 60.0

_MODULE = '''
import os
import socket


def hold(name):
    """Report at the gate and return when it is opened; at once if it is open already."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect("\\0{address}")
            words = [os.getpid(), os.environ.get("NODE_NAME", "?"), name]
            connection.sendall(" ".join(map(str, words)).encode() + b"\\n")
            connection.recv(1)
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            return
'''


@dataclass(frozen=True, slots=True)
class Visitor:
    """A task that waits at the gate: its process, its node, and what it called itself."""

    pid: int
    node: str
    name: str


class Gate:
    """Closed until :meth:`open`. ``module`` is the code to put into an app's scripts as gate.py."""

    def __init__(self) -> None:
        self._address = f"jupiter-gate-{secrets.token_hex(8)}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"\0{self._address}")
        self._listener.listen(64)
        self._waiting: list[socket.socket] = []

    @property
    def module(self) -> str:
        return _MODULE.format(address=self._address)

    def fileno(self) -> int:
        """Readable for ``select`` when a task has come."""
        return self._listener.fileno()

    def arrival(self) -> Visitor:
        """The next task that comes; it stays until the gate is opened."""
        self._listener.settimeout(LIMIT_S)
        connection, _ = self._listener.accept()
        connection.settimeout(LIMIT_S)
        self._waiting.append(connection)
        with connection.makefile("r") as lines:
            pid, node, name = lines.readline().split(maxsplit=2)
        return Visitor(int(pid), node, name.strip())

    def open(self) -> None:
        """Let everyone go on, and nobody wait again."""
        self._listener.close()
        for connection in self._waiting:
            connection.close()
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open()
