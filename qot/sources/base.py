"""What a time source is to this package: an interface, and two pure statements that it leads to.

A source (chronyd, ptp4l) knows by how much CLOCK_REALTIME is wrong: that is a :class:`Report`. A
:class:`Reading` is the same thing said of the node's core clock, with everything that a promise
needs: it is what :mod:`qot.sources.source_filter` turns into clock parameters.
:mod:`qot.sources.probe` makes the one from the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qot.clock import SECOND_NS
from qot.hard_bound import Sample
from qot.instant import Status


@dataclass(frozen=True, slots=True)
class Report:
    """What a source says about CLOCK_REALTIME at the moment of asking. Immutable, no clock read.

    status: synchronized, or unsynchronized when the source says that it does not know the time;
    then the other fields mean nothing. So they do with holdover: it has nothing new to say, and
    takes nothing back.
    correction_ns: what to add to CLOCK_REALTIME to get the timeline's time.
    error_ns: how wrong that may be, in either direction, but for the age of its measurement.
    age_ns: how long ago that was at most, UNBOUNDED_NS when it can't say. age_growth_ppb: how fast
    the error grows with it.
    interval_ns: how long the source usually takes from one measurement to the next.
    update: a number that changes with each measurement of the source, and not otherwise.
    """

    status: Status
    correction_ns: int = 0
    error_ns: int = 0
    age_ns: int = 0
    age_growth_ppb: int = 0
    interval_ns: int = 0
    update: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a timeline at one short stretch of the node's core clock. Immutable.

    Somewhere between the core times begin_ns and end_ns, which are a fraction of a microsecond
    apart, the timeline's time was in ``[earliest_ns, latest_ns]``: hard, given ``drift_ppb``, how
    fast timeline and core clock may part. update: as in :class:`Report`.
    step_ns: lowest and highest size of the step of CLOCK_REALTIME since the reading before.
    """

    status: Status
    begin_ns: int
    end_ns: int
    earliest_ns: int
    latest_ns: int
    drift_ppb: int
    update: int = 0
    step_ns: tuple[int, int] = (0, 0)

    @property
    def offset_ns(self) -> int:
        """Best guess of timeline - core."""
        return (self.earliest_ns + self.latest_ns - self.begin_ns - self.end_ns) // 2

    def error_at(self, core_ns: int) -> int:
        """How far timeline - core may be from ``offset_ns`` at a core time, in either direction."""
        half_ns = -((self.earliest_ns - self.latest_ns + self.begin_ns - self.end_ns) // 2) + 1
        away_ns = max(self.end_ns - core_ns, core_ns - self.begin_ns, 0)
        return half_ns - (-self.drift_ppb * away_ns // SECOND_NS)

    def sample(self) -> Sample:
        """The exchange that would have told exactly this: sent at begin, answered at end."""
        return Sample(self.begin_ns, self.latest_ns, self.earliest_ns, self.end_ns)


class TimeSource(Protocol):
    """Somebody who measures how wrong CLOCK_REALTIME is.

    name: for messages. slew_ppb: how fast it may steer CLOCK_MONOTONIC, 0 when it never touches
    the clock. settle_updates: after how many measurements of its own it has certainly understood
    that somebody else stepped CLOCK_REALTIME.
    """

    @property
    def name(self) -> str: ...

    @property
    def slew_ppb(self) -> int: ...

    @property
    def settle_updates(self) -> int: ...

    def ask(self, realtime_ns: int, drift_ppb: int) -> Report:
        """Its report, now. Blocks up to its own time limit. Raises SourceError.

        realtime_ns: CLOCK_REALTIME just before. drift_ppb: how fast core clock and timeline may
        part, for the age of what is reported.
        """

    def close(self) -> None:
        """Give its sockets back."""
