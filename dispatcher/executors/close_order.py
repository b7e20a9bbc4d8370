"""In which order the output files of calls were closed: one inotify instance for a whole node.

Jupiter's scatter gives the i-th file to the i-th child, so the order is part of the result. A user
may have only some 128 inotify instances, and closing one takes milliseconds; so the node has one.
Task processes inherit its descriptor and add a watch per ``pathout``; the node, which alone reads
it, puts the files that a task process reports into order.
"""

from __future__ import annotations

import ctypes
import os
import struct

from dispatcher.executors.wire import OutFile

_IN_CLOSE_WRITE = 0x008
_IN_MOVED_TO = 0x080
_IN_Q_OVERFLOW = 0x4000
_IN_IGNORED = 0x8000
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)

NO_WATCH = -1


def watch(descriptor: int, folder: str) -> int:
    """Note from now on what is closed in ``folder`` or renamed into it; the number of the watch.

    Called in task processes. NO_WATCH if the kernel can't. The watch ends with the folder.
    """
    if descriptor < 0:
        return NO_WATCH
    mask = _IN_CLOSE_WRITE | _IN_MOVED_TO
    number: int = _libc.inotify_add_watch(descriptor, os.fsencode(folder), mask)
    return max(number, NO_WATCH)


class CloseOrder:
    """The node's reader. The kernel notes a close before the closing process can end, so that by
    the time a call is reported, all that it closed can be read here.
    """

    def __init__(self) -> None:
        self.descriptor: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        """-1 if the kernel or the user's limits don't allow one more instance."""
        self._seen: dict[int, dict[str, int]] = {}
        self._count = 0

    def drain(self) -> None:
        """Read what the kernel has noted; to be called whenever the descriptor is readable."""
        while self.descriptor >= 0:
            try:
                events = os.read(self.descriptor, 65536)
            except BlockingIOError:
                return
            at = 0
            while at < len(events):
                number, mask, _, length = _EVENT.unpack_from(events, at)
                at += _EVENT.size
                name = os.fsdecode(events[at : at + length].rstrip(b"\0"))
                at += length
                self._note(number, mask, name)

    def _note(self, number: int, mask: int, name: str) -> None:
        if mask & _IN_Q_OVERFLOW:
            self._seen.clear()
        elif not mask & _IN_IGNORED:  # the folder may be gone before its call is reported
            self._count += 1
            self._seen.setdefault(number, {})[name] = self._count

    def sort(self, number: int, outputs: list[OutFile]) -> list[OutFile]:
        """The outputs by their last close; as they are if it is not known of every one of them.

        Forgets what it has seen of that watch, so that the folder can be used for the next job.
        """
        if number == NO_WATCH:
            return outputs
        self.drain()
        seen = self._seen.pop(number, {})
        if any(output.name not in seen for output in outputs):
            return outputs
        return sorted(outputs, key=lambda output: seen[output.name])

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
