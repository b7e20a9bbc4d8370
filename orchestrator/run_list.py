"""The runs of a folder at a glance: one line of figures each, newest last."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from jupiter.errors import JupiterError
from jupiter.events import Phase
from jupiter.run_folder import RunFolder, list_runs
from jupiter.units import format_number, format_size
from orchestrator.quiet_table import QuietTable
from orchestrator.report_data import read_run
from orchestrator.report_jobs import job_figures, status
from orchestrator.text_parts import duration

UNPLANNED = "unplanned"
"""Status of a run that has no lock: it has not got so far, or was stopped before."""

UNREADABLE = "unreadable"
"""Status of a run whose files are broken."""

COLUMNS = (
    "run", "status", "scheduler", ">done", ">failed", ">nodes", ">p50", ">jobs/s", ">size",
)  # fmt: skip
LEAST = ("size", "nodes", "jobs/s", "p50", "failed", "done", "scheduler")
_COLOURS = {"succeeded": "green", "failed": "red", "incomplete": "yellow", UNPLANNED: "yellow"}


def run_figures(runs: Path) -> list[dict[str, Any]]:
    """Every run with its app, status, job counts and latency, oldest first.

    Raises InputError when ``runs`` is no folder. A run that can't be read is an entry like others.
    """
    return [_figures(folder) for folder in list_runs(runs)]


def _figures(folder: RunFolder) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "run": folder.run_id,
        "folder": str(folder.path.resolve()),
        "app": None,
        "status": UNREADABLE,
        "phase": None,
        "stopped": None,
        "scheduler": None,
        "nodes": None,
        "jobs": None,
        "size_bytes": None,
        "problem": None,
    }
    try:
        entry["size_bytes"] = _size_bytes(folder.path)
        if not folder.lock.exists():
            return entry | _unplanned(folder)
        return entry | (_from_report(folder) or _from_events(folder))
    except (JupiterError, OSError, ValueError) as error:
        return entry | {"problem": str(error)}


def _unplanned(folder: RunFolder) -> dict[str, Any]:
    """How far a run came that has no lock: its last phase, and whether it was stopped there."""
    events = folder.read_log().events
    phases = [event.name for event in events if isinstance(event, Phase)]
    working = [name for name in phases if name != "stop"]
    return {
        "status": UNPLANNED,
        "phase": working[-1] if working else None,
        "stopped": "stop" in phases,
        "problem": "the run has no plan, so there is nothing to report",
    }


def _from_report(folder: RunFolder) -> dict[str, Any] | None:
    """What report.json says; None when it is older than the events or not one of ours."""
    report = folder.report / "report.json"
    if not _newer(report, folder.events):
        return None
    try:
        made = json.loads(report.read_bytes())
        return {
            "app": made["app"]["name"],
            "status": made["status"],
            "scheduler": made["scheduler"],
            "nodes": len(made["nodes"]),
            "jobs": made["jobs"],
        }
    except (ValueError, KeyError, TypeError):
        return None


def _from_events(folder: RunFolder) -> dict[str, Any]:
    data = read_run(folder)
    return {
        "app": data.lock.app.name,
        "status": status(data),
        "scheduler": data.lock.scheduler,
        "nodes": len(data.lock.nodes),
        "jobs": job_figures(data),
    }


def _newer(report: Path, events: Path) -> bool:
    if not report.is_file():
        return False
    return not events.exists() or report.stat().st_mtime_ns >= events.stat().st_mtime_ns


def _size_bytes(folder: Path) -> int:
    """Of all files below; those that go away meanwhile do not count."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except FileNotFoundError:
                continue
    return total


def run_table(figures: list[dict[str, Any]]) -> RenderableType:
    """The same as a table."""
    table = QuietTable(*COLUMNS, least=LEAST)
    for run in figures:
        jobs = run["jobs"] or {}
        latency = jobs.get("latency") or {}
        rate = jobs.get("throughput_per_s")
        table.add_row(
            run["run"],
            Text(_status(run), style=_COLOURS.get(run["status"], "dim")),
            run["scheduler"] or "–",
            str(jobs.get("done", "–")),
            str(jobs.get("failed", "–")),
            str(run["nodes"] or "–"),
            duration(latency.get("p50_ns")),
            "–" if rate is None else format_number(rate),
            "–" if run["size_bytes"] is None else format_size(run["size_bytes"]),
        )
    return table


def _status(run: dict[str, Any]) -> str:
    """A run without a plan that nobody stopped may still be running, or was killed."""
    if run["status"] != UNPLANNED:
        return str(run["status"])
    if run["phase"] is None:
        return "not started"
    return f"stopped in {run['phase']}" if run["stopped"] else f"in {run['phase']}"
