"""When a time-triggered stage fires, and what happens when its inputs are not there. Pure.

Job k's instant at a stage is ``start + k * period + offset`` on the timeline. Instants are armed
one after the other, whether inputs came or not; a node that was down goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from jupiter.app import LatePolicy
from jupiter.events import Firing, Stamp
from jupiter.timetable import Timetable

ON_TIME = "on_time"
LATE = "late"
MISSED_INPUT = "missed_input"
INVALID = "invalid"

_PROMISED = ("synchronized", "holdover")
"""In holdover the bound grows, and holds."""

MISSED = "its inputs were missing at its instant"
DOWN = "its node was down at its instant"


class Woke(msgspec.Struct):
    """What the wait returned: the Instant at wake-up, and how late the operating system was."""

    stamp: Stamp
    late_ns: int
    status: str


@dataclass(frozen=True, slots=True)
class PendingFiring:
    """An instant that passed without inputs; the stage runs when they come, marked late."""

    planned_ns: int
    status: str

    def at(self, stamp: Stamp) -> Firing:
        return Firing(
            planned_ns=self.planned_ns, woke=stamp, late_ns=0, verdict=LATE, status=self.status
        )


@dataclass(slots=True)
class Decision:
    """run: start now with ``firing``, taking ``held`` for missing parents.

    fail: why the job ends here. Neither: the instance waits on.
    """

    run: bool = False
    fail: str = ""
    firing: Firing | None = None
    held: dict[str, Any] = field(default_factory=dict)
    release_ns: int = 0
    warning: str = ""


class TimeTrigger:
    """The timed stages of one node.

    policies: stage → late policy. jobs: how many instants each stage has; accuracy_ns: the largest
    one-sided error a valid firing may have.
    """

    def __init__(
        self,
        timetable: Timetable,
        *,
        start_ns: int,
        jobs: int,
        accuracy_ns: int,
        policies: dict[str, str],
        job_of: Callable[[int], str],
    ) -> None:
        self._timetable = timetable
        self._start_ns = start_ns
        self._jobs = jobs
        self._accuracy_ns = accuracy_ns
        self._policies = {task: LatePolicy(policy) for task, policy in policies.items()}
        self._pending: dict[tuple[str, int], PendingFiring] = {}
        self._skipped: set[tuple[str, int]] = set()
        self._complete: dict[str, dict[int, dict[str, Any]]] = {}
        """Stage that holds → job → its complete inputs: the newest before the next instant, and
        those of later jobs that came early."""
        self._first_index: dict[str, int] = {}
        """Instants before this one passed while the node was down."""
        self.job_of = job_of

    def instant_ns(self, task: str, index: int) -> int:
        offset_ns = self._timetable.slots[task].offset_ns
        return self._start_ns + index * self._timetable.period_ns + offset_ns

    def first(self, now_ns: int) -> Iterator[tuple[str, int, int]]:
        """(task, index, instant) of the first instant of each stage that is not past."""
        for task in self._policies:
            behind_ns = now_ns - self.instant_ns(task, 0)
            index = max(0, -(-behind_ns // self._timetable.period_ns))
            self._first_index[task] = index
            if index < self._jobs:
                yield task, index, self.instant_ns(task, index)

    def after(self, task: str, index: int) -> tuple[int, int] | None:
        """(index, instant) that follows, or None after the last job."""
        following = index + 1
        if following >= self._jobs:
            return None
        return following, self.instant_ns(task, following)

    def is_event_triggered(self, task: str) -> bool:
        """A stage whose policy made it fall back to its inputs alone."""
        return task not in self._policies

    def remember(self, task: str, index: int, arrived: dict[str, Any]) -> None:
        """Keep the complete inputs of a stage that may have to hold them for a later job."""
        if self._policies.get(task) is LatePolicy.HOLD_LAST:
            self._complete.setdefault(task, {})[index] = dict(arrived)

    def _held(self, task: str, index: int) -> dict[str, Any] | None:
        """The inputs of the newest job before ``index`` that had all of them."""
        complete = self._complete.get(task, {})
        earlier = max((known for known in complete if known < index), default=None)
        return None if earlier is None else complete[earlier]

    def _drop_older(self, task: str, index: int) -> None:
        """Job ``index`` is decided: of it and those before, only the newest may be held again."""
        complete = self._complete.get(task, {})
        for known in sorted(known for known in complete if known <= index)[:-1]:
            del complete[known]

    def forget(self, below: int) -> None:
        """Every job with an index under ``below`` has ended."""
        self._pending = {key: value for key, value in self._pending.items() if key[1] >= below}
        self._skipped = {key for key in self._skipped if key[1] >= below}

    def completed(self, task: str, index: int) -> PendingFiring | None:
        """The inputs are complete now: was the instant already past?"""
        if index < self._first_index.get(task, 0):
            return PendingFiring(self.instant_ns(task, index), "down")
        return self._pending.pop((task, index), None)

    def why_skipped(self, task: str, index: int) -> str:
        """Why this instant passed for good by a policy that gives the job up; else nothing."""
        if (task, index) in self._skipped:
            return MISSED
        gives_up = self._policies.get(task) in (LatePolicy.SKIP, LatePolicy.HOLD_LAST)
        return DOWN if gives_up and index < self._first_index.get(task, 0) else ""

    def decide(self, task: str, index: int, woke: Woke, *, missing: bool) -> Decision:
        """The instant came: run, wait on, or give up."""
        planned_ns = self.instant_ns(task, index)
        release_ns = self._start_ns + index * self._timetable.period_ns
        held = self._held(task, index)
        self._drop_older(task, index)
        if not missing:
            firing = Firing(
                planned_ns=planned_ns,
                woke=woke.stamp,
                late_ns=woke.late_ns,
                verdict=self._verdict(planned_ns, woke),
                status=woke.status,
            )
            return Decision(run=True, firing=firing, release_ns=release_ns)
        policy = self._policies[task]
        if policy is LatePolicy.HOLD_LAST and held is not None:
            firing = Firing(
                planned_ns=planned_ns,
                woke=woke.stamp,
                late_ns=woke.late_ns,
                verdict=MISSED_INPUT,
                status=woke.status,
            )
            return Decision(run=True, firing=firing, held=held, release_ns=release_ns)
        if policy in (LatePolicy.SKIP, LatePolicy.HOLD_LAST):
            self._skipped.add((task, index))
            return Decision(fail=MISSED)
        self._pending[(task, index)] = PendingFiring(planned_ns, woke.status)
        if policy is LatePolicy.EVENT:
            del self._policies[task]
            return Decision(
                warning=f"{task} missed its inputs at job {index}; by them it runs from now on"
            )
        return Decision()

    def _verdict(self, planned_ns: int, woke: Woke) -> str:
        stamp = woke.stamp
        bound_ns = max(stamp.latest_ns - stamp.estimate_ns, stamp.estimate_ns - stamp.earliest_ns)
        if woke.status not in _PROMISED or bound_ns > self._accuracy_ns:
            return INVALID
        if stamp.estimate_ns - planned_ns > self._accuracy_ns:
            return LATE
        return ON_TIME
