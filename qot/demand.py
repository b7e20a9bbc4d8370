"""How often a timeline must be exchanged: from the demand, in closed form. Pure; reads no clock.

Right after an exchange the hard error is ε0 (about half its round trip, and the granularity of
reads); from then on it grows by ρ. It stays within an accuracy α while exchanges are at most

    R = (α - ε0) / ρ

apart. Two kinds of exchange are at hand: a single one, which finds both processes asleep (cold),
and a pair 0.5 ms apart, of which the second is quick (warm). A pair costs twice and pays when α is
near the round trip. The cheaper one that meets the demand is taken, at the longest period.

Tightening is at once, since a promise is at stake. Relaxing waits until it saves a fifth, lest a
noisy ε0 moves the rate to and fro. See docs/quality_of_time.md, "Demand sets the rate".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from qot.clock import SECOND_NS

RESERVE_NS = 300_000_000
"""How much of a long interval is kept for a lost exchange and those that repeat it."""
RELAX_PERCENT = 25
"""The present pace must cost this much more than the wanted one before the rate relaxes."""
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the exchanges of a timeline give at present.

    cold_ns, warm_ns: the hard error right after a single exchange, and after the second of a pair.
    growth_ppb: how fast the hard error grows between exchanges.
    """

    cold_ns: int
    warm_ns: int
    growth_ppb: int

    def fresh_ns(self, paired: bool) -> int:
        """ε0 of that kind of exchange."""
        return self.warm_ns if paired else self.cold_ns


@dataclass(frozen=True, slots=True)
class Pace:
    """How often at least, and whether in pairs."""

    period_ns: int
    paired: bool

    @property
    def exchanges_per_hour(self) -> float:
        """The cost."""
        return 3600 * SECOND_NS * (2 if self.paired else 1) / self.period_ns


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """What a pace may be. pairs_only: never single exchanges, for the sake of a good estimate."""

    shortest_ns: int = 20_000_000
    longest_ns: int = 64 * SECOND_NS
    pairs_only: bool = False

    @property
    def kinds(self) -> tuple[bool, ...]:
        """The values that Pace.paired may have."""
        return (True,) if self.pairs_only else (False, True)


def longest_interval_ns(accuracy_ns: int, fresh_ns: int, growth_ppb: int) -> int | None:
    """R = (α - ε0) / ρ, rounded down; None: it never grows beyond. Negative: it can't be met."""
    if growth_ppb <= 0 and accuracy_ns >= fresh_ns:
        return None
    return (accuracy_ns - fresh_ns) * SECOND_NS // max(1, growth_ppb)


def spacing_ns(period_ns: int) -> int:
    """How far apart two answers may be at a period, when one exchange is lost and repeated."""
    return period_ns + min(-(-period_ns // 8), RESERVE_NS)


def period_within_ns(interval_ns: int) -> int:
    """The longest period, to some ns, whose :func:`spacing_ns` is within an interval; 0 or more."""
    return max(0, interval_ns * 8 // 9 - 1, interval_ns - RESERVE_NS)


def best_accuracy_ns(delivered: Delivered, limits: PaceLimits) -> int:
    """The tightest accuracy that the shortest period can hold."""
    apart_ns = spacing_ns(limits.shortest_ns)
    grown_ns = -(-max(0, delivered.growth_ppb) * apart_ns // SECOND_NS)
    return min(delivered.fresh_ns(paired) for paired in limits.kinds) + grown_ns


def slowest_pace(
    accuracy_ns: int, delivered: Delivered, limits: PaceLimits, paired: bool
) -> Pace | None:
    """The longest period of one kind that holds an accuracy; None when even the shortest fails."""
    interval = longest_interval_ns(accuracy_ns, delivered.fresh_ns(paired), delivered.growth_ppb)
    if interval is None:
        return Pace(limits.longest_ns, paired)
    if interval < spacing_ns(limits.shortest_ns):
        return None
    period_ns = max(limits.shortest_ns, min(limits.longest_ns, period_within_ns(interval)))
    return Pace(period_ns, paired)


def cheapest_pace(accuracy_ns: int | None, delivered: Delivered, limits: PaceLimits) -> Pace:
    """The pace with the fewest exchanges that holds an accuracy (None: nothing is demanded).

    Of an accuracy that can't be held the best is made, short of asking in vain: what is added by
    growth is then a quarter of what a fresh exchange has.
    """
    if accuracy_ns is None:
        return Pace(limits.longest_ns, limits.pairs_only)
    found = [slowest_pace(accuracy_ns, delivered, limits, paired) for paired in limits.kinds]
    holding = [pace for pace in found if pace is not None]
    if holding:
        return min(holding, key=lambda pace: (pace.exchanges_per_hour, pace.paired))
    quarter_ns = delivered.warm_ns // 4 * SECOND_NS // max(1, delivered.growth_ppb)
    return Pace(max(limits.shortest_ns, min(limits.longest_ns, quarter_ns)), True)


def next_pace(
    present: Pace | None, accuracy_ns: int | None, delivered: Delivered, limits: PaceLimits
) -> Pace:
    """The pace to take, given the present one. None as the present: the demand changed just now."""
    wanted = cheapest_pace(accuracy_ns, delivered, limits)
    if present is None or accuracy_ns is None:
        return wanted
    slowest = slowest_pace(accuracy_ns, delivered, limits, present.paired)
    if slowest is None or slowest.period_ns < present.period_ns:
        return wanted
    relaxed = 100 * present.exchanges_per_hour >= (100 + RELAX_PERCENT) * wanted.exchanges_per_hour
    at_the_end = wanted.period_ns == limits.longest_ns and wanted != present
    return wanted if relaxed or at_the_end else present


class Deliveries:
    """Remembers what the last exchanges gave, and sums it up as a :class:`Delivered`.

    The upper quartile stands for each figure: a pace that half of the exchanges disappoint would
    have to be mended all the time, and the worst of them is an accident.
    """

    def __init__(self) -> None:
        self._cold: deque[int] = deque(maxlen=_REMEMBERED)
        self._warm: deque[int] = deque(maxlen=_REMEMBERED)
        self._growth: deque[int] = deque(maxlen=_REMEMBERED)

    def add(self, error_ns: int, growth_ppb: int, *, warm: bool) -> None:
        """An exchange came in and left this error, growing so fast."""
        (self._warm if warm else self._cold).append(error_ns)
        self._growth.append(growth_ppb)

    def clear(self) -> None:
        """Another reference, another path: what was measured says nothing of it."""
        for figures in (self._cold, self._warm, self._growth):
            figures.clear()

    @property
    def count(self) -> int:
        return len(self._cold) + len(self._warm)

    def summary(self) -> Delivered | None:
        """None before the first exchange. A kind that was never seen counts as the other."""
        if not self._growth:
            return None
        return Delivered(
            _quartile(self._cold or self._warm),
            _quartile(self._warm or self._cold),
            _quartile(self._growth),
        )


def _quartile(figures: deque[int]) -> int:
    return sorted(figures)[len(figures) * 3 // 4]
