"""Asks a source and says what its answer means for the node's core clock.

A report says how wrong CLOCK_REALTIME is; CLOCK_REALTIME is looked at just before and just after
the question, so that a step in between is noticed and the question put again. The hard interval is

    CLOCK_REALTIME + correction ± ( error + growth × age of the measurement + drift × time asked )

The age that a source states is taken for what it is worth: it can't be more than the time since an
earlier report of another measurement, by our own clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qot.clock import SECOND_NS, Clock
from qot.hard_bound import relative_drift_ppb
from qot.instant import Status
from qot.sources.base import Reading, Report, TimeSource
from qot.sources.errors import SourceSteppedError
from qot.sources.wall_clock import StepWatch, WallStamp, take_stamp

_TRIES = 3
STALE_INTERVALS = 8
"""A source whose last measurement is as old as this many of its intervals has lost its own."""


class SourceProbe:
    """One source, read for one core clock. Not thread-safe.

    reference_max_drift_ppb: the stated limit of the timeline's own rate error.
    stale_after_ns: the least age of a source's last measurement that makes its word holdover.
    An emulated core clock's drift limit must hold for CLOCK_MONOTONIC too.
    """

    def __init__(
        self,
        source: TimeSource,
        clock: Clock,
        reference_max_drift_ppb: int,
        stale_after_ns: int = 5 * SECOND_NS,
        stamp: Callable[[], WallStamp] = take_stamp,
    ) -> None:
        self.source = source
        self.drift_ppb = source.slew_ppb + relative_drift_ppb(
            clock.max_drift_ppb, reference_max_drift_ppb
        )
        self._clock = clock
        self._stale_after_ns = stale_after_ns
        self._stamp = stamp
        self._steps = StepWatch()
        self._step_ns = (0, 0)
        self._update: int | None = None
        self._not_before_ns: int | None = None
        self._asked_ns = 0

    def poll(self) -> Reading:
        """Ask once. Blocks as long as the source may. Raises SourceError.

        A step that was noticed while no reading came of it is told with the next one.
        """
        for _ in range(_TRIES):
            before = self._look()[0]
            report = self.source.ask(before.realtime_ns, self.drift_ppb)
            after, stepped = self._look()
            if not stepped:
                return self._reading(report, before, after)
        raise SourceSteppedError(
            f"CLOCK_REALTIME was stepped during {_TRIES} questions in a row to {self.source.name}: "
            "find the program that sets it and stop one of the two"
        )

    def close(self) -> None:
        self.source.close()

    def _look(self) -> tuple[WallStamp, bool]:
        """A stamp, and whether CLOCK_REALTIME stepped before it; the step is kept for telling."""
        stamp = self._stamp()
        low, high = self._steps.see(stamp)
        self._step_ns = self._step_ns[0] + low, self._step_ns[1] + high
        return stamp, (low, high) != (0, 0)

    def _reading(self, report: Report, before: WallStamp, after: WallStamp) -> Reading:
        asked_ns = after.after_ns - before.before_ns
        report = self._with_own_age(report, before, after)
        error_ns = report.error_ns + _grown(report.age_growth_ppb, report.age_ns)
        error_ns += _grown(self.drift_ppb, asked_ns)
        middle_ns = after.realtime_ns + report.correction_ns
        step_ns, self._step_ns = self._step_ns, (0, 0)
        return Reading(
            status=report.status,
            begin_ns=self._clock.from_monotonic_ns(after.before_ns),
            end_ns=self._clock.from_monotonic_ns(after.after_ns),
            earliest_ns=middle_ns - error_ns,
            latest_ns=middle_ns + error_ns,
            drift_ppb=self.drift_ppb,
            update=report.update,
            step_ns=step_ns,
        )

    def _with_own_age(self, report: Report, before: WallStamp, after: WallStamp) -> Report:
        """The report with the least age that is certain, and the status that goes with it."""
        if report.status is not Status.SYNCHRONIZED:
            return report
        if report.update != self._update:
            known = self._update is not None
            self._update = report.update
            self._not_before_ns = self._asked_ns if known else None
        self._asked_ns = before.before_ns
        age_ns = report.age_ns + after.after_ns - before.before_ns
        if self._not_before_ns is not None:
            age_ns = min(age_ns, after.after_ns - self._not_before_ns)
        limit_ns = max(self._stale_after_ns, STALE_INTERVALS * report.interval_ns)
        status = Status.HOLDOVER if age_ns > limit_ns else report.status
        return replace(report, age_ns=age_ns, status=status)


def _grown(rate_ppb: int, time_ns: int) -> int:
    """What a rate comes to in a time, rounded up."""
    return -(-rate_ppb * time_ns // SECOND_NS)
