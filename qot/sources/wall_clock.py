"""CLOCK_REALTIME, seen from CLOCK_MONOTONIC: the one place that reads it for measuring.

The two run alike, whatever slews them; only a step (settimeofday, a leap second, a daemon's
makestep) parts them. So their difference is a constant that each look narrows down, and a look that
contradicts it is a step, of which the size is known within the widths of two looks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

_TRIES = 3


@dataclass(frozen=True, slots=True)
class WallStamp:
    """CLOCK_REALTIME, read between two readings of CLOCK_MONOTONIC, in ns."""

    before_ns: int
    realtime_ns: int
    after_ns: int

    @property
    def difference_ns(self) -> tuple[int, int]:
        """Lowest and highest REALTIME - MONOTONIC; each reading may be cut short by a ns."""
        return self.realtime_ns - self.after_ns - 1, self.realtime_ns - self.before_ns + 1


def take_stamp() -> WallStamp:
    """The narrowest of three looks; about 1 µs."""
    stamps = []
    for _ in range(_TRIES):
        before_ns = time.monotonic_ns()
        realtime_ns = time.time_ns()
        stamps.append(WallStamp(before_ns, realtime_ns, time.monotonic_ns()))
    return min(stamps, key=lambda stamp: stamp.after_ns - stamp.before_ns)


class StepWatch:
    """Notices steps of CLOCK_REALTIME. Pure."""

    def __init__(self) -> None:
        self._known: tuple[int, int] | None = None

    def see(self, stamp: WallStamp) -> tuple[int, int]:
        """Lowest and highest size of the step since the stamp before; (0, 0) when there was none.

        Forward is positive. A step that is narrower than two looks may pass for none: it is as
        small as what the looks leave open anyway.
        """
        lowest, highest = stamp.difference_ns
        if self._known is None:
            self._known = lowest, highest
            return 0, 0
        low, high = self._known
        if lowest <= high and low <= highest:
            self._known = max(low, lowest), min(high, highest)
            return 0, 0
        self._known = lowest, highest
        return lowest - high, highest - low
