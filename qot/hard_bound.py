"""The hard bound on a clock's offset: causality, the stated drift limit, and nothing else.

One two-way exchange has local core stamps t1 (sent) and t4 (received) and reference stamps t2
(received) and t3 (sent). With θ(L) = reference - local at local time L, a packet can't arrive
before it left, so::

    θ(t1) <= t2 - t1          θ(t4) >= t3 - t4

whatever the two delays were. The relative rate of the two clocks is within ±ρ, so each of the two
widens by ρ for each second of age, and all exchanges hold together: their intersection holds. As
all widen alike, the best upper and the best lower limit stay the best; two integers remember all
that was ever measured. (Marzullo's intersection, with drift, for one source.)
"""

from __future__ import annotations

from dataclasses import dataclass

from qot.clock import SECOND_NS

READ_GRANULARITY_NS = 4
"""Each stamp is an integer that the clock had reached: 3 ns cover two of them and the reader's."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The four stamps of one exchange, in ns, and the reference's fencing epoch."""

    t1_ns: int
    t2_ns: int
    t3_ns: int
    t4_ns: int
    epoch: int = 1

    @property
    def round_trip_ns(self) -> int:
        """Time on the way, both directions: twice the uncertainty of the offset."""
        return (self.t4_ns - self.t1_ns) - (self.t3_ns - self.t2_ns)


def relative_drift_ppb(local_ppb: int, reference_ppb: int) -> int:
    """How fast two clocks may part, per second of the local one, when each keeps its limit.

    A little more than the sum: ``(1 + r) / (1 - l) - 1``, rounded up.
    """
    return -(-(local_ppb + reference_ppb) * SECOND_NS // (SECOND_NS - local_ppb))


class HardBound:
    """The intersection of all exchanges taken in since :meth:`clear`. Exact integers.

    Limits are kept in units of 1e-9 ns, referred to local time 0, so that nothing is rounded but
    the answer.
    """

    def __init__(self, drift_ppb: int, granularity_ns: int = READ_GRANULARITY_NS) -> None:
        self.drift_ppb = drift_ppb
        self.granularity_ns = granularity_ns
        self._upper: int | None = None
        self._lower: int | None = None
        self._upper_at_ns = 0
        self._lower_at_ns = 0
        self.gap_ns = 0
        """By how much the last refused exchange contradicted the others."""

    def clear(self) -> None:
        """Forget everything."""
        self._upper = self._lower = None

    def add(self, sample: Sample) -> bool:
        """Intersect with one exchange. False, and nothing changed, when they contradict each other.

        Then either a clock broke its stated drift limit or one of them stepped.
        """
        upper = (
            sample.t2_ns - sample.t1_ns + self.granularity_ns
        ) * SECOND_NS - self.drift_ppb * sample.t1_ns
        lower = (
            sample.t3_ns - sample.t4_ns - self.granularity_ns
        ) * SECOND_NS + self.drift_ppb * sample.t4_ns
        upper_at, lower_at = sample.t1_ns, sample.t4_ns
        if self._upper is not None and self._upper <= upper:
            upper, upper_at = self._upper, self._upper_at_ns
        if self._lower is not None and self._lower >= lower:
            lower, lower_at = self._lower, self._lower_at_ns
        # The tightest moment for this pair is the later of its two stamps.
        gap = lower - upper - 2 * self.drift_ppb * max(upper_at, lower_at)
        if gap > 0:
            self.gap_ns = -(-gap // SECOND_NS)
            return False
        self._upper, self._upper_at_ns = upper, upper_at
        self._lower, self._lower_at_ns = lower, lower_at
        return True

    def widen(self, by_ns: int) -> None:
        """Add to both sides: what was measured may be off by so much."""
        if self._upper is not None and self._lower is not None:
            self._upper += by_ns * SECOND_NS
            self._lower -= by_ns * SECOND_NS

    def at(self, core_ns: int) -> tuple[int, int] | None:
        """(lowest, highest) possible offset at a local core time; None when nothing is known.

        ``core_ns`` must not be before the newest stamp taken in.
        """
        if self._upper is None or self._lower is None:
            return None
        widening = self.drift_ppb * core_ns
        return (self._lower - widening) // SECOND_NS, -((-self._upper - widening) // SECOND_NS)
