"""``jupiter timeline``: the nodes' time, live, and the audit of what it promises."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from jupiter.errors import InputError
from jupiter.run_folder import RunFolder
from orchestrator.console import exits, print_json, print_page
from orchestrator.options import find_config

LOOK_S = 1.0
"""Between two looks: the rate of exchanges is counted from one to the next."""
DEFAULT_AUDIT = "5s"

timeline_app = typer.Typer(
    invoke_without_command=True,
    help="Show the nodes' time: delivered against demanded; audit what it promises.",
)

Runs = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the run folders are. Default: runs.")
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings. Default: ./jupiter_config.py, if any."),
]
Nodes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="nodes.txt. Default: NODES_PATH of the settings."),
]
Json = Annotated[bool, typer.Option("--json", help="Data on stdout instead of pages.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Name, part of the name, path, or latest.")]


@timeline_app.callback()
def timeline(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        show()


@timeline_app.command()
def show(
    name: Run = "latest",
    runs: Runs = None,
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, don't follow.")] = False,
    as_json: Json = False,
) -> None:
    """Show every node of a run: status, bound against demand, exchanges. Follows while it lives."""
    with exits(as_json):
        from orchestrator.timeline_pages import ClockPages, timeline_of
        from orchestrator.timeline_text import timeline_text

        facts = timeline_of(_open(name, runs, config))
        pages = ClockPages(facts.folders)
        pages.look()
        time.sleep(LOOK_S)
        nodes = pages.look()
        if as_json:
            print_json(
                {
                    "run": facts.run,
                    "timeline": facts.timeline.name,
                    "demanded_ns": facts.timeline.accuracy_ns,
                    "reference": facts.reference,
                    "nodes": [entry.as_dict() for entry in nodes],
                }
            )
        elif once or not sys.stdout.isatty() or not pages.is_live():
            print_page(timeline_text(facts, nodes))
        else:
            from rich.live import Live

            with Live(timeline_text(facts, nodes), auto_refresh=False) as view:
                while pages.is_live():
                    time.sleep(LOOK_S)
                    view.update(timeline_text(facts, pages.look()), refresh=True)


@timeline_app.command()
def audit(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="A run that is going on. Default: start nodes for the audit alone."
        ),
    ] = None,
    nodes: Nodes = None,
    runs: Runs = None,
    config: Config = None,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long, with a unit.")
    ] = DEFAULT_AUDIT,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the emulated clocks.")] = 1,
    as_json: Json = False,
) -> None:
    """Hold every node's interval against the reference's clock. Exit code 0 only if all hold it."""
    with exits(as_json):
        from orchestrator.timeline_audit import audit_new_nodes, audit_run
        from orchestrator.timeline_text import audit_text

        duration_s = _seconds(duration)
        if name is not None:
            found = audit_run(_open(name, runs, config), duration_s)
        else:
            found = audit_new_nodes(nodes, find_config(config), seed, duration_s)
        reports = found.reports
        if as_json:
            print_json(
                {"reference": found.reference, "nodes": [each.as_dict() for each in reports]}
            )
        else:
            print_page(audit_text(reports, found.reference))
        if not all(report.promised and report.hard_outside == 0 for report in reports):
            raise typer.Exit(1)


def _open(name: str, runs: Path | None, config: Path | None) -> RunFolder:
    from jupiter.run_folder import open_run
    from jupiter.settings import load_settings

    return open_run(runs or load_settings(find_config(config)).runs_path, name)


def _seconds(text: str) -> float:
    from jupiter.units import parse_duration_ns

    try:
        duration_ns = parse_duration_ns(text)
    except ValueError as error:
        raise InputError(str(error), "write for example 5s", field="--for") from None
    if duration_ns == 0:
        raise InputError("an audit of no time", "write for example 5s", field="--for")
    return duration_ns / 1e9
