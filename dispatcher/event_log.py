"""A node's own event log: appended in whole lines, followed by the roof."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from jupiter.events import AnyEvent, encode_event

_PART_BYTES = 1 << 20
_TELL_AFTER_S = 0.02
"""People follow the log; they can wait for a few lines more."""


class EventLog:
    """Lines of one turn of the event loop are written together. Opens after a crash with its torn
    last line cut off.

    failed(reason): the disk refuses; what is not written is kept, and tried again with the next.
    """

    def __init__(self, path: Path, failed: Callable[[str], None]) -> None:
        self._path = path
        self._failed = failed
        self._is_planned = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.size_bytes = self._repair()
        self._waiting: list[bytes] = []
        self._followers: dict[Callable[[int, bytes], None], int] = {}
        """Each with the offset that it has been told up to."""
        self._is_telling = False

    def _repair(self) -> int:
        size = os.fstat(self._file).st_size
        content = os.pread(self._file, size, 0)
        whole = content.rfind(b"\n") + 1
        os.ftruncate(self._file, whole)
        return whole

    def add(self, event: AnyEvent) -> None:
        """Log an event; it is written at the end of this turn of the loop."""
        self._waiting.append(encode_event(event))
        if not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._flush_as_planned)

    def _flush_as_planned(self) -> None:
        self._is_planned = False
        self.flush()

    def flush(self) -> bool:
        """Write what waits; False if the disk refuses."""
        if not self._waiting:
            return True
        data = b"".join(self._waiting)
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self.size_bytes + written)
        except OSError as error:
            self._failed(f"{self._path}: {error.strerror}")
            return False
        self._waiting.clear()
        self.size_bytes += len(data)
        if self._followers and not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_later(_TELL_AFTER_S, self._tell)
        return True

    def follow(self, offset: int, follower: Callable[[int, bytes], None]) -> None:
        """Call ``follower(offset, bytes)`` with everything from ``offset`` on, now and later."""
        self.flush()
        self._followers[follower] = offset
        self._tell()

    def unfollow(self, follower: Callable[[int, bytes], None]) -> None:
        self._followers.pop(follower, None)

    def tell(self) -> None:
        """Write what waits and tell every follower now."""
        self.flush()
        self._tell()

    def _tell(self) -> None:
        self._is_telling = False
        for follower, offset in list(self._followers.items()):
            while offset < self.size_bytes:
                length = min(_PART_BYTES, self.size_bytes - offset)
                follower(offset, os.pread(self._file, length, offset))
                offset += length
            self._followers[follower] = offset

    def close(self) -> None:
        """Write what waits; later events are an error."""
        self.flush()
        self._followers.clear()
        os.close(self._file)
