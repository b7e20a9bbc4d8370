"""Is a Timetable safe? An independent checker: it shares no code with the synthesis.

It walks every chain backwards from the stage that fires, and unfolds every node's windows over
three periods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jupiter.app import HOME, Trigger
from jupiter.timetable import Timetable
from scheduler.timetable_problem import TimetableProblem
from scheduler.verify import Violation

Parents = Mapping[str, tuple[str, ...]]


def timetable_violations(problem: TimetableProblem, timetable: Timetable) -> list[Violation]:
    """Every rule that the timetable breaks; an empty list means safe.

    slot: exactly the time-triggered tasks, each on its node, with the author's offset if there is
    one, at or after 0. budget: what the problem says. input: no stage fires before its inputs are
    certain to be there. capacity: windows on one node fit into its cores, modulo the period.
    deadline: the worst end keeps it. period, timeline: the app's.
    """
    found = _slots(problem, timetable)
    if found:
        return found
    parents = {name: problem.app.parents(name) for name in problem.app.tasks}
    return [
        *_inputs(problem, timetable, parents),
        *_capacity(problem, timetable),
        *_deadlines(problem, timetable, parents),
    ]


def _slots(problem: TimetableProblem, timetable: Timetable) -> list[Violation]:
    timing = problem.app.timing
    found = []
    if timing is None or timetable.period_ns != timing.period_ns:
        found.append(Violation("period", "timing", f"is {timetable.period_ns} ns"))
    if timing is None or timetable.timeline != timing.timeline:
        found.append(Violation("timeline", "timing", f"is {timetable.timeline!r}"))
    tasks = problem.app.tasks
    timed = {name for name, task in tasks.items() if task.trigger is Trigger.TIME}
    for name in sorted(timed ^ set(timetable.slots)):
        text = "has no slot" if name in timed else "has a slot and is not time-triggered"
        found.append(Violation("slot", name, text))
    for name in sorted(timed & set(timetable.slots)):
        slot, wanted = timetable.slots[name], tasks[name].timing
        if slot.task != name or slot.node != problem.placement[name]:
            found.append(Violation("slot", name, f"is {slot.task!r} on {slot.node!r}"))
        if slot.offset_ns < 0 or wanted.offset_ns not in (None, slot.offset_ns):
            found.append(Violation("slot", name, f"fires at {slot.offset_ns} ns"))
        if slot.budget_ns != _budget(problem, name):
            found.append(Violation("budget", name, f"is {slot.budget_ns} ns"))
    return found


def _budget(problem: TimetableProblem, task: str) -> int:
    given = problem.app.tasks[task].timing.budget_ns
    return problem.budgets_ns[task] if given is None else given


def _place(problem: TimetableProblem, task: str) -> str:
    return HOME if task == HOME else problem.placement[task]


def _ways_back(
    problem: TimetableProblem, timetable: Timetable, parents: Parents, task: str
) -> dict[str, int]:
    """Anchor → the longest true time from its instant until ``task`` has its inputs through it."""
    best: dict[str, int] = {}
    longest_to = {task: 0}
    for stage in _event_stages_above(timetable, parents, task):
        for parent in parents[stage]:
            hop = problem.transfer(parent, stage)
            if hop is None:
                continue
            way = longest_to[stage] + hop + problem.wake_lateness_ns[_place(problem, parent)]
            way += 0 if parent == HOME else _budget(problem, parent)
            target = best if parent == HOME or parent in timetable.slots else longest_to
            target[parent] = max(way, target.get(parent, 0))
    return best


def _event_stages_above(timetable: Timetable, parents: Parents, task: str) -> Iterator[str]:
    """``task`` and the event-triggered stages that it hears of, each before its parents."""
    order: list[str] = []
    seen = {task}
    stack = [(task, iter(parents[task]))]
    while stack:
        stage, rest = stack[-1]
        for parent in rest:
            if parent != HOME and parent not in timetable.slots and parent not in seen:
                seen.add(parent)
                stack.append((parent, iter(parents[parent])))
                break
        else:
            order.append(stage)
            stack.pop()
    return reversed(order)


def _instant(problem: TimetableProblem, timetable: Timetable, anchor: str) -> int:
    return -problem.lead_ns if anchor == HOME else timetable.slots[anchor].offset_ns


def _inputs(problem: TimetableProblem, timetable: Timetable, parents: Parents) -> list[Violation]:
    found = []
    for name, slot in timetable.slots.items():
        for anchor, way in _ways_back(problem, timetable, parents, name).items():
            start = _instant(problem, timetable, anchor)
            gap = slot.offset_ns - start
            node = _place(problem, anchor)
            if node == slot.node:
                short = way * 10**9 + problem.drift_ppb * gap - gap * 10**9
                short_ns = -(-short // 10**9)
            else:
                short_ns = way + problem.late_ns[node] + problem.early_ns[slot.node] - gap
            if short_ns > 0:
                text = f"fires {short_ns} ns before what began at its instant may be there"
                found.append(Violation("input", f"{anchor} → {name}", text))
    return found


def _capacity(problem: TimetableProblem, timetable: Timetable) -> list[Violation]:
    found = []
    period = timetable.period_ns
    changes: dict[str, list[tuple[int, int, str]]] = {}
    for name, slot in timetable.slots.items():
        local = (problem.wake_lateness_ns[slot.node] + slot.budget_ns) * 10**9
        length = -(-local // (10**9 - problem.drift_ppb))
        if length > period:
            found.append(Violation("capacity", name, f"holds its node {length} ns per period"))
        for lap in range(3):
            start = slot.offset_ns % period + lap * period
            if length:
                changes.setdefault(slot.node, []).append((start, 1, name))
                changes[slot.node].append((start + length, 0, name))
    for node, marks in changes.items():
        used = 0.0
        have = 1.0 if problem.cores is None else problem.cores.get(node, 1.0)
        for time, begins, name in sorted(marks):
            used += problem.app.tasks[name].cores * (1 if begins else -1)
            if begins and used > have + 1e-9:
                text = f"{used:g} cores in use at {time % period} ns, when {name} starts"
                found.append(Violation("capacity", node, text))
    return found


def _deadlines(
    problem: TimetableProblem, timetable: Timetable, parents: Parents
) -> list[Violation]:
    found = []
    for name, task in problem.app.tasks.items():
        if task.timing.deadline_ns is None:
            continue
        node = problem.placement[name]
        if name in timetable.slots:
            begin = timetable.slots[name].offset_ns + problem.late_ns[node]
        else:
            begin = max(
                (
                    _instant(problem, timetable, anchor)
                    + problem.late_ns[_place(problem, anchor)]
                    + way
                    for anchor, way in _ways_back(problem, timetable, parents, name).items()
                ),
                default=0,
            )
        late = begin + problem.wake_lateness_ns[node] + _budget(problem, name)
        late -= task.timing.deadline_ns
        if late > 0:
            found.append(Violation("deadline", name, f"may end {late} ns late"))
    return found
