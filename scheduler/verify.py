"""Is a Schedule valid? An independent checker: it shares no code with what makes schedules."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scheduler.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: which one, at which task, edge or node, and by how much."""

    rule: str
    item: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.item}: {self.text}"


def violations(schedule: Schedule) -> list[Violation]:
    """Every rule of its Problem that the schedule breaks; an empty list means valid.

    start: not before 0. node: exists, and is allowed (pins, forbidden nodes). duration: finish is
    start plus the cost there. precedence: a child starts when the parent's data is there, with the
    clock errors of both nodes if it is timed. capacity: tasks that run at once fit into their node;
    what takes no time takes no room.
    """
    return [*_tasks(schedule), *_edges(schedule), *_capacity(schedule)]


def _tasks(schedule: Schedule) -> list[Violation]:
    problem = schedule.problem
    found = []
    for i, task in enumerate(problem.tasks):
        node, start, finish = (
            int(schedule.node[i]),
            int(schedule.start_ns[i]),
            int(schedule.finish_ns[i]),
        )
        if start < 0:
            found.append(Violation("start", task, f"starts at {start} ns"))
        if not 0 <= node < len(problem.nodes):
            found.append(Violation("node", task, f"is on node index {node}, which is not there"))
            continue
        if not problem.allowed[i, node]:
            found.append(Violation("node", task, f"may not run on {problem.nodes[node]}"))
        cost = int(problem.cost_ns[i, node])
        if finish - start != cost:
            found.append(Violation("duration", task, f"takes {finish - start} ns, not {cost}"))
    return found


def _edges(schedule: Schedule) -> list[Violation]:
    problem = schedule.problem
    found = []
    known = range(len(problem.nodes))
    for (parent, child), size in zip(
        problem.edges.tolist(), problem.edge_bytes.tolist(), strict=True
    ):
        source, target = int(schedule.node[parent]), int(schedule.node[child])
        if source not in known or target not in known:
            continue
        due = int(schedule.finish_ns[parent]) + int(problem.latency_ns[source, target])
        due += math.ceil(size * float(problem.ns_per_byte[source, target]))
        if source != target and bool(problem.timed[child]):
            due += int(problem.clock_error_ns[source] + problem.clock_error_ns[target])
        early = due - int(schedule.start_ns[child])
        if early > 0:
            item = f"{problem.tasks[parent]} → {problem.tasks[child]}"
            found.append(Violation("precedence", item, f"the child starts {early} ns too early"))
    return found


def _capacity(schedule: Schedule) -> list[Violation]:
    problem = schedule.problem
    found = []
    for n, node in enumerate(problem.nodes):
        changes = []
        for i in range(len(problem.tasks)):
            start, finish = int(schedule.start_ns[i]), int(schedule.finish_ns[i])
            if int(schedule.node[i]) == n and finish > start:
                changes.append((start, 1, i))
                changes.append((finish, 0, i))
        used = 0
        for time, begins, i in sorted(changes):
            used += int(problem.task_millicores[i]) * (1 if begins else -1)
            if begins and used > int(problem.node_millicores[n]):
                text = f"{used} millicores in use at {time} ns, when {problem.tasks[i]} starts"
                found.append(Violation("capacity", node, text))
    return found
