"""The parameters of a timeline on one node, and the arithmetic that turns a core reading into time.

This is the specification of what the numbers of a clock page mean (docs/quality_of_time.md); a
reader in another language does the same sums. All integers; ``//`` rounds down. With ``d`` the
core time since ``as_of``::

    estimate = timeline + d + rate·d/1e9
    earliest = estimate - early - early_growth·d/1e9
    latest   = estimate + late  + late_growth·d/1e9

For a moment before ``as_of`` (d < 0) the two growths change places: what may have run ahead since
then would have been behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from qot.clock import SECOND_NS
from qot.instant import UNBOUNDED_NS, Instant, Status, make_instant

STATISTICAL_Z_MILLI = 4418
"""So many thousandths of sigma to either side hold 99.999 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class ClockParams:
    """What a node knows of a timeline. Core times are its own core clock's. Immutable.

    early_ns, late_ns: the hard bound at ``as_of_ns``; ``UNBOUNDED_NS`` when there is none.
    early_growth_ppb, late_growth_ppb: how fast the two sides grow.
    sigma_ns, sigma_growth_ppb: standard deviation of the estimate at ``as_of_ns``, and of its rate.
    fresh_until_ns: core time at which a missing renewal turns synchronized into holdover.
    void_after_ns: core time from which nothing here is to be relied on.
    epoch: the reference's fencing number. step_marker: counts the jumps of the estimate.
    likely_early_ns, likely_late_ns: the part of the statistical interval that no confidence
    shrinks; sigma is what comes on top of it.
    """

    status: Status
    as_of_ns: int
    timeline_ns: int
    rate_ppb: int = 0
    early_ns: int = UNBOUNDED_NS
    late_ns: int = UNBOUNDED_NS
    early_growth_ppb: int = 0
    late_growth_ppb: int = 0
    sigma_ns: int = UNBOUNDED_NS
    sigma_growth_ppb: int = 0
    fresh_until_ns: int = 0
    void_after_ns: int = 0
    epoch: int = 0
    step_marker: int = 0
    likely_early_ns: int = 0
    likely_late_ns: int = 0

    @property
    def bounded(self) -> bool:
        """False until a first exchange gave a bound; the estimate means nothing then."""
        return self.early_ns < UNBOUNDED_NS and self.late_ns < UNBOUNDED_NS

    def estimate_at(self, core_ns: int) -> int:
        """The timeline time at a core time."""
        d = core_ns - self.as_of_ns
        return self.timeline_ns + d + self.rate_ppb * d // SECOND_NS

    def interval_at(self, core_ns: int) -> tuple[int, int, int]:
        """(estimate, earliest, latest) at a core time."""
        d = core_ns - self.as_of_ns
        estimate = self.timeline_ns + d + self.rate_ppb * d // SECOND_NS
        if d >= 0:
            return (
                estimate,
                estimate - self.early_ns + -self.early_growth_ppb * d // SECOND_NS,
                estimate + self.late_ns - (-self.late_growth_ppb * d // SECOND_NS),
            )
        return (
            estimate,
            estimate - self.early_ns + self.late_growth_ppb * d // SECOND_NS,
            estimate + self.late_ns - (self.early_growth_ppb * d // SECOND_NS),
        )

    def status_at(self, core_ns: int) -> Status:
        """The status as a reader must see it: what nobody renews loses its rank by itself."""
        if core_ns > self.void_after_ns:
            return Status.UNSYNCHRONIZED
        if core_ns > self.fresh_until_ns and self.status is Status.SYNCHRONIZED:
            return Status.HOLDOVER
        return self.status

    def instant_at(self, core_ns: int) -> Instant:
        """The Instant at a core time."""
        d = core_ns - self.as_of_ns
        if d < 0:
            return Instant(*self.interval_at(core_ns), self.status_at(core_ns))
        # As interval_at and status_at say; calling them would make each read a third dearer.
        estimate = self.timeline_ns + d + self.rate_ppb * d // SECOND_NS
        return make_instant(
            estimate,
            estimate - self.early_ns + -self.early_growth_ppb * d // SECOND_NS,
            estimate + self.late_ns - (-self.late_growth_ppb * d // SECOND_NS),
            self.status
            if self.fresh_until_ns >= core_ns <= self.void_after_ns
            else self.status_at(core_ns),
        )

    def sigma_at(self, core_ns: int) -> int:
        """Standard deviation of the estimate at a core time: statistical, promises nothing."""
        growth = self.sigma_growth_ppb * abs(core_ns - self.as_of_ns) // SECOND_NS
        return isqrt(self.sigma_ns**2 + growth**2)

    def statistical_at(self, core_ns: int, z_milli: int = STATISTICAL_Z_MILLI) -> tuple[int, int]:
        """(low, high) of the statistical interval at a core time, never wider than the hard one."""
        estimate, earliest, latest = self.interval_at(core_ns)
        spread = -(-self.sigma_at(core_ns) * z_milli // 1000)
        return (
            max(earliest, estimate - self.likely_early_ns - spread),
            min(latest, estimate + self.likely_late_ns + spread),
        )

    def core_at_estimate(self, timeline_ns: int) -> int:
        """The first core time whose estimate is ``timeline_ns`` or more."""
        return self.as_of_ns + _divide_up(timeline_ns - self.timeline_ns, self.rate_ppb)

    def core_at_earliest(self, timeline_ns: int) -> int:
        """The first core time at which ``timeline_ns`` has certainly been reached."""
        gap = timeline_ns - self.timeline_ns + self.early_ns
        growth = -self.early_growth_ppb if gap >= 0 else self.late_growth_ppb
        return self._settle(self.as_of_ns + _divide_up(gap, self.rate_ppb + growth), timeline_ns, 1)

    def core_at_latest(self, timeline_ns: int) -> int:
        """The last core time at which ``timeline_ns`` has certainly not been passed."""
        gap = timeline_ns - self.timeline_ns - self.late_ns
        growth = self.late_growth_ppb if gap >= 0 else -self.early_growth_ppb
        core_ns = self.as_of_ns + gap * SECOND_NS // (SECOND_NS + self.rate_ppb + growth)
        return self._settle(core_ns, timeline_ns, 2)

    def _settle(self, core_ns: int, timeline_ns: int, side: int) -> int:
        """Mend the last nanosecond, which the roundings of two quotients may shift."""
        if side == 1:
            while self.interval_at(core_ns)[1] < timeline_ns:
                core_ns += 1
        else:
            while self.interval_at(core_ns)[2] > timeline_ns:
                core_ns -= 1
        return core_ns


def _divide_up(gap_ns: int, rate_ppb: int) -> int:
    """The smallest d with ``d·(1 + rate/1e9) >= gap``."""
    return -(-gap_ns * SECOND_NS // (SECOND_NS + rate_ppb))
