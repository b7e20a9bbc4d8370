"""The estimate of offset and skew: a Bayesian straight line through the recent exchanges.

Statistics only: it may be wrong, the hard bound may not. Each exchange says
``θ = ((t2 - t1) + (t3 - t4)) / 2`` with an error that grows with how much longer its round trip was
than the shortest one (the extra wait was on one of the two ways, nobody knows which) and with its
age (oscillators wander). The slope has a prior of half the drift limit around zero, so that a burst
of exchanges within milliseconds does not invent a skew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import sqrt

from qot.hard_bound import Sample

WINDOW = 32
"""Exchanges that are remembered: 8 s at the default period."""
_FLOOR_NS = 200.0
_WANDER_PPB = 100.0


@dataclass(frozen=True, slots=True)
class Line:
    """Offset in ns at the asked core time, skew in ppb, and the standard deviation of each."""

    offset_ns: int
    skew_ppb: int
    offset_sigma_ns: int
    skew_sigma_ppb: int


class OffsetFit:
    """Remembers the last exchanges and fits a line through them."""

    def __init__(self, drift_ppb: int, window: int = WINDOW) -> None:
        self._drift_ppb = drift_ppb
        self._samples: deque[Sample] = deque(maxlen=window)

    def clear(self) -> None:
        self._samples.clear()

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)

    @property
    def count(self) -> int:
        return len(self._samples)

    def at(self, core_ns: int) -> Line | None:
        """The line, read at a local core time; None without samples.

        Sums are taken in floats relative to the newest sample, where they lose nothing.
        """
        if not self._samples:
            return None
        newest = self._samples[-1]
        zero_ns = newest.t2_ns - newest.t1_ns
        shortest_ns = max(0, min(sample.round_trip_ns for sample in self._samples))
        prior = (2.0 / max(1, self._drift_ppb)) ** 2
        sw = sx = sy = sxy = 0.0
        sxx = prior
        points: list[tuple[float, float, float]] = []
        for sample in self._samples:
            age_s = (core_ns - (sample.t1_ns + sample.t4_ns) // 2) / 1e9
            twice = (sample.t2_ns - sample.t1_ns) + (sample.t3_ns - sample.t4_ns) - 2 * zero_ns
            excess = max(0, sample.round_trip_ns - shortest_ns) / 2
            noise = _FLOOR_NS + shortest_ns / 16 + excess
            weight = 1.0 / (noise * noise + (_WANDER_PPB * age_s) ** 2)
            x, y = -age_s, twice / 2
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
        scale = max(1.0, misfit)
        limit = self._drift_ppb
        return Line(
            offset_ns=zero_ns + round(offset),
            skew_ppb=max(-limit, min(limit, round(skew))),
            offset_sigma_ns=round(sqrt(scale * sxx / determinant)) + 1,
            skew_sigma_ppb=round(sqrt(scale * sw / determinant)) + 1,
        )
