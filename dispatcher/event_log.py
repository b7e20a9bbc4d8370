"""A node's own event log: appended in whole lines, followed by the roof."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from jupiter.events import AnyEvent, encode_event

_PART_BYTES = 1 << 20


class EventLog:
    """Lines of one turn of the event loop are written together. Opens after a crash with its torn
    last line cut off."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.size_bytes = self._repair()
        self._waiting: list[bytes] = []
        self._followers: list[Callable[[int, bytes], None]] = []

    def _repair(self) -> int:
        size = os.fstat(self._file).st_size
        content = os.pread(self._file, size, 0)
        whole = content.rfind(b"\n") + 1
        os.ftruncate(self._file, whole)
        return whole

    def add(self, event: AnyEvent) -> None:
        """Log an event; it is written at the end of this turn of the loop."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(encode_event(event))

    def flush(self) -> None:
        """Write what waits. Raises OSError when the disk refuses."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        offset = self.size_bytes
        written = os.pwrite(self._file, data, offset)
        while written < len(data):
            written += os.pwrite(self._file, data[written:], offset + written)
        self.size_bytes += len(data)
        for follower in self._followers:
            follower(offset, data)

    def follow(self, offset: int, follower: Callable[[int, bytes], None]) -> None:
        """Call ``follower(offset, bytes)`` with everything from ``offset`` on, now and later."""
        self.flush()
        while offset < self.size_bytes:
            part = os.pread(self._file, min(_PART_BYTES, self.size_bytes - offset), offset)
            follower(offset, part)
            offset += len(part)
        self._followers.append(follower)

    def unfollow(self, follower: Callable[[int, bytes], None]) -> None:
        if follower in self._followers:
            self._followers.remove(follower)

    def close(self) -> None:
        self.flush()
        os.close(self._file)
