"""Instant: a point on a timeline, the interval that holds the truth, and what that is worth.

Plain immutable arithmetic on integer nanoseconds; no clock is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

UNBOUNDED_NS = 1 << 60
"""Stands for "no bound is known" in an interval (36 years)."""


class Status(StrEnum):
    """What the interval of an Instant is worth."""

    UNSYNCHRONIZED = "unsynchronized"
    """Never synchronised, or too long ago: use the estimate for nothing that matters."""
    SYNCHRONIZED = "synchronized"
    """The interval holds the truth, given the stated drift limits; it is being renewed."""
    HOLDOVER = "holdover"
    """As synchronized, but several renewals are missing: the interval holds and keeps growing."""
    DISRUPTED = "disrupted"
    """The measurements contradict the stated drift limits, or a clock stepped: no promise."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A point on a timeline. All in ns since the timeline's zero.

    The hard promise, unless status is unsynchronized or disrupted: the true timeline time lies in
    ``[earliest_ns, latest_ns]``. The two sides are kept apart, since they are rarely alike.
    """

    estimate_ns: int
    earliest_ns: int
    latest_ns: int
    status: Status

    @property
    def early_ns(self) -> int:
        """How far the truth may be before the estimate."""
        return self.estimate_ns - self.earliest_ns

    @property
    def late_ns(self) -> int:
        """How far the truth may be after the estimate."""
        return self.latest_ns - self.estimate_ns

    @property
    def error_ns(self) -> int:
        """The larger of the two sides: what an accuracy demand is compared with."""
        return max(self.early_ns, self.late_ns)

    @property
    def promised(self) -> bool:
        """True when the interval is a promise (synchronized or holdover)."""
        return self.status in (Status.SYNCHRONIZED, Status.HOLDOVER)

    def before(self, other: Instant) -> bool:
        """Certainly earlier than ``other``: the intervals don't touch."""
        return self.latest_ns < other.earliest_ns

    def after(self, other: Instant) -> bool:
        """Certainly later than ``other``."""
        return other.before(self)

    def concurrent(self, other: Instant) -> bool:
        """Nobody can say which of the two was first."""
        return not self.before(other) and not other.before(self)

    def contains(self, truth_ns: int) -> bool:
        """True when ``truth_ns`` lies in the interval; for audits that know the truth."""
        return self.earliest_ns <= truth_ns <= self.latest_ns

    def shifted(self, duration_ns: int) -> Instant:
        """The same interval, moved by an exact duration."""
        return Instant(
            self.estimate_ns + duration_ns,
            self.earliest_ns + duration_ns,
            self.latest_ns + duration_ns,
            self.status,
        )


_new = object.__new__
_set_estimate, _set_earliest, _set_latest, _set_status = (
    vars(Instant)[name].__set__ for name in Instant.__slots__
)


def make_instant(estimate_ns: int, earliest_ns: int, latest_ns: int, status: Status) -> Instant:
    """As ``Instant(...)``, in half the time: for the reading of clocks.

    A frozen dataclass looks up each field by name to fill it; this goes to its slots.
    """
    instant = _new(Instant)
    _set_estimate(instant, estimate_ns)
    _set_earliest(instant, earliest_ns)
    _set_latest(instant, latest_ns)
    _set_status(instant, status)
    return instant
