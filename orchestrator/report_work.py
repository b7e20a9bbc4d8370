"""The report's figures of work: tasks, links and nodes.

A duration on one node is measured by that node's own monotonic clock. A duration between two nodes
is an interval, for each end was read from another clock (:func:`orchestrator.figures.between`).
"""

from __future__ import annotations

from collections import Counter, defaultdict

from jupiter.events import Arrival, TaskDone, TaskFailed
from orchestrator.figures import (
    Figures,
    Interval,
    between,
    elapsed,
    interval_spread,
    percentile,
    share,
    spread,
)
from orchestrator.report_data import RunData


def task_figures(data: RunData) -> dict[str, Figures]:
    """Per task, in the order of the config: run and wait times, failures, retries, bytes sent."""
    calls: dict[str, list[TaskDone]] = {name: [] for name in data.lock.app.tasks}
    for call in data.calls:
        calls.setdefault(call.task, []).append(call)
    failures: dict[str, list[TaskFailed]] = defaultdict(list)
    for failure in data.failed_calls:
        failures[failure.task].append(failure)
    predicted = {(task.task, task.node): task.median_ns for task in data.lock.profiles.tasks}
    return {
        task: {
            "node": data.lock.placement.get(task),
            "nodes": sorted({call.node for call in done}),
            "count": len(done),
            "repeats": len(done) - len({call.job for call in done}),
            "run": spread(elapsed(call.started, call.ended).estimate_ns for call in done),
            "wait": spread(elapsed(call.ready, call.started).estimate_ns for call in done),
            "predicted_run_ns": _rounded(predicted.get((task, data.lock.placement.get(task, "")))),
            "failures": len(failures[task]),
            "retries": sum(failure.retried for failure in failures[task]),
            "output_bytes": sum(sum(call.outputs.values()) for call in done),
            "peak_memory_bytes": max((call.peak_memory_bytes for call in done), default=0),
        }
        for task, done in calls.items()
    }


def link_figures(data: RunData) -> list[Figures]:
    """Per directed pair of nodes: transfers, bytes, delay as an interval, rate."""
    links: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
    for call in data.calls:
        for arrival in call.arrivals:
            links[arrival.source, call.node].append(arrival)
    models = {(link.source, link.target): link for link in data.lock.profiles.links}
    figures = []
    for (source, target), arrivals in sorted(links.items()):
        local = source == target
        delays = [(elapsed if local else between)(each.sent, each.received) for each in arrivals]
        size = sum(arrival.size_bytes for arrival in arrivals)
        median_size = percentile(sorted(arrival.size_bytes for arrival in arrivals), 50)
        total_ns = sum(delay.estimate_ns for delay in delays)
        model = models.get((source, target))
        figures.append(
            {
                "source": source,
                "target": target,
                "count": len(arrivals),
                "bytes": size,
                "median_bytes": median_size,
                "delay": interval_spread(delays),
                "predicted_delay_ns": _rounded(model.transfer_ns(median_size)) if model else None,
                "rate_bit_s": round(size * 8e9 / total_ns) if total_ns else None,
                **_true_delay(data, [] if local else arrivals, delays),
            }
        )
    return figures


def _true_delay(data: RunData, arrivals: list[Arrival], delays: list[Interval]) -> Figures:
    """Where the truth is known: the true delay, and how often the stated interval holds it."""
    if data.truth is None or not arrivals:
        return {"true_delay": None, "inside_share": None}
    true_ns = [
        data.truth(arrival.received.core_ns) - data.truth(arrival.sent.core_ns)
        for arrival in arrivals
    ]
    inside = sum(
        delay.low_ns <= true <= delay.high_ns for true, delay in zip(true_ns, delays, strict=True)
    )
    return {"true_delay": spread(true_ns, (50, 95)), "inside_share": share(inside, len(delays))}


def node_figures(data: RunData) -> dict[str, Figures]:
    """Per node: what ran there, how busy it was, how often it was started and lost."""
    placed: dict[str, list[str]] = defaultdict(list)
    for task, node in data.lock.placement.items():
        placed[node].append(task)
    starts = Counter(start.node for start in data.node_starts)
    calls = Counter(call.node for call in data.calls)
    busy: Counter[str] = Counter()
    for call in data.calls:
        busy[call.node] += elapsed(call.started, call.ended).estimate_ns
    names = dict.fromkeys([*data.lock.nodes, *placed, *calls])
    return {
        name: {
            "tasks": placed[name],
            "calls": calls[name],
            "busy_ns": busy[name],
            "starts": starts[name],
            "losses": [
                {"pid": lost.pid, "reason": lost.reason}
                for lost in data.node_losses
                if lost.lost == name
            ],
        }
        for name in names
    }


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
