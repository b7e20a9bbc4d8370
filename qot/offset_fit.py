"""The estimate of offset and skew: a Bayesian straight line through the recent exchanges.

Statistics only: it may be wrong, the hard bound may not. Each exchange says
``θ = ((t2 - t1) + (t3 - t4)) / 2`` with an error that grows with how much longer its round trip was
than the shortest one (the extra wait was on one of the two ways, nobody knows which) and with its
age (oscillators wander). The slope has a prior of half the drift limit around zero, so that a burst
of exchanges within milliseconds does not invent a skew.

Two exchanges in a row that the line can't explain mean that the clock's rate has changed: what is
older is forgotten, rather than dragged along for a window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from qot.hard_bound import Sample

WINDOW = 32
"""Exchanges that are remembered: 4 s at the default period, which asks twice each time."""
SURPRISE = 4.5
"""Standard deviations, beyond what its delays explain, that make an exchange a surprise."""
_FLOOR_NS = 200.0
_WANDER_PPB = 100.0


@dataclass(frozen=True, slots=True)
class Line:
    """Offset in ns at the asked core time, skew in ppb, and the standard deviation of each."""

    offset_ns: int
    skew_ppb: int
    offset_sigma_ns: int
    skew_sigma_ppb: int


@dataclass(frozen=True, slots=True)
class _Fit:
    """A line at ``at_ns`` with its covariances (ns, ns/s) and the shortest round trip."""

    at_ns: int
    zero_ns: int
    offset: float
    skew: float
    var_offset: float
    covariance: float
    var_skew: float
    shortest_ns: int

    def variance(self, age_s: float) -> float:
        """Of the offset, ``age_s`` after ``at_ns``."""
        return self.var_offset + age_s * (2 * self.covariance + age_s * self.var_skew)


class OffsetFit:
    """Remembers the last exchanges and fits a line through them."""

    def __init__(self, drift_ppb: int, window: int = WINDOW) -> None:
        self.drift_ppb = drift_ppb
        self._samples: deque[Sample] = deque(maxlen=window)
        self._fit: _Fit | None = None
        self._surprised = False
        self.surprises = 0
        """How often the past was forgotten."""

    def clear(self) -> None:
        self._samples.clear()
        self._fit = None
        self._surprised = False

    def add(self, sample: Sample) -> None:
        surprised = self._surprises(sample)
        self._samples.append(sample)
        if surprised and self._surprised:
            self.surprises += 1
            last = (self._samples[-2], self._samples[-1])
            self._samples.clear()
            self._samples.extend(last)
            surprised = False
        self._surprised = surprised
        self._fit = self._solve()

    @property
    def samples(self) -> Sequence[Sample]:
        """The exchanges that the line goes through, oldest first."""
        return self._samples

    def at(self, core_ns: int) -> Line | None:
        """The line, read at a local core time; None without samples."""
        fit = self._fit
        if fit is None:
            return None
        age_s = (core_ns - fit.at_ns) / 1e9
        limit = self.drift_ppb
        return Line(
            offset_ns=fit.zero_ns + round(fit.offset + fit.skew * age_s),
            skew_ppb=max(-limit, min(limit, round(fit.skew))),
            offset_sigma_ns=round(sqrt(max(0.0, fit.variance(age_s)))) + 1,
            skew_sigma_ppb=round(sqrt(fit.var_skew)) + 1,
        )

    @property
    def raw_skew_ppb(self) -> int:
        """The fitted skew, be it beyond the drift limit; 0 without samples."""
        return 0 if self._fit is None else round(self._fit.skew)

    def _surprises(self, sample: Sample) -> bool:
        """True when neither the line's error nor this exchange's own delays explain it."""
        fit = self._fit
        if fit is None or len(self._samples) < 8:
            return False
        age_s = ((sample.t1_ns + sample.t4_ns) // 2 - fit.at_ns) / 1e9
        twice = (sample.t2_ns - sample.t1_ns) + (sample.t3_ns - sample.t4_ns) - 2 * fit.zero_ns
        miss = abs(twice / 2 - fit.offset - fit.skew * age_s)
        excess = abs(sample.round_trip_ns - fit.shortest_ns) / 2
        noise = _FLOOR_NS + fit.shortest_ns / 64
        wander = _WANDER_PPB * age_s
        return miss > excess + SURPRISE * sqrt(
            max(0.0, fit.variance(age_s)) + noise * noise + wander * wander
        )

    def _solve(self) -> _Fit:
        """Weighted least squares, in floats relative to the newest sample: they lose nothing."""
        newest = self._samples[-1]
        at_ns = (newest.t1_ns + newest.t4_ns) // 2
        zero_ns = newest.t2_ns - newest.t1_ns
        shortest_ns = max(0, min(sample.round_trip_ns for sample in self._samples))
        floor = _FLOOR_NS + shortest_ns / 16
        sw = sx = sy = sxy = 0.0
        sxx = (2.0 / max(1, self.drift_ppb)) ** 2
        points: list[tuple[float, float, float]] = []
        for sample in self._samples:
            t1, t2, t3, t4 = sample.t1_ns, sample.t2_ns, sample.t3_ns, sample.t4_ns
            x = ((t1 + t4) // 2 - at_ns) / 1e9
            y = (t2 - t1 + t3 - t4 - 2 * zero_ns) / 2
            noise = floor + max(0, t4 - t1 - t3 + t2 - shortest_ns) / 2
            weight = 1.0 / (noise * noise + (_WANDER_PPB * x) ** 2)
            points.append((x, y, weight))
            sw += weight
            sx += weight * x
            sy += weight * y
            sxx += weight * x * x
            sxy += weight * x * y
        determinant = sw * sxx - sx * sx
        offset = (sxx * sy - sx * sxy) / determinant
        skew = (sw * sxy - sx * sy) / determinant
        misfit = sum(w * (y - offset - skew * x) ** 2 for x, y, w in points) / len(points)
        scale = max(1.0, misfit) / determinant
        return _Fit(at_ns, zero_ns, offset, skew, scale * sxx, -scale * sx, scale * sw, shortest_ns)
