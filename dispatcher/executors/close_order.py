"""In which order the files of a folder were closed (inotify), or the next best thing.

Jupiter's scatter gives the i-th file to the i-th child, so the order is part of the result.
"""

from __future__ import annotations

import ctypes
import os
import struct

_IN_CLOSE_WRITE = 0x008
_IN_MOVED_TO = 0x080
_IN_Q_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class CloseOrder:
    """Watches one folder from its construction on; holds one file descriptor until ``close()``.

    Without inotify (no kernel support, or the user's limit on instances is reached) the order is
    that of the files' modification times, then of their names.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor >= 0:
            mask = _IN_CLOSE_WRITE | _IN_MOVED_TO
            if _libc.inotify_add_watch(self.descriptor, os.fsencode(folder), mask) < 0:
                self.close()

    def sort(self, names: list[str]) -> list[str]:
        """The names in the order of their last close; a rename into the folder counts as one.

        Forgets what it has seen, so that the folder can be used again.
        """
        seen: dict[str, int] = {}
        complete = self.descriptor >= 0
        count = 0
        while self.descriptor >= 0:
            try:
                events = os.read(self.descriptor, 65536)
            except BlockingIOError:
                break
            at = 0
            while at < len(events):
                _, mask, _, length = _EVENT.unpack_from(events, at)
                at += _EVENT.size
                name = os.fsdecode(events[at : at + length].rstrip(b"\0"))
                at += length
                complete = complete and not mask & _IN_Q_OVERFLOW
                seen[name] = count
                count += 1
        if complete and all(name in seen for name in names):
            return sorted(names, key=seen.__getitem__)
        return sorted(names, key=self._modified)

    def _modified(self, name: str) -> tuple[int, str]:
        return os.lstat(os.path.join(self._folder, name)).st_mtime_ns, name

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
