"""The runs of a folder at a glance: one line of figures each, newest last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from jupiter.errors import JupiterError
from jupiter.run_folder import RunFolder, list_runs
from jupiter.units import format_number
from orchestrator.report_data import read_run
from orchestrator.report_jobs import job_figures, status
from orchestrator.text_parts import duration, quiet_table

UNREADABLE = "unreadable"
"""Status of a run that ended before it wrote its lock, or whose lock is broken."""

_COLOURS = {"succeeded": "green", "failed": "red", "incomplete": "yellow"}


def run_figures(runs: Path) -> list[dict[str, Any]]:
    """Every run with its app, status, job counts and latency, oldest first."""
    return [_figures(folder) for folder in list_runs(runs)]


def _figures(folder: RunFolder) -> dict[str, Any]:
    """From report.json if it is newer than the events, else from the events."""
    entry: dict[str, Any] = {"run": folder.run_id, "folder": str(folder.path.resolve())}
    report = folder.report / "report.json"
    try:
        if _newer(report, folder.events):
            made = json.loads(report.read_bytes())
            return entry | {
                "app": made["app"]["name"],
                "status": made["status"],
                "nodes": len(made["nodes"]),
                "jobs": made["jobs"],
                "problem": None,
            }
        data = read_run(folder)
        return entry | {
            "app": data.lock.app.name,
            "status": status(data),
            "nodes": len(data.lock.nodes),
            "jobs": job_figures(data),
            "problem": None,
        }
    except (JupiterError, ValueError, KeyError) as error:
        return entry | {
            "app": None,
            "status": UNREADABLE,
            "nodes": None,
            "jobs": None,
            "problem": str(error),
        }


def _newer(report: Path, events: Path) -> bool:
    if not report.is_file():
        return False
    return not events.exists() or report.stat().st_mtime_ns >= events.stat().st_mtime_ns


def run_table(figures: list[dict[str, Any]]) -> RenderableType:
    """The same as a table."""
    table = quiet_table("run", "status", ">done", ">failed", ">nodes", ">p50", ">jobs/s")
    table.columns[0].max_width = 50
    for run in figures:
        jobs = run["jobs"] or {}
        latency = jobs.get("latency") or {}
        rate = jobs.get("throughput_per_s")
        table.add_row(
            escape(run["run"]),
            Text(run["status"], style=_COLOURS.get(run["status"], "dim")),
            str(jobs.get("done", "–")),
            str(jobs.get("failed", "–")),
            str(run["nodes"] or "–"),
            duration(latency.get("p50_ns")),
            "–" if rate is None else format_number(rate),
        )
    return table
