"""What a periodic app declares about its times: can it be kept at all?

Only what the declaration alone refutes is an error here. Whether a period can be kept on given
nodes and links is the business of the timetable.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupiter.app import App, Task, Timing, Trigger
from jupiter.errors import InputError
from jupiter.units import format_duration


def check_timing(app: App) -> list[InputError]:
    """Every declared time that contradicts another one."""
    timed = [task for task in app.tasks.values() if task.trigger is Trigger.TIME]
    errors = []
    if app.timing is None:
        for task in timed:
            errors.append(
                _error(
                    app,
                    task,
                    "trigger",
                    f"task {task.name!r} fires at an instant, but the app has no timing",
                    "add timing: with timeline, period and accuracy",
                )
            )
    else:
        errors += _check_app(app, app.timing)
        if not timed:
            errors.append(
                _error(
                    app,
                    None,
                    "timing",
                    "the app has timing, but no task fires at an instant",
                    "write 'trigger: time' below the tasks that should, or remove timing",
                )
            )
    for task in app.tasks.values():
        errors += _check_task(app, task)
        if task.trigger is Trigger.TIME:
            errors += _check_order(app, task)
    return errors


def _error(app: App, task: Task | None, name: str, seen: str, fix: str) -> InputError:
    field = f"tasks.{task.name}.{name}" if task else name
    owner = task or app.timing
    return InputError(seen, fix, file=app.config, line=owner.line if owner else None, field=field)


def _check_app(app: App, timing: Timing) -> Iterator[InputError]:
    period = format_duration(timing.period_ns)
    accuracy = format_duration(timing.accuracy_ns)
    if timing.period_ns <= 0:
        yield _error(
            app, None, "timing.period", "the period is 0", "write one above 0, such as 100ms"
        )
    elif timing.accuracy_ns >= timing.period_ns:
        yield _error(
            app,
            None,
            "timing.accuracy",
            f"an error of {accuracy} is as long as the period of {period}, so instants of two "
            "jobs could not be told apart",
            "demand an accuracy well below the period",
        )
    if timing.accuracy_ns <= 0:
        yield _error(
            app,
            None,
            "timing.accuracy",
            "an accuracy of 0 can't be kept by any clock",
            "give the largest error that you can live with, for example 1ms",
        )
    elif timing.resolution_ns > timing.accuracy_ns:
        yield _error(
            app,
            None,
            "timing.resolution",
            f"a tick of {format_duration(timing.resolution_ns)} is longer than the accuracy of "
            f"{accuracy}",
            "demand a resolution at or below the accuracy",
        )


def _check_task(app: App, task: Task) -> Iterator[InputError]:
    timing = task.timing
    budget = timing.budget_ns
    if task.trigger is Trigger.EVENT:
        for name, value in (("offset", timing.offset_ns), ("late", timing.late)):
            if value is not None:
                yield _error(
                    app,
                    task,
                    f"timing.{name}",
                    f"task {task.name!r} has a timing.{name}, but runs when its inputs are there",
                    f"add 'trigger: time', or remove timing.{name}",
                )
    if budget == 0:
        yield _error(
            app,
            task,
            "timing.budget",
            "a budget of 0 lets nothing run",
            "write the longest time that one call may take, such as 20ms, or leave it out",
        )
    if budget is not None and app.timing is not None and budget > app.timing.period_ns > 0:
        yield _error(
            app,
            task,
            "timing.budget",
            f"task {task.name!r} may run {format_duration(budget)}, longer than the period of "
            f"{format_duration(app.timing.period_ns)}, so it falls behind for ever",
            "make the period longer, or the task's budget shorter",
        )
    earliest = (timing.offset_ns or 0) + (budget or 0)
    if timing.deadline_ns is not None and timing.deadline_ns < max(earliest, 1):
        yield _error(
            app,
            task,
            "timing.deadline",
            f"task {task.name!r} must end by {format_duration(timing.deadline_ns)} after the "
            f"release, but its offset and budget reach to {format_duration(earliest)}",
            "make the deadline later, or offset and budget smaller",
        )
    if budget is not None and task.timeout_ns is not None and task.timeout_ns < budget:
        yield _error(
            app,
            task,
            "timeout",
            f"task {task.name!r} is ended after {format_duration(task.timeout_ns)}, before its "
            f"budget of {format_duration(budget)} is used",
            "make the timeout at least the budget",
        )


def _check_order(app: App, task: Task) -> Iterator[InputError]:
    offset = task.timing.offset_ns
    if offset is None:
        return
    for name in app.parents(task.name):
        parent = app.tasks.get(name)
        if parent is None:
            continue
        ready = (parent.timing.offset_ns or 0) + (parent.timing.budget_ns or 0)
        if offset < ready:
            yield _error(
                app,
                task,
                "timing.offset",
                f"task {task.name!r} fires at {format_duration(offset)}, before its input "
                f"{name!r} may end at {format_duration(ready)}",
                "make its offset later, or leave it out and let the timetable find it",
            )
