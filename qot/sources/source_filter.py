"""The brain of a node that follows a source: readings in, clock parameters out. Pure.

Bound, estimate, slewing, holdover and disruption are :class:`qot.clock_filter.ClockFilter`'s, to
which each reading is told as an exchange. What is added here is what only sources have:

* A source that says it does not know the time takes back its promise: unsynchronized.
* A source that measured nothing for long is in holdover, however readily it answers.
* **A step of CLOCK_REALTIME.** The page runs on CLOCK_MONOTONIC and is not touched by it. But the
  source may not have noticed: a free-running chronyd takes a small step for a wrong server and
  goes on for minutes with a correction that is wrong by the step. Until it has certainly noticed,
  either its word is right or it is right once the step is taken off, or anything in between: the
  interval is made to hold all of that. What is known from before usually rules one of them out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from qot.clock import SECOND_NS
from qot.clock_filter import ClockFilter, FilterConfig, Tick
from qot.instant import Status
from qot.params import ClockParams
from qot.sources.base import Reading


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Steps that the source may not know of: lowest and highest sum, and since which update.

    updates_left: after so many more of its measurements it knows for certain. learning: it has
    measured since, so it may be anywhere between knowing nothing and knowing all.
    """

    step_ns: tuple[int, int]
    update: int | None
    updates_left: int
    learning: bool = False


class SourceFilter:
    """``handle(event, now) -> parameters``.

    settle_updates: as :class:`qot.sources.base.TimeSource` has it.
    """

    def __init__(self, config: FilterConfig, settle_updates: int) -> None:
        self._filter = ClockFilter(config)
        self._settle_updates = settle_updates
        self._doubt: _Doubt | None = None
        self._word = Status.SYNCHRONIZED
        self._update: int | None = None
        self._params: ClockParams | None = None
        self.steps = 0
        """How often CLOCK_REALTIME was found stepped."""
        self.believed = 0
        """How many readings the bound and the estimate are made of."""

    @property
    def contradictions(self) -> int:
        """How often a reading contradicted the stated drift limit."""
        return self._filter.contradictions

    @property
    def doubtful(self) -> bool:
        """True while the source may not know of a step of CLOCK_REALTIME."""
        return self._doubt is not None

    def handle(self, event: Reading | Tick, now_ns: int) -> ClockParams:
        """Take in what happened; ``now_ns`` is the core time, not before the reading's end."""
        told: Reading | None = None
        if isinstance(event, Reading):
            told = self._judge(event)
        if told is None:
            params = self._filter.handle(Tick(), now_ns)
        else:
            self.believed += 1
            params = self._filter.handle(told.sample(), now_ns)
        self._params = self._with_word(params)
        return self._params

    def _with_word(self, params: ClockParams) -> ClockParams:
        """The parameters, at no better a status than the source's own word."""
        if self._word is Status.UNSYNCHRONIZED:
            return replace(params, status=Status.UNSYNCHRONIZED)
        if self._word is Status.HOLDOVER and params.status is Status.SYNCHRONIZED:
            return replace(params, status=Status.HOLDOVER)
        return params

    def _judge(self, reading: Reading) -> Reading | None:
        """The reading as it may be believed; None when it says nothing."""
        if reading.step_ns != (0, 0):
            self.steps += 1
            low, high = (0, 0) if self._doubt is None else self._doubt.step_ns
            total = low + reading.step_ns[0], high + reading.step_ns[1]
            self._doubt = _Doubt(total, self._update, self._settle_updates)
        self._word = reading.status
        if reading.status is not Status.SYNCHRONIZED:
            return None
        self._update = reading.update
        self._age_doubt(reading.update)
        return reading if self._doubt is None else self._doubted(reading, self._doubt)

    def _age_doubt(self, update: int) -> None:
        """Each measurement of the source's own brings it nearer to knowing of the step."""
        doubt = self._doubt
        if doubt is None or doubt.update == update:
            return
        left = doubt.updates_left - 1
        self._doubt = _Doubt(doubt.step_ns, update, left, True) if left > 0 else None

    def _doubted(self, reading: Reading, doubt: _Doubt) -> Reading:
        """The reading, with an interval that holds whatever the source knows of the step."""
        low, high = doubt.step_ns
        unaware = replace(
            reading, earliest_ns=reading.earliest_ns - high, latest_ns=reading.latest_ns - low
        )
        if not doubt.learning:  # It is exactly one or the other.
            if not self._possible(reading):
                return unaware
            if not self._possible(unaware):
                self._doubt = None
                return reading
        return replace(
            reading,
            earliest_ns=min(reading.earliest_ns, unaware.earliest_ns),
            latest_ns=max(reading.latest_ns, unaware.latest_ns),
        )

    def _possible(self, reading: Reading) -> bool:
        """Does the interval touch the one that was promised? True when nothing was."""
        params = self._params
        if params is None or not params.bounded or not params.instant_at(reading.end_ns).promised:
            return True
        earliest_ns = params.interval_at(reading.begin_ns)[1]
        latest_ns = params.interval_at(reading.end_ns)[2]
        slack_ns = reading.drift_ppb * (reading.end_ns - reading.begin_ns) // SECOND_NS + 1
        return (
            reading.earliest_ns <= latest_ns + slack_ns
            and reading.latest_ns + slack_ns >= earliest_ns
        )
