"""The node's handle on one process that the zygote started for it."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dispatcher.executors.channel import Channel
from dispatcher.executors.wire import PROGRESS_BYTES, Progress, Tail


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. exit_code is negative for a signal; None if the zygote died with it."""

    exit_code: int | None
    reason: str
    stderr_tail: str


class Stderr:
    """Reads a process's stderr in the event loop: keeps the tail, appends all of it to a log."""

    def __init__(self, descriptor: int, log: Path | None) -> None:
        os.set_blocking(descriptor, False)
        self.tail = Tail()
        self._descriptor = descriptor
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self.drain)

    def drain(self) -> None:
        while self._descriptor >= 0:
            try:
                data = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return
            if not data:
                self.close()
                return
            self.tail.feed(data)
            if self._log is not None:
                # A log that can't be written (disk full) is no reason to fail a task.
                with contextlib.suppress(OSError), self._log.open("ab") as log:
                    log.write(data)

    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


class Worker:
    """A process: its work channel, its progress page, its stderr, and its end.

    ``ended`` is a future of its :class:`Exit`; it is done when the process and all its descendants
    are gone and everything that it sent has been taken.
    """

    def __init__(
        self,
        kind: str,
        channel: Channel,
        stderr: Stderr,
        page: mmap.mmap,
        send_signal: Callable[[int], None],
    ) -> None:
        self.kind = kind
        self.pid = 0
        self.channel = channel
        self.progress = Progress(memoryview(page))
        self.ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.signal = send_signal
        """Send a signal to the process's group."""
        self._stderr = stderr

    def mark_started(self, pid: int) -> None:
        self.pid = pid
        if not self.started.done():
            self.started.set_result(pid)

    def mark_ended(self, exit_code: int | None, reason: str) -> None:
        """Take what is left in the sockets, then let everyone know."""
        if self.ended.done():
            return
        self.channel.drain()
        self._stderr.drain()
        self.channel.close()
        self._stderr.close()
        self.mark_started(self.pid)
        self.ended.set_result(Exit(exit_code, reason, self._stderr.tail.text))


def progress_page() -> tuple[int, mmap.mmap]:
    """A page of memory to share with a process: its descriptor and our view of it."""
    descriptor = os.memfd_create("jupiter-progress", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, PROGRESS_BYTES)
    return descriptor, mmap.mmap(descriptor, PROGRESS_BYTES)
