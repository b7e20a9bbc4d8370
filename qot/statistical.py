"""The statistical interval: tighter than the hard one, at a stated confidence. Never mixed with it.

What it takes for granted, and what not:

* Delays: nothing. An estimate from two-way exchanges is wrong by half the asymmetry of the path,
  and no statistics of the exchanges can see that. So this interval stands on causality, as the
  hard one does: the offset was below ``t2 - t1`` at t1 and above ``t3 - t4`` at t4.
* The clock's rate: that it goes on as measured. The hard bound carries an old exchange to the
  present by the *stated drift limit* (100 ppm for two usual clocks); this one carries it by the
  *measured skew* and its uncertainty (around 1 ppm). Hence it can stand on the luckiest exchange of
  the whole window instead of the last few, and in holdover it grows a tenth as fast or less.

So it holds at any asymmetry; it may miss when the rate jumps, until an exchange tells. The part
that is causal does not shrink with the confidence, only the part that is statistical does.
Pure arithmetic; no clock is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from statistics import NormalDist

from qot.clock import SECOND_NS
from qot.hard_bound import READ_GRANULARITY_NS, Sample
from qot.offset_fit import Line
from qot.params import ClockParams

CONFIDENCE = 0.99999
LEAST_CONFIDENCE = 0.95
WANDER_PPB = 200
"""How much a rate is taken to wander at least: standard deviation after 1 s, growing as √t."""
HORIZON_S = 300.0
"""For how long the linear growth must cover the wander, which grows as t^1.5."""
_WANDER_FIRST_PPB = 1_000
"""What a rate nobody has watched yet is taken to wander."""
_WANDER_LOOK_S = 4.0
_WANDER_MEMORY = 16


@lru_cache(maxsize=64)
def deviations(confidence: float) -> float:
    """How many standard deviations hold ``confidence`` of a normal distribution, on both sides.

    Raises ValueError below 0.95 (of which the parts that don't shrink would make nonsense) and
    from 1 on (only the hard bound can promise that).
    """
    if not LEAST_CONFIDENCE <= confidence < 1:
        raise ValueError(
            f"the confidence is {confidence}: give {LEAST_CONFIDENCE} or more and below 1, "
            f"{CONFIDENCE} is usual; for certainty use the hard interval"
        )
    return NormalDist().inv_cdf((1 + confidence) / 2)


def interval_at(
    params: ClockParams, core_ns: int, confidence: float = CONFIDENCE
) -> tuple[int, int]:
    """(earliest, latest) at a core time: holds the truth with ``confidence``.

    Never wider than the hard interval, and the estimate is always in it. Raises ValueError as
    :func:`deviations` does.
    """
    return params.statistical_at(core_ns, ceil(1_000 * deviations(confidence)))


@dataclass(frozen=True, slots=True)
class StatisticalBound:
    """The statistical part of :class:`ClockParams`, which has the same words for it.

    likely_early_ns, likely_late_ns: how far the truth may be before and after the estimate by
    causality, with the skew as measured: the part that no confidence shrinks. sigma_ns: standard
    deviation of that. sigma_growth_ppb: of what is added per second of age.
    """

    likely_early_ns: int
    likely_late_ns: int
    sigma_ns: int
    sigma_growth_ppb: int


@dataclass(frozen=True, slots=True)
class LikelyLimits:
    """Causal limits of the offset at ``at_ns``, carried there by the measured skew."""

    at_ns: int
    lowest_ns: int
    highest_ns: int
    sigma_ns: float
    growth_ppb: float

    def bound_at(
        self, core_ns: int, offset_ns: int, rate_ppb: int, skew_ppb: int
    ) -> StatisticalBound:
        """Seen from a line that is at ``offset_ns`` at ``core_ns`` and runs at ``rate_ppb``.

        While the line leans, it parts from the measured skew: at 95 % or more, half of that counts
        as a deviation covers it.
        """
        age_s = (core_ns - self.at_ns) / SECOND_NS
        moved_ns = round(skew_ppb * age_s)
        return StatisticalBound(
            likely_early_ns=max(0, offset_ns - self.lowest_ns - moved_ns),
            likely_late_ns=max(0, self.highest_ns + moved_ns - offset_ns + 1),
            sigma_ns=ceil(sqrt(self.sigma_ns**2 + (self.growth_ppb * age_s) ** 2)),
            sigma_growth_ppb=ceil(self.growth_ppb + abs(rate_ppb - skew_ppb) / 2),
        )


class Wander:
    """How much the rate changes, learnt from fitted skews some seconds apart.

    Quick to believe that it wanders more, slow to believe that it wanders less: the statistical
    interval of a clock that was just started is the hard one, and is tight after some minutes.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._square = float(_WANDER_FIRST_PPB**2)
        self._looks = 1
        self._last: tuple[int, Line] | None = None

    def add(self, core_ns: int, line: Line) -> None:
        """Take in the line that was fitted at ``core_ns``."""
        if self._last is None:
            self._last = core_ns, line
            return
        then_ns, before = self._last
        passed_s = (core_ns - then_ns) / SECOND_NS
        if passed_s < _WANDER_LOOK_S:
            return
        change = (line.skew_ppb - before.skew_ppb) ** 2
        noise = line.skew_sigma_ppb**2 + before.skew_sigma_ppb**2
        more = max(0, change - noise) / passed_s - self._square
        self._looks = min(self._looks + 1, _WANDER_MEMORY)
        self._square += more / (2 if more > 0 else self._looks)
        self._last = core_ns, line

    @property
    def ppb(self) -> float:
        """Standard deviation of the rate's change in 1 s, with room for so short a look."""
        return max(float(WANDER_PPB), 3 * sqrt(self._square))


def likely_limits(samples: Sequence[Sample], line: Line, wander_ppb: float) -> LikelyLimits:
    """The tightest limits that the exchanges give at the newest one, at CONFIDENCE.

    ``line`` is the fit at the newest's t4. Each exchange is carried by the measured skew and
    widened by its uncertainty: ``σ² = σ_skew² · age² + wander² · (window + age) · age² / 3``; the
    skew is one of the middle of the window, and has wandered since.
    """
    at_ns = samples[-1].t4_ns
    z = deviations(CONFIDENCE)
    skew, cubic = line.skew_ppb, wander_ppb * wander_ppb / 3
    window_s = (at_ns - samples[0].t1_ns) / SECOND_NS
    linear = float(line.skew_sigma_ppb) ** 2 + cubic * window_s
    highest = lowest = 0.0
    upper = lower = float("inf")
    upper_sigma = lower_sigma = 0.0
    zero = samples[-1].t2_ns - samples[-1].t1_ns
    for sample in samples:
        age = (at_ns - sample.t1_ns) / SECOND_NS
        sigma = age * sqrt(linear + cubic * age)
        limit = sample.t2_ns - sample.t1_ns - zero + skew * age
        if limit + z * sigma < upper:
            upper, highest, upper_sigma = limit + z * sigma, limit, sigma
        age = (at_ns - sample.t4_ns) / SECOND_NS
        sigma = age * sqrt(linear + cubic * age)
        limit = sample.t4_ns - sample.t3_ns + zero - skew * age
        if limit + z * sigma < lower:
            lower, lowest, lower_sigma = limit + z * sigma, limit, sigma
    return LikelyLimits(
        at_ns,
        zero - ceil(lowest) - READ_GRANULARITY_NS,
        zero + ceil(highest) + READ_GRANULARITY_NS,
        max(upper_sigma, lower_sigma),
        sqrt(linear + cubic * HORIZON_S),
    )
