"""How much work a period must hold: the bounds below which no timetable exists."""

from __future__ import annotations

import math

from scheduler.timetable_problem import TimetableProblem


def node_loads_ns(problem: TimetableProblem) -> dict[str, float]:
    """Node → core time that one job takes there, event-triggered stages included."""
    loads: dict[str, float] = {}
    for name, task in problem.app.tasks.items():
        node = problem.node(name)
        loads[node] = loads.get(node, 0.0) + problem.window_ns(name) * task.cores
    return loads


def least_period_ns(problem: TimetableProblem) -> int:
    """No period below this can work: the longest stage, and the load of the busiest node."""
    loads = [
        math.ceil(load / problem.cores_of(node)) for node, load in node_loads_ns(problem).items()
    ]
    windows = [problem.window_ns(name) for name in problem.app.tasks]
    return max(1, *loads, *windows)
