"""The node's end of a task process's work socket, in the event loop: frames out, frames in."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from dispatcher.executors.wire import SOCKET_BUFFER_BYTES, Frames, frame


class Channel:
    """Never blocks: what the socket doesn't take at once waits in memory.

    How much may wait is bounded by whoever decides how many calls are in flight.
    """

    def __init__(self, connection: socket.socket, on_body: Callable[[bytes], None]) -> None:
        """on_body gets each body in order; there is no call for the end (the zygote tells that)."""
        connection.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            connection.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
        self._socket: Final = connection
        self._on_body = on_body
        self._frames = Frames()
        self._unsent: deque[memoryview] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection.fileno(), self._on_readable)

    def send(self, body: bytes) -> None:
        """Send one frame. To a process that is gone it goes nowhere, and no error is raised."""
        self._unsent.append(memoryview(frame(body)))
        if len(self._unsent) == 1 and not self._flush():
            self._loop.add_writer(self._socket.fileno(), self._on_writable)

    def finish_sending(self) -> None:
        """Let the process see an end of its input: it finishes and exits."""
        self._unsent.clear()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:  # the other end is closed already
            return

    def drain(self) -> None:
        """Take all that has arrived so far."""
        while self._on_readable():
            pass

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()

    def _flush(self) -> bool:
        """Send as much as goes; True if nothing is left to send."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[0])
            except BlockingIOError:
                return False
            except OSError:  # it died; its end is reported by the zygote
                self._unsent.clear()
                return True
            if sent < len(self._unsent[0]):
                self._unsent[0] = self._unsent[0][sent:]
            else:
                self._unsent.popleft()
        return True

    def _on_writable(self) -> None:
        if self._flush():
            self._loop.remove_writer(self._socket.fileno())

    def _on_readable(self) -> bool:
        """Take what is there; True if there may be more."""
        if self._socket.fileno() < 0:
            return False
        try:
            bodies = self._frames.receive(self._socket)
        except BlockingIOError:
            return False
        if bodies is None:
            self._loop.remove_reader(self._socket.fileno())
            return False
        for body in bodies:
            self._on_body(body)
        return True
