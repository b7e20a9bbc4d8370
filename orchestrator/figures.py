"""The statistics of the report: integers in, integers out, nothing estimated.

A percentile is a value that was seen (nearest rank, Hyndman & Fan 1996, type 1), so the same events
give the same figures on every machine. Figures of nothing are None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jupiter.events import Stamp

Figures = dict[str, Any]
"""What goes into report.json as it is."""


def percentile(ordered: Sequence[int], per_cent: int) -> int:
    """The smallest value of a sorted, non-empty sequence that ``per_cent`` % do not exceed."""
    rank = -(-len(ordered) * per_cent // 100)
    return ordered[max(rank, 1) - 1]


def spread(values_ns: Iterable[int], per_cents: Sequence[int] = (50, 95, 99)) -> Figures | None:
    """``{"p50_ns": …, "p95_ns": …, "p99_ns": …, "max_ns": …}``, or None when there is no value."""
    ordered = sorted(values_ns)
    if not ordered:
        return None
    figures = {f"p{per_cent}_ns": percentile(ordered, per_cent) for per_cent in per_cents}
    figures["max_ns"] = ordered[-1]
    return figures


def share(part: int, whole: int) -> float | None:
    """part / whole; exactly 1.0 only when they are equal."""
    return part / whole if whole else None


def rate_per_s(count: int, duration_ns: int) -> float | None:
    """count per second, with six significant digits."""
    return float(f"{count * 1e9 / duration_ns:.6g}") if duration_ns > 0 else None


@dataclass(frozen=True, slots=True)
class Interval:
    """A duration in ns, known to lie in ``[low_ns, high_ns]``; estimate_ns is the best guess."""

    estimate_ns: int
    low_ns: int
    high_ns: int


def between(start: Stamp, end: Stamp) -> Interval:
    """How long from start to end, when two clocks made the stamps.

    A duration of a cause and its effect is never negative, so the interval is cut at zero.
    """
    high = max(0, end.latest_ns - start.earliest_ns)
    low = max(0, end.earliest_ns - start.latest_ns)
    estimate = min(max(end.estimate_ns - start.estimate_ns, low), high)
    return Interval(estimate, low, high)


def elapsed(start: Stamp, end: Stamp) -> Interval:
    """How long from start to end, when the clock of one machine made both stamps."""
    duration = max(0, end.core_ns - start.core_ns)
    return Interval(duration, duration, duration)


def interval_spread(
    intervals: Sequence[Interval], per_cents: Sequence[int] = (50, 95)
) -> Figures | None:
    """Like :func:`spread`, with ``_low_ns`` and ``_high_ns`` beside each figure.

    If every true duration lies in its interval, then every true percentile lies between the
    percentile of the low ends and that of the high ends, for order statistics are monotone.
    """
    if not intervals:
        return None
    estimates = sorted(interval.estimate_ns for interval in intervals)
    lows = sorted(interval.low_ns for interval in intervals)
    highs = sorted(interval.high_ns for interval in intervals)
    figures: Figures = {}
    for name, per_cent in (*((f"p{each}", each) for each in per_cents), ("max", 100)):
        figures[f"{name}_ns"] = percentile(estimates, per_cent)
        figures[f"{name}_low_ns"] = percentile(lows, per_cent)
        figures[f"{name}_high_ns"] = percentile(highs, per_cent)
    return figures
