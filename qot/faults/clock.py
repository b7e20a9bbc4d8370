"""Clock faults: a clock that is set, jumps in frequency or warms up, with its truth still known.

:class:`FaultyClock` is a :class:`qot.clock.Clock` for simulations and audits. The stated drift
limit stays that of the clock beneath: a fault that goes beyond it is a lie that has to be noticed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from qot.clock import SECOND_NS, Clock

_FAR_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class Step:
    """At ``at_ns`` of CLOCK_MONOTONIC somebody sets the clock forward, or back when negative."""

    at_ns: int
    by_ns: int


@dataclass(frozen=True, slots=True)
class Rate:
    """From ``at_ns`` on the clock runs faster by ``by_ppb``.

    over_ns: it takes that long to get there, evenly, as an oscillator that warms up; 0 is a jump.
    """

    at_ns: int
    by_ppb: int
    over_ns: int = 0

    def gained(self, monotonic_ns: int) -> int:
        """How much time the fault has added, in units of 1 ns / 2e9."""
        elapsed = monotonic_ns - self.at_ns
        if elapsed <= 0:
            return 0
        if elapsed < self.over_ns:
            return self.by_ppb * elapsed * elapsed // self.over_ns
        return self.by_ppb * (2 * elapsed - self.over_ns)


Fault = Step | Rate


class FaultyClock:
    """A clock with faults. Reading and inverse are exact; thread-safe if the clock beneath is.

    Rates stretch the time that the clock beneath lives in, so that a reading never goes back by
    rounding; steps are added to what it shows. With a step back the same reading comes twice;
    ``to_monotonic_ns`` gives the first time.
    """

    def __init__(self, clock: Clock, *faults: Fault) -> None:
        self._clock = clock
        self.faults = faults
        self._rates = [each for each in faults if isinstance(each, Rate)]
        self._steps = sorted(
            (each for each in faults if isinstance(each, Step)), key=lambda step: step.at_ns
        )

    @property
    def max_drift_ppb(self) -> int:
        """The limit that the clock states, whatever its faults do."""
        return self._clock.max_drift_ppb

    def now_ns(self) -> int:
        return self.from_monotonic_ns(time.monotonic_ns())

    def from_monotonic_ns(self, monotonic_ns: int) -> int:
        gained = sum(rate.gained(monotonic_ns) for rate in self._rates) // (2 * SECOND_NS)
        reading = self._clock.from_monotonic_ns(monotonic_ns + gained)
        for step in self._steps:
            if monotonic_ns >= step.at_ns:
                reading += step.by_ns
        return reading

    def to_monotonic_ns(self, core_ns: int) -> int:
        low = -_FAR_NS
        for step in self._steps:
            if self.from_monotonic_ns(step.at_ns - 1) >= core_ns:
                return self._first(core_ns, low, step.at_ns - 1)
            low = step.at_ns
        return self._first(core_ns, low, _FAR_NS)

    def _first(self, core_ns: int, low: int, high: int) -> int:
        """The first moment in ``[low, high]`` that shows ``core_ns`` or more: bisection."""
        # Start near the answer: the clock beneath is wrong by its faults alone.
        near = self._clock.to_monotonic_ns(core_ns)
        reach = SECOND_NS
        while reach < _FAR_NS:
            if low < near - reach and self.from_monotonic_ns(near - reach) < core_ns:
                low = near - reach
            if near + reach < high and self.from_monotonic_ns(near + reach) >= core_ns:
                high = near + reach
            if high - low <= 2 * reach:
                break
            reach *= 16
        while low < high:
            middle = (low + high) // 2
            if self.from_monotonic_ns(middle) >= core_ns:
                high = middle
            else:
                low = middle + 1
        return low
