"""The containment audit: do the intervals hold the truth, and how wide are they for that?

Samples of (Instant, truth) in, a :class:`Report` out; where the truth comes from is the caller's
business: emulated clocks know it, a third clock may. Pure, and cheap enough for millions.

Only promises are judged: status synchronized or holdover. A sample may be marked ``blind`` when a
fault has just happened and no method could know yet (the scenario states for how long); those are
counted beside, with how far they were off, and never among the others.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jupiter.units import format_duration
from qot.instant import UNBOUNDED_NS, Instant, Status
from qot.statistical import CONFIDENCE

TIGHTNESS_BAR = 3.0
"""On a quiet link the hard bound is at most so many times what no method can do without."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found. Errors and bounds are one-sided, in ns; shares are 0..1.

    promised: samples that were judged. hard_outside, statistical_outside: those whose truth was
    outside that interval. statistical_wider: statistical intervals that reached beyond the hard
    one. worst_outside_ns: how far outside the hard interval. worst_error_ns: of the estimate.
    *_bound_*: the larger side of an interval. disrupted, unsynchronized: samples without a promise.
    blind: samples in a stated window after a fault; blind_outside_ns: how far they were off.
    """

    name: str
    samples: int
    promised: int
    holdover: int
    disrupted: int
    unsynchronized: int
    hard_outside: int
    worst_outside_ns: int
    statistical: int
    statistical_outside: int
    statistical_wider: int
    confidence: float
    worst_error_ns: int
    hard_bound_median_ns: int
    hard_bound_p99_ns: int
    hard_bound_worst_ns: int
    statistical_bound_median_ns: int
    statistical_bound_worst_ns: int
    blind: int
    blind_outside: int
    blind_outside_ns: int
    shortest_round_trip_ns: int | None

    @property
    def hard_containment(self) -> float:
        """Share of promised samples whose hard interval held the truth."""
        return 1 - self.hard_outside / self.promised if self.promised else 1.0

    @property
    def statistical_containment(self) -> float:
        """Share of statistical intervals that held the truth."""
        return 1 - self.statistical_outside / self.statistical if self.statistical else 1.0

    @property
    def tightness(self) -> float | None:
        """Median hard bound over (worst true error + half the shortest round trip).

        The divisor is what is left to any two-way method; None without a round trip.
        """
        return self._against(self.hard_bound_median_ns)

    @property
    def worst_tightness(self) -> float | None:
        """As :attr:`tightness`, of the widest hard bound that was promised."""
        return self._against(self.hard_bound_worst_ns)

    def _against(self, bound_ns: int) -> float | None:
        if self.shortest_round_trip_ns is None:
            return None
        return bound_ns / max(1.0, self.worst_error_ns + self.shortest_round_trip_ns / 2)

    @property
    def holds(self) -> bool:
        """True when every hard interval held and the statistical ones kept their confidence."""
        return (
            self.hard_outside == 0
            and self.statistical_containment >= self.confidence
            and self.statistical_wider == 0
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a JSON line."""
        return asdict(self) | {
            "hard_containment": self.hard_containment,
            "statistical_containment": self.statistical_containment,
            "tightness": None if self.tightness is None else round(self.tightness, 3),
            "worst_tightness": (
                None if self.worst_tightness is None else round(self.worst_tightness, 3)
            ),
            "holds": self.holds,
        }


class Audit:
    """Takes samples in, one at a time, and sums them up."""

    def __init__(self, name: str = "audit", confidence: float = CONFIDENCE) -> None:
        self.name = name
        self.confidence = confidence
        self._statuses: Counter[Status] = Counter()
        self._hard_outside = self._worst_outside_ns = 0
        self._statistical_outside = self._statistical_wider = 0
        self._worst_error_ns = 0
        self._blind = self._blind_outside = self._blind_outside_ns = 0
        self._hard = array("q")
        self._likely = array("q")

    def add(
        self,
        instant: Instant,
        truth_ns: int,
        likely: tuple[int, int] | None = None,
        *,
        blind: bool = False,
    ) -> None:
        """One sample: what a reader saw, what was true, and the statistical interval if any."""
        status = instant.status
        estimate, earliest, latest = instant.estimate_ns, instant.earliest_ns, instant.latest_ns
        outside_ns = max(0, earliest - truth_ns, truth_ns - latest)
        if blind:
            self._blind += 1
            if outside_ns and instant.promised:
                self._blind_outside += 1
                self._blind_outside_ns = max(self._blind_outside_ns, outside_ns)
            return
        self._statuses[status] += 1
        if status is not Status.SYNCHRONIZED and status is not Status.HOLDOVER:
            return
        if outside_ns:
            self._hard_outside += 1
            self._worst_outside_ns = max(self._worst_outside_ns, outside_ns)
        error_ns = abs(estimate - truth_ns)
        if error_ns > self._worst_error_ns:
            self._worst_error_ns = error_ns
        self._hard.append(min(UNBOUNDED_NS, max(estimate - earliest, latest - estimate)))
        if likely is not None:
            low, high = likely
            if not low <= truth_ns <= high:
                self._statistical_outside += 1
            if low < earliest or high > latest:
                self._statistical_wider += 1
            self._likely.append(max(estimate - low, high - estimate))

    def report(self, shortest_round_trip_ns: int | None = None) -> Report:
        """The sum of all samples so far."""
        hard, likely = sorted(self._hard), sorted(self._likely)
        counted = self._statuses
        return Report(
            name=self.name,
            samples=counted.total() + self._blind,
            promised=len(hard),
            holdover=counted[Status.HOLDOVER],
            disrupted=counted[Status.DISRUPTED],
            unsynchronized=counted[Status.UNSYNCHRONIZED],
            hard_outside=self._hard_outside,
            worst_outside_ns=self._worst_outside_ns,
            statistical=len(likely),
            statistical_outside=self._statistical_outside,
            statistical_wider=self._statistical_wider,
            confidence=self.confidence,
            worst_error_ns=self._worst_error_ns,
            hard_bound_median_ns=_rank(hard, 0.5),
            hard_bound_p99_ns=_rank(hard, 0.99),
            hard_bound_worst_ns=_rank(hard, 1.0),
            statistical_bound_median_ns=_rank(likely, 0.5),
            statistical_bound_worst_ns=_rank(likely, 1.0),
            blind=self._blind,
            blind_outside=self._blind_outside,
            blind_outside_ns=self._blind_outside_ns,
            shortest_round_trip_ns=shortest_round_trip_ns,
        )


def _rank(ordered: Sequence[int], share: float) -> int:
    """The value that ``share`` of all do not exceed; 0 without values."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


_COLUMNS = (
    ("scenario", lambda r: r.name),
    ("promised", lambda r: f"{r.promised:,}"),
    ("hard", lambda r: _share(r.hard_containment, r.hard_outside)),
    ("statistical", lambda r: _share(r.statistical_containment, r.statistical_outside)),
    ("hard bound p50", lambda r: format_duration(r.hard_bound_median_ns)),
    ("worst", lambda r: format_duration(r.hard_bound_worst_ns)),
    ("statistical p50", lambda r: format_duration(r.statistical_bound_median_ns)),
    ("worst error", lambda r: format_duration(r.worst_error_ns)),
    ("tightness", lambda r: "-" if r.tightness is None else f"{r.tightness:.2f}"),
    ("no promise", lambda r: f"{r.disrupted + r.unsynchronized:,}"),
    ("blind, off by", lambda r: _blind(r)),
)


def _share(share: float, outside: int) -> str:
    """100 % only when it is that."""
    if outside == 0:
        return "100 %"
    return f"{min(share, 0.9999999) * 100:.5f} %"


def _blind(report: Report) -> str:
    if not report.blind:
        return "-"
    return f"{report.blind_outside:,} of {report.blind:,}, " + format_duration(
        report.blind_outside_ns
    )


def format_table(reports: Iterable[Report]) -> str:
    """The reports as a Markdown table, one row each, aligned for a terminal too."""
    rows = [[title for title, _ in _COLUMNS]]
    rows += [[cell(report) for _, cell in _COLUMNS] for report in reports]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
