"""How the parent of a time service speaks to it."""

from __future__ import annotations

import os

_LINE_MOST_BYTES = 65536


class Control:
    """The parent's orders: JSON lines on a file descriptor that closes when the parent is gone."""

    def __init__(self, descriptor: int, left: bytes = b"") -> None:
        self.descriptor = descriptor
        self._left = left

    def lines(self) -> list[bytes] | None:
        """What has come since, whole lines only; None at the end. Call when readable."""
        data = os.read(self.descriptor, _LINE_MOST_BYTES)
        if not data:
            return None
        self._left += data
        return self.waiting()

    def waiting(self) -> list[bytes]:
        """The whole lines that were read and not given out yet."""
        *lines, self._left = self._left.split(b"\n")
        return [line for line in lines if line.strip()]
