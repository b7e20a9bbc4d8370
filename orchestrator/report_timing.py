"""The report's figures of time-triggered stages: did each fire at its instant, and how sure is it?

Three different things are told apart. *True error*: how wrong the stage's own reading of the
timeline was when it woke; the stated bound promises to hold it, always. *Lateness*: how long after
the wanted moment the wait returned, which is the operating system's doing. *Skew*: how far apart
stages woke that were planned for the same instant; it holds both.

The truth is known where clocks are emulated on one machine; elsewhere its figures are None.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from jupiter.events import Firing, Stamp, TaskDone
from orchestrator.figures import Figures, share, spread
from orchestrator.report_data import RunData, Truth

AT_ITS_INSTANT = {"on_time", "invalid"}
"""Verdicts of a stage that woke for its instant; a late one woke for its inputs."""


@dataclass(frozen=True, slots=True)
class _Fired:
    """A firing with the task and job it belongs to."""

    task: str
    job: str
    firing: Firing


def timing_figures(data: RunData) -> Figures | None:
    """Per stage and in total; None when no stage of the run was time-triggered."""
    fired = [_Fired(call.task, call.job, call.firing) for call in data.calls if call.firing]
    if not fired:
        return None
    by_task: dict[str, list[_Fired]] = defaultdict(list)
    for each in fired:
        by_task[each.task].append(each)
    timeline = data.lock.timeline
    return {
        "timeline": timeline.name if timeline else None,
        "demanded_accuracy_ns": timeline.accuracy_ns if timeline else None,
        "period_ns": data.lock.timetable.period_ns if data.lock.timetable else None,
        "total": _stage_figures(fired, data.truth),
        "stages": {
            task: _stage_figures(by_task[task], data.truth)
            for task in [*data.lock.app.tasks, *sorted(by_task.keys() - data.lock.app.tasks.keys())]
            if task in by_task
        },
        "co_firing": _co_firing(fired, data.truth),
        "release_to_end": _release_to_end(data.calls),
    }


def _stage_figures(fired: Sequence[_Fired], truth: Truth | None) -> Figures:
    firings = [each.firing for each in fired]
    errors = None if truth is None else [_error(firing.woke, truth) for firing in firings]
    inside = None if truth is None else sum(_inside(firing.woke, truth) for firing in firings)
    return {
        "firings": len(firings),
        "inside": inside,
        "inside_share": None if inside is None else share(inside, len(firings)),
        "true_error": None if errors is None else spread(errors, (50, 99)),
        "bound": spread((bound_ns(firing.woke) for firing in firings), (50,)),
        "lateness": spread((firing.late_ns for firing in firings), (50, 99)),
        "verdicts": dict(sorted(Counter(firing.verdict for firing in firings).items())),
        "statuses": dict(sorted(Counter(firing.status for firing in firings).items())),
    }


def bound_ns(stamp: Stamp) -> int:
    """The stated bound of a reading: the larger of its two one-sided errors."""
    return max(stamp.latest_ns - stamp.estimate_ns, stamp.estimate_ns - stamp.earliest_ns)


def _error(stamp: Stamp, truth: Truth) -> int:
    return abs(truth(stamp.core_ns) - stamp.estimate_ns)


def _inside(stamp: Stamp, truth: Truth) -> bool:
    return stamp.earliest_ns <= truth(stamp.core_ns) <= stamp.latest_ns


def _co_firing(fired: Sequence[_Fired], truth: Truth | None) -> list[Figures]:
    """Groups of stages that were planned for the same instants: skew, and the bound it is held by.

    The bound of one instant is latest − earliest over its stages: however wrong each clock was
    within its interval, the stages can't have woken further apart.
    """
    instants: dict[int, dict[str, Stamp]] = defaultdict(dict)
    for each in fired:
        if each.firing.verdict in AT_ITS_INSTANT:
            instants[each.firing.planned_ns].setdefault(each.task, each.firing.woke)
    groups: dict[tuple[str, ...], list[list[Stamp]]] = defaultdict(list)
    for stages in instants.values():
        if len(stages) > 1:
            groups[tuple(sorted(stages))].append(list(stages.values()))
    return [
        {"tasks": list(tasks), **_skew_figures(stamps, truth)}
        for tasks, stamps in sorted(groups.items())
    ]


def _skew_figures(instants: Sequence[Sequence[Stamp]], truth: Truth | None) -> Figures:
    bounds = [
        max(stamp.latest_ns for stamp in stamps) - min(stamp.earliest_ns for stamp in stamps)
        for stamps in instants
    ]
    measured = [_range([stamp.estimate_ns for stamp in stamps]) for stamps in instants]
    true = truth and [_range([truth(stamp.core_ns) for stamp in stamps]) for stamps in instants]
    inside = None
    if true is not None:
        inside = sum(skew <= bound for skew, bound in zip(true, bounds, strict=True))
    return {
        "instants": len(instants),
        "inside_share": None if inside is None else share(inside, len(instants)),
        "true_skew": None if true is None else spread(true, (50, 99)),
        "measured_skew": spread(measured, (50, 99)),
        "bound": spread(bounds, (50,)),
    }


def _range(values: Sequence[int]) -> int:
    return max(values) - min(values)


def _release_to_end(calls: Sequence[TaskDone]) -> Figures | None:
    """From the first planned instant of a job to the end of its last stage, on the timeline."""
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    for call in calls:
        if call.firing:
            planned = call.firing.planned_ns
            begins[call.job] = min(begins.get(call.job, planned), planned)
        ends[call.job] = max(ends.get(call.job, call.ended.estimate_ns), call.ended.estimate_ns)
    return spread(ends[job] - begin for job, begin in begins.items())
