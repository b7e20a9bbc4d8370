"""Timetable synthesis: the instant of every time-triggered stage, as early as is safe.

Offsets follow DESIGN rule 7 (:mod:`scheduler.timetable_problem`), stage by stage in topological
order. Stages of one node must not overlap, modulo the period, beyond its cores: a stage is pushed
later until it fits. Where that leaves the free time in pieces too small, a second try puts every
stage next to another one. An author's own offset is kept and checked. Time-triggered stages that
jobs enter by share one offset as far as their nodes allow it, because sampling at the same instant
is what they are for.

Event-triggered stages get no slot. Their worst case counts in the chains, their load in the
utilisation of their node; that they wait for each other there is not modelled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from jupiter.app import HOME, App
from jupiter.timetable import Slot, Timetable
from scheduler.period_calendar import PeriodCalendar
from scheduler.timetable_errors import (
    Failure,
    check_deadlines,
    check_load,
    explicit_too_early,
    failed,
    failed_always,
)
from scheduler.timetable_load import least_period_ns
from scheduler.timetable_problem import TimetableProblem, Transfers
from scheduler.timing_chains import Chain, chains, safe_offset_ns

AUTHOR = "set by the author"


def synthesise(
    app: App,
    placement: Mapping[str, str],
    budgets_ns: Mapping[str, int],
    transfer_ns: Transfers,
    late_ns: Mapping[str, int],
    early_ns: Mapping[str, int],
    wake_lateness_ns: Mapping[str, int],
    drift_ppb: int = 50_000,
    *,
    cores: Mapping[str, float] | None = None,
    lead_ns: int = 0,
) -> Timetable:
    """The timetable of a periodic app; see TimetableProblem for the arguments.

    Raises InputError that says which stage or node can't be served, by how much, and the shortest
    period found that works (or that no period does).
    """
    return solve(
        TimetableProblem(
            app=app,
            placement=placement,
            budgets_ns=budgets_ns,
            transfer_ns=transfer_ns,
            late_ns=late_ns,
            early_ns=early_ns,
            wake_lateness_ns=wake_lateness_ns,
            drift_ppb=drift_ppb,
            cores=cores,
            lead_ns=lead_ns,
        )
    )


def solve(problem: TimetableProblem) -> Timetable:
    """As :func:`synthesise`."""
    plan = _Plan(problem)
    period = problem.timing.period_ns
    plan.check_explicit()
    check_load(problem, period, plan.shortest_period_ns)
    offsets = plan.offsets(period)
    if isinstance(offsets, Failure):
        raise failed(problem, offsets, period, plan.shortest_period_ns())
    check_deadlines(problem, offsets, plan.chains)
    slots = {name: plan.slot(name, offsets) for name in problem.timed}
    return Timetable(timeline=problem.timing.timeline, period_ns=period, slots=slots)


class _Plan:
    """What does not depend on the period, and the search over it."""

    def __init__(self, problem: TimetableProblem) -> None:
        self.problem = problem
        self.chains = chains(problem)
        tasks = problem.app.tasks
        self._explicit = {
            name: offset
            for name in problem.timed
            if (offset := tasks[name].timing.offset_ns) is not None
        }
        self._together = [
            name
            for name in problem.timed
            if problem.parents[name] == (HOME,) and name not in self._explicit
        ]

    def offsets(self, period_ns: int) -> dict[str, int] | Failure:
        """Task → offset for that period, or what stood in the way."""
        found = self._attempt(period_ns, PeriodCalendar.earliest_ns)
        if isinstance(found, Failure):
            found = self._attempt(period_ns, PeriodCalendar.snug_ns)
        return found

    def _attempt(
        self,
        period_ns: int,
        search: Callable[[PeriodCalendar, int, int, int], int | None],
    ) -> dict[str, int] | Failure:
        problem = self.problem
        calendars: dict[str, PeriodCalendar] = {}
        for name in problem.timed:
            node = problem.node(name)
            if node not in calendars:
                have = math.floor(problem.cores_of(node) * 1000)
                calendars[node] = PeriodCalendar(period_ns, have)
        for name, offset in self._explicit.items():
            calendar, window, demand = self._needs(name, calendars)
            if window > period_ns or not calendar.fits(offset, window, demand):
                return Failure(name)
            calendar.reserve(offset, window, demand)
        offsets: dict[str, int] = {HOME: -problem.lead_ns}
        common = max((self._least(name, offsets)[0] for name in self._together), default=0)
        for name in problem.timed:
            least = common if name in self._together else self._least(name, offsets)[0]
            if name in self._explicit:
                if self._explicit[name] < least:
                    return Failure(name, too_early_ns=least - self._explicit[name])
                offsets[name] = self._explicit[name]
                continue
            calendar, window, demand = self._needs(name, calendars)
            at = search(calendar, least, window, demand) if window <= period_ns else None
            if at is None:
                return Failure(name)
            calendar.reserve(at, window, demand)
            offsets[name] = at
        return offsets

    def _needs(
        self, task: str, calendars: Mapping[str, PeriodCalendar]
    ) -> tuple[PeriodCalendar, int, int]:
        problem = self.problem
        demand = math.ceil(problem.app.tasks[task].cores * 1000)
        return calendars[problem.node(task)], problem.window_ns(task), demand

    def _least(self, task: str, offsets: Mapping[str, int]) -> tuple[int, Chain | None]:
        """The least safe offset of a task, 0 at least, and the chain that decides it."""
        least, deciding = 0, None
        for chain in self.chains[task]:
            safe = safe_offset_ns(self.problem, task, chain, offsets[chain.anchor])
            if safe > least or (safe == least and deciding is None):
                least, deciding = safe, chain
        return least, deciding

    def check_explicit(self) -> None:
        """Judge the author's offsets as if every period would do. Raises InputError."""
        offsets: dict[str, int] = {HOME: -self.problem.lead_ns}
        for name in self.problem.timed:
            least, chain = self._least(name, offsets)
            offset = self._explicit.get(name, least)
            if offset < least and chain is not None:
                raise explicit_too_early(self.problem, name, chain.parent, offset, least)
            offsets[name] = offset

    def shortest_period_ns(self) -> int:
        """The shortest period found for which :meth:`offsets` succeeds.

        It is the bound of the longest stage and the busiest node, or found by bisection above it.
        Raises InputError when the author's offsets rule out every period.
        """
        least = least_period_ns(self.problem)
        high = least
        ends = [at + self.problem.window_ns(name) for name, at in self._explicit.items()]
        serial = sum(self.problem.window_ns(name) for name in self.problem.timed)
        enough = max(ends, default=0) + serial + len(self.problem.timed) * least + 1
        while isinstance(failure := self.offsets(high), Failure):
            if high > enough:
                raise failed_always(self.problem, failure, self._explicit)
            high *= 2
        low = least - 1 if high == least else high // 2
        while high - low > 1:
            middle = (low + high) // 2
            if isinstance(self.offsets(middle), Failure):
                low = middle
            else:
                high = middle
        return high

    def slot(self, task: str, offsets: Mapping[str, int]) -> Slot:
        """A task's slot, with its guard and the reason for its offset."""
        problem = self.problem
        least, chain = self._least(task, offsets)
        offset = offsets[task]
        if task in self._explicit:
            why = AUTHOR
        elif task in self._together and offset > least:
            others = [name for name in self._together if name != task and offsets[name] == offset]
            why = (
                f"together with {', '.join(others)}" if others else f"{problem.node(task)} is busy"
            )
        elif offset > least:
            why = f"{problem.node(task)} is busy"
        else:
            why = chain.parent if chain is not None else ""
        due = [offsets[each.anchor] + each.work_ns for each in self.chains[task]]
        return Slot(
            task=task,
            node=problem.node(task),
            offset_ns=offset,
            budget_ns=problem.budget_ns(task),
            guard_ns=offset - max(due) if due else 0,
            why=why,
        )
