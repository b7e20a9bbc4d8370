"""Why a timetable can't be: which stage or node, by how much, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jupiter.app import App
from jupiter.errors import InputError, raise_input_errors
from jupiter.units import duration_at_least, format_duration
from scheduler.timetable_load import node_loads_ns
from scheduler.timetable_problem import TimetableProblem
from scheduler.timing_chains import Chain


@dataclass(frozen=True, slots=True)
class Failure:
    """The stage that a try at a timetable ended at: no room, or its own offset is too early."""

    task: str
    too_early_ns: int = 0


def check_load(
    problem: TimetableProblem, period_ns: int, shortest_period_ns: Callable[[], int]
) -> None:
    """Raise InputErrors for stages longer than the period and nodes with more work than time."""
    found: list[str] = []
    for name in problem.app.tasks:
        window = problem.window_ns(name)
        if window > period_ns:
            found.append(
                f"stage {name!r} takes up to {format_duration(window)} (budget "
                f"{format_duration(problem.budget_ns(name))} and wake-up), "
                f"{format_duration(window - period_ns)} more than the period of "
                f"{format_duration(period_ns)}"
            )
    for node, load in node_loads_ns(problem).items():
        room = problem.cores_of(node) * period_ns
        if load > room:
            found.append(
                f"node {node!r} has {format_duration(load)} of work per period of "
                f"{format_duration(period_ns)} on {problem.cores_of(node):g} core(s), "
                f"{format_duration(load - room)} too much"
            )
    if found:
        fix = _period_fix(shortest_period_ns(), "or make the stages shorter, or use more nodes")
        raise_input_errors([_timing_error(problem.app, seen, fix) for seen in found])


def failed(
    problem: TimetableProblem, failure: Failure, period_ns: int, shortest_period_ns: int
) -> InputError:
    """No timetable was found for this period, though every node has time enough."""
    task = failure.task
    node = problem.node(task)
    if failure.too_early_ns:
        seen = (
            f"stage {task!r} is set to fire {format_duration(failure.too_early_ns)} before its "
            f"inputs are there for certain, because nodes are busy with other stages within the "
            f"period of {format_duration(period_ns)}"
        )
    else:
        seen = (
            f"stage {task!r} finds no free {format_duration(problem.window_ns(task))} on node "
            f"{node!r} within the period of {format_duration(period_ns)}"
        )
    fix = _period_fix(shortest_period_ns, f"or move a stage away from {node!r}")
    return _timing_error(problem.app, seen, fix)


def explicit_too_early(
    problem: TimetableProblem, task: str, parent: str, offset_ns: int, least_ns: int
) -> InputError:
    """The author fires a stage before its input is certain to be there."""
    return InputError(
        f"stage {task!r} is set to fire {format_duration(offset_ns)} after the release, but its "
        f"input from {parent!r} may take until {format_duration(least_ns)}, "
        f"{format_duration(least_ns - offset_ns)} later",
        f"set its offset to {duration_at_least(least_ns)} or more, or leave the offset out",
        file=problem.app.config,
        line=problem.app.tasks[task].line,
        field=f"tasks.{task}.timing.offset",
    )


def failed_always(
    problem: TimetableProblem, failure: Failure, explicit: Mapping[str, int]
) -> InputError:
    """Offsets that the author set are in each other's way; no period helps."""
    task, node = failure.task, problem.node(failure.task)
    if failure.too_early_ns:
        seen = (
            f"stage {task!r} is set to fire {format_duration(failure.too_early_ns)} before its "
            f"inputs are there for certain, whatever the period"
        )
    else:
        others = [name for name in explicit if name != task and problem.node(name) == node]
        seen = (
            f"stage {task!r} finds no room on node {node!r} beside the offsets that are set for "
            f"{', '.join(map(repr, others)) or 'others'}, whatever the period"
        )
    return InputError(
        seen,
        "move one of these offsets, or one of these stages to another node",
        file=problem.app.config,
        line=problem.app.tasks[task].line,
        field=f"tasks.{task}.timing.offset",
    )


def check_deadlines(
    problem: TimetableProblem,
    offsets: Mapping[str, int],
    chains: Mapping[str, list[Chain]],
) -> None:
    """Raise InputErrors for stages whose worst end is after their deadline."""
    errors = []
    for name, task in problem.app.tasks.items():
        deadline = task.timing.deadline_ns
        if deadline is None:
            continue
        end = worst_end_ns(problem, offsets, chains, name)
        if end > deadline:
            errors.append(
                InputError(
                    f"stage {name!r} may end {format_duration(end)} after the release, "
                    f"{format_duration(end - deadline)} after its deadline",
                    f"set the deadline to {duration_at_least(end)} or more, or place its chain on "
                    "faster nodes",
                    file=problem.app.config,
                    line=task.line,
                    field=f"tasks.{name}.timing.deadline",
                )
            )
    raise_input_errors(list(errors))


def worst_end_ns(
    problem: TimetableProblem,
    offsets: Mapping[str, int],
    chains: Mapping[str, list[Chain]],
    task: str,
) -> int:
    """When a stage has ended on the timeline in the worst case, counted from the release."""
    node = problem.node(task)
    run = problem.wake_lateness_ns[node] + problem.budget_ns(task)
    if task in offsets:
        return offsets[task] + problem.late_ns[node] + run
    ready = (
        offsets[chain.anchor] + problem.late_ns[problem.node(chain.anchor)] + chain.delay_ns
        for chain in chains[task]
    )
    return max(ready, default=0) + run


def _period_fix(shortest_period_ns: int, otherwise: str) -> str:
    return f"set the period to {duration_at_least(shortest_period_ns)} or more, {otherwise}"


def _timing_error(app: App, seen: str, fix: str) -> InputError:
    line = app.timing.line if app.timing is not None else None
    return InputError(seen, fix, file=app.config, line=line, field="timing.period")
