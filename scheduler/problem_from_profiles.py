"""From what was measured to a Problem: one job of an App, from home and back to home.

Jobs enter and leave by home. Home's releasing and collecting are two virtual tasks that cost
nothing and are pinned to home, so that a placement near home is worth what it saves.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jupiter.app import HOME, App, Task, Trigger
from jupiter.errors import InputError, raise_input_errors
from jupiter.profile import Profiles
from scheduler.problem import Problem

ENTRY = "<home: release>"
EXIT = "<home: collect>"


def convert(
    app: App,
    nodes: Sequence[str],
    profiles: Profiles,
    *,
    clock_error_ns: Mapping[str, int] | None = None,
    exclude_home: bool = True,
    input_bytes: Mapping[str, float] | None = None,
) -> Problem:
    """One job of ``app`` on ``nodes``, which include home.

    Home runs no task unless a task is pinned to it, ``exclude_home`` is False, or there is no other
    node. input_bytes is what each ingress gets per job; left out, it is the ``output_bytes`` of the
    profile of (home, home), or nothing but the latency. clock_error_ns is ε of every node and
    counts on edges into time-triggered tasks. Nodes without a profile have one core.

    Raises InputError for whatever is missing (a task's profile on a node that it may run on, a
    link's profile), an unknown pin, a task that fits on no node, and all that Problem refuses.
    """
    errors: list[InputError] = []
    if HOME not in nodes:
        errors.append(InputError("home is not among the nodes", "add the node home", field="nodes"))
    allowed = {
        name: _allowed(app, task, nodes, profiles, exclude_home, errors)
        for name, task in app.tasks.items()
    }
    costs = _costs(app, nodes, allowed, profiles, errors)
    latency, inverse = _links(nodes, profiles, errors)
    errors += [
        InputError(f"no clock error of {node!r}", "give it for every node", field="clock_error_ns")
        for node in nodes
        if clock_error_ns is not None and node not in clock_error_ns
    ]
    raise_input_errors(errors)
    epsilon = [0 if clock_error_ns is None else clock_error_ns[node] for node in nodes]

    tasks = [ENTRY, *app.tasks, EXIT]
    free = np.zeros((1, len(nodes)), dtype=np.int64)
    return Problem.build(
        tasks,
        nodes,
        np.concatenate([free, costs, free]),
        _edges(app, profiles, input_bytes),
        latency_ns=latency,
        ns_per_byte=inverse,
        pins={ENTRY: HOME, EXIT: HOME},
        allowed_nodes=allowed,
        node_millicores=[
            1000 * max(1, profiles.nodes[node].cores) if node in profiles.nodes else 1000
            for node in nodes
        ],
        task_millicores=[0, *(_millicores(task) for task in app.tasks.values()), 0],
        clock_error_ns=epsilon,
        timed=[False, *(task.trigger is Trigger.TIME for task in app.tasks.values()), False],
        virtual=[True, *(False for _ in app.tasks), True],
    )


def _millicores(task: Task) -> int:
    return math.ceil(task.cores * 1000)


def _allowed(
    app: App,
    task: Task,
    nodes: Sequence[str],
    profiles: Profiles,
    exclude_home: bool,
    errors: list[InputError],
) -> list[str]:
    """The nodes that a task may run on."""
    if task.node is not None:
        if task.node in nodes:
            return [task.node]
        errors.append(
            InputError(
                f"{task.name!r} is pinned to {task.node!r}, which is not a node",
                f"use one of: {', '.join(nodes)}",
                file=app.config,
                line=task.line,
                field="node",
            )
        )
        return []
    others = [node for node in nodes if node != HOME]
    candidates = others if exclude_home and others else list(nodes)
    fitting = [
        node
        for node in candidates
        if node not in profiles.nodes
        or task.memory_bytes is None
        or task.memory_bytes <= profiles.nodes[node].memory_bytes
    ]
    if not fitting:
        largest = max((profiles.nodes[node].memory_bytes for node in candidates), default=0)
        errors.append(
            InputError(
                f"{task.name!r} needs {task.memory_bytes} bytes of memory, and the largest node "
                f"has {largest}",
                "ask for less memory, or add a larger node",
                file=app.config,
                line=task.line,
                field="memory",
            )
        )
    return fitting


def _costs(
    app: App,
    nodes: Sequence[str],
    allowed: Mapping[str, Sequence[str]],
    profiles: Profiles,
    errors: list[InputError],
) -> NDArray[np.float64]:
    costs = np.zeros((len(app.tasks), len(nodes)))
    for row, task in enumerate(app.tasks):
        for column, node in enumerate(nodes):
            profile = profiles.tasks.get((task, node))
            if profile is not None:
                costs[row, column] = profile.median_ns
            elif node in allowed[task]:
                errors.append(
                    InputError(
                        f"no profile of task {task!r} on node {node!r}",
                        "profile it there, or predict it from another node",
                        field="profiles.tasks",
                    )
                )
    return costs


def _links(
    nodes: Sequence[str], profiles: Profiles, errors: list[InputError]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    latency = np.zeros((len(nodes), len(nodes)))
    inverse = np.zeros((len(nodes), len(nodes)))
    for row, source in enumerate(nodes):
        for column, target in enumerate(nodes):
            link = profiles.links.get((source, target))
            if link is not None:
                latency[row, column] = link.latency_ns
                inverse[row, column] = 8e9 / link.bandwidth_bit_s
            elif source != target:
                errors.append(
                    InputError(
                        f"no profile of the link {source} → {target}",
                        "profile the network again, with both nodes up",
                        field="profiles.links",
                    )
                )
    return latency, inverse


def _edges(
    app: App, profiles: Profiles, input_bytes: Mapping[str, float] | None
) -> list[tuple[str, str, float]]:
    entry = profiles.tasks.get((HOME, HOME))
    inputs = input_bytes if input_bytes is not None else entry.output_bytes if entry else {}
    edges = [(ENTRY, task, float(inputs.get(task, 0.0))) for task in app.ingress]
    edges += [(a, b, output_bytes(profiles, a, b)) for a, b in app.edges]
    edges += [(task, EXIT, output_bytes(profiles, task, HOME)) for task in app.sinks]
    return edges


def output_bytes(profiles: Profiles, task: str, child: str) -> float:
    """What ``task`` sends to ``child`` per job: the median of what was measured, or 0."""
    found = [
        profile.output_bytes[child]
        for (name, _), profile in profiles.tasks.items()
        if name == task and not profile.predicted and child in profile.output_bytes
    ]
    return float(statistics.median(found)) if found else 0.0
