"""Static: the placement that the user gives, with the times that follow from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jupiter.errors import InputError, raise_input_errors
from scheduler.list_schedule import ListSchedule
from scheduler.problem import Problem
from scheduler.rank import by_upward_rank
from scheduler.registry import scheduler
from scheduler.schedule import Schedule


@scheduler("static")
def static(problem: Problem, *, placement: Mapping[str, str] | None = None) -> Schedule:
    """Every task where ``placement`` says; a task with only one possible node may be left out.

    Raises InputError for an unknown task or node, a node that the task may not run on, and a task
    whose node is not given.
    """
    node_of = _resolve(problem, placement or {})
    plan = ListSchedule(problem)
    for task in by_upward_rank(problem):
        plan.place(task, node_of[task], plan.start_on(task, node_of[task]))
    return plan.schedule()


def _resolve(problem: Problem, placement: Mapping[str, str]) -> list[int]:
    errors = [
        InputError(
            f"there is no task {task!r}",
            f"use the tasks of the app: {', '.join(problem.tasks)}",
            field=f"placement.{task}",
        )
        for task in placement
        if task not in problem.tasks
    ]
    node_of = []
    for index, task in enumerate(problem.tasks):
        possible = [problem.nodes[i] for i in np.flatnonzero(problem.allowed[index])]
        name = placement.get(task, possible[0] if len(possible) == 1 else None)
        if name not in possible:
            seen = f"{task!r} has no node" if name is None else f"{task!r} can't run on {name!r}"
            fix = f"place it on one of: {', '.join(possible)}"
            errors.append(InputError(seen, fix, field=f"placement.{task}"))
        else:
            node_of.append(problem.nodes.index(name))
    raise_input_errors(errors)
    return node_of
