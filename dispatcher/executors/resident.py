"""What the two long-lived task processes, loop and streaming, have in common."""

from __future__ import annotations

import resource
import select
import socket

from dispatcher.executors import processes, task_module
from dispatcher.executors.wire import (
    Frames,
    InFile,
    Progress,
    Ready,
    Result,
    Results,
    Start,
    Unready,
    Work,
    decode_work,
    encode,
    frame,
)


class Node:
    """The node as a resident task process sees it: work comes in, results go out. Blocking."""

    def __init__(self, start: Start, connection: socket.socket, page: memoryview) -> None:
        self.start = start
        self.progress = Progress(page)
        self._connection = connection
        self._frames = Frames()

    def receive(self) -> list[Work] | None:
        """The next calls, in order; waits for at least one. None when the node wants an end."""
        while True:
            bodies = self._frames.receive(self._connection)
            if bodies is None:
                return None
            task_module.rotate_log(self.start.log)
            work = [call for body in bodies for call in decode_work(body)]
            if work:
                return work

    def has_work(self, timeout_s: float | None) -> bool:
        """Whether receive() has something to take in, be it the wish for an end, before the
        timeout; None waits for it.
        """
        return bool(select.select([self._connection], [], [], timeout_s)[0])

    def send(self, results: list[Result]) -> None:
        """Report calls that have ended. A node that is gone is noticed by the next receive()."""
        self._send(Results(results))

    def ready(self) -> None:
        self._send(Ready())

    def unready(self, reason: str, trace: str) -> None:
        self._send(Unready(reason, trace))

    def _send(self, message: Results | Ready | Unready) -> None:
        try:
            self._connection.sendall(frame(encode(message)))
        except (BrokenPipeError, ConnectionResetError):
            return


def settle_resident(start: Start) -> None:
    """Prepare a process that stays: it clears up its own orphans and has its memory limit."""
    processes.adopt_orphans()
    task_module.settle(start)
    processes.limit_memory(start.memory_bytes)


def peak_memory_bytes() -> int:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def content(file: InFile) -> bytes:
    """The bytes of an input, wherever they are."""
    if file.path is None:
        assert file.data is not None
        return bytes(file.data)
    with open(file.path, "rb", buffering=0) as source:
        return source.read()
