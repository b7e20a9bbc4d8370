"""``jupiter plan``: placement, predicted times and timetable, without starting anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jupiter.app import HOME, App
from jupiter.profile import NodeProfile, Profiles
from jupiter.profile_store import ProfileStore
from jupiter.run_lock import content_hash
from jupiter.units import format_duration
from orchestrator.inputs import read_inputs
from orchestrator.options import RunOptions
from orchestrator.plan import Plan, Predicted
from orchestrator.planning import (
    LEAD_NS,
    WAKE_LATENESS_NS,
    fill_gaps,
    plan_placement,
    plan_timetable,
)
from orchestrator.profile_phase import STORE
from profilers.link_model import fit_link
from profilers.task_model import node_speeds, predict_missing
from qot.clock import unix_ns
from scheduler.schedule import Schedule

ASSUMED_CLOCK_ERROR_NS = 200_000
"""Of a node that is not running now; a run uses what is delivered then."""


def plan_app(options: RunOptions) -> Plan:
    """Plan from what earlier runs measured of this very app; assume what nobody has measured.

    Raises InputError.
    """
    inputs = read_inputs(options)
    app = inputs.app
    nodes = [HOME, *(name for name in inputs.nodes if name != HOME)]
    notices = list(inputs.warnings)
    known = _known_profiles(options.runs or inputs.settings.runs_path, app)
    profiles, assumed = fill_gaps(app, nodes, _complete(known, app, nodes))
    measured_on = {HOME, *(node for _, node in known.tasks)}
    if known.tasks and (others := [node for node in nodes if node not in measured_on]):
        notices.append(
            f"no run of this app had {', '.join(others)}: task times there are predicted"
        )
    if assumed:
        notices.append(f"task costs are assumed for {', '.join(assumed)}; a run measures them")
    clock_error_ns = dict.fromkeys(nodes, ASSUMED_CLOCK_ERROR_NS)
    schedule = plan_placement(
        app,
        nodes,
        profiles,
        scheduler_name=inputs.scheduler,
        placement=inputs.placement,
        clock_error_ns=clock_error_ns if app.timing is not None else None,
    )
    placement = schedule.placement()
    timetable = None
    if app.timing is not None:
        timetable = plan_timetable(
            app,
            placement,
            profiles,
            late_ns=clock_error_ns,
            early_ns=clock_error_ns,
            wake_lateness_ns=WAKE_LATENESS_NS,
            lead_ns=LEAD_NS,
        )
        notices.append(
            f"a clock error of {format_duration(ASSUMED_CLOCK_ERROR_NS)} is assumed; "
            "a run plans with what its nodes deliver"
        )
    predicted = _predicted(schedule)
    busy_ns = dict.fromkeys(nodes, 0.0)
    for task, times in predicted.items():
        node = placement[task]
        busy_ns[node] += (times.end_ns - times.start_ns) / profiles.nodes[node].cores
    return Plan(
        app=app,
        nodes=tuple(nodes),
        scheduler="given placement" if inputs.placement is not None else inputs.scheduler,
        placement=placement,
        predicted=predicted,
        profiles=_origin(known),
        period_ns=round(max(busy_ns.values())),
        timetable=timetable,
        notices=tuple(notices),
    )


def _known_profiles(runs: Path, app: App) -> Profiles:
    path = runs / STORE
    if not path.is_file():
        return Profiles(links={}, nodes={}, tasks={})
    with ProfileStore(path) as store:
        return store.latest(app.name, content_hash(app))


def _complete(known: Profiles, app: App, nodes: Sequence[str]) -> Profiles:
    """Assume a common network for unmeasured links, a share of this machine for unmeasured nodes;
    predict what tasks that were measured somewhere take elsewhere.
    """
    cores = max(1, len(os.sched_getaffinity(0)) // max(1, len(nodes) - 1))
    links = {
        (source, target): known.links.get((source, target)) or fit_link(source, target, [], 0)
        for source in nodes
        for target in nodes
        if source != target
    }
    facts = {
        node: known.nodes.get(node)
        or NodeProfile(node=node, cores=cores, memory_bytes=1 << 30, load=0.0)
        for node in nodes
    }
    tasks = predict_missing(known.tasks, app.tasks, nodes, node_speeds(known.tasks.values()))
    return Profiles(links=links, nodes=facts, tasks=tasks)


def _predicted(schedule: Schedule) -> dict[str, Predicted]:
    problem = schedule.problem
    return {
        task: Predicted(int(schedule.start_ns[place]), int(schedule.finish_ns[place]))
        for place, task in enumerate(problem.tasks)
        if not problem.virtual[place]
    }


def _origin(known: Profiles) -> str:
    """Where the figures come from, in words."""
    if not known.tasks:
        return "assumed: no run has measured this app yet"
    newest = max(profile.measured_at_ns for profile in known.tasks.values())
    return f"measured {format_duration(max(unix_ns() - newest, 0))} ago"
