"""Everything the user gave, read and judged before anything is started."""

from __future__ import annotations

from dataclasses import dataclass

from jupiter.app import App
from jupiter.app_check import check_app
from jupiter.app_formats import load_app
from jupiter.nodes import NodeList, read_nodes
from jupiter.placement import check_pins, check_placement, read_placement
from jupiter.settings import Settings, load_settings
from orchestrator.job_source import JobSource, job_source
from orchestrator.options import RunOptions, find_config
from scheduler import registry


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
    nodes = read_nodes(options.nodes or settings.nodes_path)
    check_pins(app, nodes)
    name = options.scheduler or settings.scheduler
    registry.get(name)
    placement = None
    if options.mapping is not None:
        placement = read_placement(options.mapping, app, nodes)
    elif settings.static_mapping:
        placement = app.static_placement
        check_placement(placement, app, nodes)
    return Inputs(
        app=app,
        nodes=nodes,
        settings=settings,
        source=job_source(app, options.jobs),
        scheduler=name,
        seed=settings.seed if options.seed is None else options.seed,
        placement=placement,
        warnings=(*settings.warnings, *app.warnings, *nodes.warnings),
    )
