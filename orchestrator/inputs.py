"""Everything the user gave, read and judged before anything is started."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from jupiter.app import App
from jupiter.app_check import app_warnings, check_app
from jupiter.app_formats import load_app
from jupiter.errors import InputError
from jupiter.nodes import NodeList, local_nodes, read_nodes
from jupiter.placement import check_pins, check_placement, read_placement
from jupiter.profile_store import ProfileStore
from jupiter.settings import Settings, load_settings
from orchestrator.job_source import JobSource, job_source
from orchestrator.options import RunOptions, find_config
from orchestrator.profile_phase import STORE
from scheduler import registry

LOCAL_NODES = 4
"""Home and three more."""
STATIC = "static"
"""The scheduler that takes what the app says."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1", socket.gethostname())


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run is made from, read and judged."""

    app: App
    nodes: NodeList
    settings: Settings
    source: JobSource
    scheduler: str
    seed: int
    placement: dict[str, str] | None
    warnings: tuple[str, ...]


def read_inputs(options: RunOptions) -> Inputs:
    """Read and judge everything the user gave. Raises InputError; nothing was started then."""
    settings = load_settings(find_config(options.config))
    app = load_app(options.app, home_child=settings.home_child or None)
    check_app(app)
    nodes, nodes_warnings = read_node_list(options.nodes, settings)
    check_pins(app, nodes)
    _check_ports(settings, nodes)
    name = options.scheduler or settings.scheduler
    _check_scheduler(options.scheduler, settings)
    placement = None
    if options.mapping is not None:
        placement = read_placement(options.mapping, app, nodes)
    elif name == STATIC or (settings.static_mapping and options.scheduler is None):
        placement = _own_placement(app, nodes)
    source = job_source(app, options.jobs)
    _check_profile_store((options.runs or settings.runs_path) / STORE)
    return Inputs(
        app=app,
        nodes=nodes,
        settings=settings,
        source=source,
        scheduler=name,
        seed=settings.seed if options.seed is None else options.seed,
        placement=placement,
        warnings=(*settings.warnings, *app_warnings(app), *nodes_warnings),
    )


def read_node_list(named: Path | None, settings: Settings) -> tuple[NodeList, tuple[str, ...]]:
    """The nodes and what to warn of. Where nobody wrote a nodes.txt, a few local nodes will do."""
    path = named or settings.nodes_path
    nobody_chose = named is None and path == settings.here / "nodes.txt"
    if nobody_chose and not path.exists():
        nodes = local_nodes(LOCAL_NODES)
        return nodes, (f"there is no {path.name}: using {', '.join(nodes)} on this machine",)
    nodes = read_nodes(path)
    far = [node for node in nodes.values() if node.host not in _THIS_MACHINE]
    if not far:
        return nodes, nodes.warnings
    listed = ", ".join(f"{node.name} ({node.host})" for node in far)
    here = (
        f"{path.name} puts {listed} on other machines: in this version every node is a process "
        "on this one"
    )
    return nodes, (*nodes.warnings, here)


def _own_placement(app: App, nodes: NodeList) -> dict[str, str]:
    """The placement that comes with the app: pins, and what Jupiter's folders say."""
    pins = {task.name: task.node for task in app.tasks.values() if task.node is not None}
    placement = pins | app.static_placement
    missing = [task for task in app.tasks if task not in placement]
    if missing:
        raise InputError(
            f"a static mapping is asked for, but the app says no node for {', '.join(missing)}",
            "say there where each task runs, give --mapping FILE, or name a scheduler: "
            "--scheduler heft",
            file=app.config,
        )
    check_placement(placement, app, nodes)
    return placement


def _check_scheduler(named: str | None, settings: Settings) -> None:
    """Raises InputError, with the option or the setting that the name is from."""
    try:
        registry.get(named or settings.scheduler)
    except InputError as error:
        if named is not None:
            raise InputError(error.seen, error.fix, field="--scheduler") from error
        raise settings.error("scheduler", error.seen, error.fix) from error


def _check_profile_store(path: Path) -> None:
    """Open what earlier runs measured, if they did. Raises InputError when it can't be used."""
    if path.exists():
        ProfileStore(path).close()


def _check_ports(settings: Settings, nodes: NodeList) -> None:
    """Every node needs a port of its own."""
    if settings.port_range is None:
        return
    first, last = settings.port_range
    if last - first + 1 < len(nodes):
        raise settings.error(
            "port_range",
            f"{first}-{last} has {last - first + 1} ports for {len(nodes)} nodes",
            f"widen it, for example to {first}-{first + len(nodes) - 1}, or leave it out",
        )
