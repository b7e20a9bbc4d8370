"""From profiles to a placement and, for a periodic app, a timetable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupiter.app import HOME, App
from jupiter.profile import Profiles, TaskProfile
from jupiter.timetable import Timetable
from scheduler import registry
from scheduler.problem import Problem
from scheduler.schedule import Schedule
from scheduler.timetable import synthesise

ASSUMED_TASK_NS = 10e6
ASSUMED_OUTPUT_BYTES = 4096.0
WAKE_LATENESS_NS = 2_000_000
"""J without SCHED_FIFO, see docs/quality_of_time.md."""
LEAD_NS = 150_000_000
"""How long before its release a periodic job leaves home."""
BUDGET_FACTOR = 2.0
"""A budget that the author left open: the slowest trial times this, and the floor below."""
LEAST_BUDGET_NS = 2_000_000


def fill_gaps(app: App, nodes: Sequence[str], profiles: Profiles) -> tuple[Profiles, list[str]]:
    """Assume something for every (task, node) that nobody measured; returns the tasks concerned."""
    tasks = dict(profiles.tasks)
    assumed = []
    for task in app.tasks.values():
        if any((task.name, node) in tasks for node in nodes):
            continue
        assumed.append(task.name)
        for node in nodes:
            tasks[task.name, node] = TaskProfile(
                task=task.name,
                node=node,
                median_ns=ASSUMED_TASK_NS,
                p95_ns=ASSUMED_TASK_NS,
                output_bytes=dict.fromkeys(task.children, ASSUMED_OUTPUT_BYTES),
                predicted=True,
            )
    return Profiles(links=profiles.links, nodes=profiles.nodes, tasks=tasks), assumed


def plan_placement(
    app: App,
    nodes: Sequence[str],
    profiles: Profiles,
    *,
    scheduler_name: str,
    placement: Mapping[str, str] | None = None,
    clock_error_ns: Mapping[str, int] | None = None,
) -> Schedule:
    """One job's schedule: by the named scheduler or a given placement. Raises InputError."""
    problem = Problem.from_profiles(app, nodes, profiles, clock_error_ns=clock_error_ns)
    if placement is not None:
        return registry.get("static")(problem, placement=placement)
    return registry.get(scheduler_name)(problem)


def plan_timetable(
    app: App,
    placement: Mapping[str, str],
    profiles: Profiles,
    *,
    late_ns: Mapping[str, int],
    early_ns: Mapping[str, int],
    wake_lateness_ns: int,
    lead_ns: int,
) -> Timetable:
    """When every time-triggered stage fires. Raises InputError when the period can't be kept."""
    budgets_ns = {
        name: max(
            LEAST_BUDGET_NS, round(profiles.tasks[name, placement[name]].p95_ns * BUDGET_FACTOR)
        )
        for name in app.tasks
    }

    def transfer_ns(parent: str, child: str) -> int | None:
        source = HOME if parent == HOME else placement[parent]
        target = placement[child]
        if source == target:
            return 0
        link = profiles.links[source, target]
        size_bytes = 0.0
        if parent != HOME:
            size_bytes = profiles.tasks[parent, source].output_bytes.get(child, 0.0)
        return round(link.transfer_ns(size_bytes) + link.spread_ns)

    return synthesise(
        app,
        placement,
        budgets_ns,
        transfer_ns,
        late_ns,
        early_ns,
        dict.fromkeys([*placement.values(), HOME], wake_lateness_ns),
        cores={node: float(profile.cores) for node, profile in profiles.nodes.items()},
        lead_ns=lead_ns,
    )
