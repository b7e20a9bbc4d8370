"""From measured calls to TaskProfiles, and from measured nodes to unmeasured ones.

A task takes ``work / speed`` on a node: that is what predictions rest on. It is an approximation
(nodes are unrelated machines), so a predicted profile says that it is one. Nothing here measures.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from jupiter.profile import TaskProfile

_SWEEPS = 50


def summarise(
    task: str,
    node: str,
    durations_ns: Sequence[float],
    output_bytes: Sequence[Mapping[str, float]],
    now_unix_ns: int,
) -> TaskProfile:
    """Median and p95 of the calls' durations, and the median bytes per child.

    p95 is a value that was seen: with fewer than 20 calls, the longest. output_bytes has one
    mapping child → bytes per call; a child that a call sent nothing to counts as 0.
    Raises ValueError for no calls, or a duration that is negative or not finite.
    """
    if not durations_ns:
        raise ValueError(f"no call of {task} on {node} was measured")
    for duration in durations_ns:
        if not (math.isfinite(duration) and duration >= 0):
            raise ValueError(f"a duration of {duration} ns for {task} on {node}")
    ordered = sorted(durations_ns)
    children = dict.fromkeys(child for call in output_bytes for child in call)
    return TaskProfile(
        task=task,
        node=node,
        median_ns=float(statistics.median(ordered)),
        p95_ns=float(ordered[math.ceil(0.95 * len(ordered)) - 1]),
        output_bytes={
            child: float(statistics.median(call.get(child, 0) for call in output_bytes))
            for child in children
        },
        samples=len(ordered),
        measured_at_ns=now_unix_ns,
    )


def node_speeds(profiles: Iterable[TaskProfile]) -> dict[str, float]:
    """Relative speed of the nodes that measured tasks in common; the fastest has 1.0.

    log t[task, node] = log work[task] − log speed[node], by alternating medians, so that one odd
    task does not decide. Nodes can be compared only through tasks that both ran, or through other
    nodes that share tasks with both: of several groups the largest is returned, the one with the
    first node's name among equals.
    """
    logs = {
        (profile.task, profile.node): math.log(profile.median_ns)
        for profile in profiles
        if not profile.predicted and profile.median_ns > 0
    }
    nodes = _largest_group(logs)
    by_task: dict[str, list[tuple[str, float]]] = {}
    by_node: dict[str, list[tuple[str, float]]] = {node: [] for node in nodes}
    for (task, node), value in sorted(logs.items()):
        if node in by_node:
            by_task.setdefault(task, []).append((node, value))
            by_node[node].append((task, value))
    slowness = dict.fromkeys(nodes, 0.0)
    for _ in range(_SWEEPS):
        work = {
            task: statistics.median(value - slowness[node] for node, value in times)
            for task, times in by_task.items()
        }
        better = {
            node: statistics.median(value - work[task] for task, value in times)
            for node, times in by_node.items()
        }
        if better == slowness:
            break
        slowness = better
    fastest = min(slowness.values(), default=0.0)
    return {node: math.exp(fastest - value) for node, value in slowness.items()}


def _largest_group(keys: Iterable[tuple[str, str]]) -> list[str]:
    """The nodes of the largest connected group of tasks and nodes, sorted."""
    group: dict[str, set[str]] = {}
    by_task: dict[str, list[str]] = {}
    for task, node in keys:
        by_task.setdefault(task, []).append(node)
    for nodes in by_task.values():
        merged = set(nodes).union(*(group.get(node, {node}) for node in nodes))
        for node in merged:
            group[node] = merged
    ordered = sorted((sorted(nodes) for nodes in group.values()), key=lambda n: (-len(n), n))
    return ordered[0] if ordered else []


def predict_missing(
    profiles: Mapping[tuple[str, str], TaskProfile],
    tasks: Iterable[str],
    nodes: Iterable[str],
    speeds: Mapping[str, float],
) -> dict[tuple[str, str], TaskProfile]:
    """``profiles`` and, for every (task, node) that it lacks, a prediction from other nodes.

    The prediction is the median over the nodes that measured the task of time × speed there,
    divided by the speed here; it has ``predicted`` True and 0 samples. A node that ``speeds`` does
    not know is taken for as fast as the median node. A task that no node measured stays missing.
    """
    usual = statistics.median(speeds.values()) if speeds else 1.0
    complete = dict(profiles)
    nodes = list(nodes)
    measured: dict[str, list[TaskProfile]] = {}
    for (task, _), profile in sorted(profiles.items(), key=lambda item: item[0]):
        if not profile.predicted:
            measured.setdefault(task, []).append(profile)
    for task in tasks:
        for node in nodes:
            if task in measured and (task, node) not in profiles:
                complete[task, node] = _predict(measured[task], node, speeds, usual)
    return complete


def _predict(
    measured: Sequence[TaskProfile], node: str, speeds: Mapping[str, float], usual: float
) -> TaskProfile:
    here = speeds.get(node, usual)
    factors = [speeds.get(profile.node, usual) / here for profile in measured]
    children = dict.fromkeys(child for profile in measured for child in profile.output_bytes)
    return TaskProfile(
        task=measured[0].task,
        node=node,
        median_ns=statistics.median(
            profile.median_ns * factor for profile, factor in zip(measured, factors, strict=True)
        ),
        p95_ns=statistics.median(
            profile.p95_ns * factor for profile, factor in zip(measured, factors, strict=True)
        ),
        output_bytes={
            child: float(statistics.median(p.output_bytes.get(child, 0.0) for p in measured))
            for child in children
        },
        predicted=True,
        measured_at_ns=max(profile.measured_at_ns for profile in measured),
    )
