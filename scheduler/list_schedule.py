"""A Schedule in the making, task by task: what every list scheduler stands on.

An algorithm decides the order and the node; this decides the earliest time. A task is placed after
its parents.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scheduler.node_calendar import NodeCalendar
from scheduler.problem import Problem
from scheduler.schedule import Schedule

_NEVER = np.int64(2**62)


class ListSchedule:
    """Places tasks with insertion: a task may fill a gap that earlier placed tasks left."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        tasks = len(problem.tasks)
        self._node = np.full(tasks, -1, dtype=np.int64)
        self._start = np.zeros(tasks, dtype=np.int64)
        self._finish = np.zeros(tasks, dtype=np.int64)
        self._calendars = [NodeCalendar(size) for size in problem.node_millicores.tolist()]
        self._horizon = np.zeros(len(problem.nodes), dtype=np.int64)
        self._parents = problem.edges[:, 0]
        self._demand: list[int] = problem.task_millicores.tolist()
        self._timed: list[bool] = problem.timed.tolist()
        self._anywhere: list[bool] = np.all(problem.allowed, axis=1, keepdims=True)[:, 0].tolist()

    def ready_ns(self, task: int) -> NDArray[np.int64]:
        """int64 [node]: when everything from the parents would be there."""
        problem = self.problem
        edges = problem.in_edges[task]
        if len(edges) == 0:
            return np.zeros(len(problem.nodes), dtype=np.int64)
        parents = self._parents[edges]
        sources = self._node[parents]
        latency = problem.timed_latency_ns if self._timed[task] else problem.latency_ns
        sending = problem.edge_bytes[edges, None] * problem.ns_per_byte[sources]
        arrival = np.ceil(sending).astype(np.int64)
        arrival += latency[sources]
        arrival += self._finish[parents, None]
        ready: NDArray[np.int64] = arrival.max(axis=0)
        return ready

    def best(self, task: int) -> tuple[int, int]:
        """(node, start) of the earliest finish; the lowest node index among equals.

        A node's earliest finish is at least ready + cost and at most what appending gives, so only
        nodes whose first number is not above the least second one are looked into.
        """
        ready = self.ready_ns(task)
        cost = self.problem.cost_ns[task]
        least = ready + cost
        most = np.maximum(ready, self._horizon) + cost
        if not self._anywhere[task]:
            forbidden = ~self.problem.allowed[task]
            least[forbidden] = _NEVER
            most[forbidden] = _NEVER
        candidates = np.flatnonzero(least <= most.min())
        demand = self._demand[task]
        chosen, chosen_start, chosen_finish = -1, 0, int(_NEVER) + 1
        for node, ready_here, cost_here in zip(
            candidates.tolist(), ready[candidates].tolist(), cost[candidates].tolist(), strict=True
        ):
            start = self._calendars[node].earliest_ns(ready_here, cost_here, demand)
            if start + cost_here < chosen_finish:
                chosen, chosen_start, chosen_finish = node, start, start + cost_here
        return chosen, chosen_start

    def start_on(self, task: int, node: int) -> int:
        """The earliest start of ``task`` on ``node``."""
        return self._calendars[node].earliest_ns(
            int(self.ready_ns(task)[node]),
            int(self.problem.cost_ns[task, node]),
            self._demand[task],
        )

    def place(self, task: int, node: int, start_ns: int) -> None:
        """Fix a task. Raises ValueError when the node is busy then."""
        cost = int(self.problem.cost_ns[task, node])
        calendar = self._calendars[node]
        calendar.reserve(start_ns, cost, self._demand[task])
        self._horizon[node] = calendar.horizon_ns
        self._node[task] = node
        self._start[task] = start_ns
        self._finish[task] = start_ns + cost

    def schedule(self) -> Schedule:
        """What was placed. Raises ValueError when a task is missing."""
        missing = np.flatnonzero(self._node < 0)
        if len(missing):
            raise ValueError(f"{self.problem.tasks[missing[0]]!r} was not placed")
        return Schedule(self.problem, self._node, self._start, self._finish)
