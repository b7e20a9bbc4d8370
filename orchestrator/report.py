"""The report of a run, from its run folder alone: figures, file, pictures.

:func:`report_figures` gives everything as plain data (``docs/report.md`` documents the keys);
:func:`make_report` also writes ``report.json`` and the pictures. How it reads in a terminal is
decided in :mod:`orchestrator.report_text`.
"""

from __future__ import annotations

import json
from typing import Any

from jupiter.errors import JupiterError
from jupiter.run_folder import RunFolder, write_atomically
from orchestrator.figures import Figures
from orchestrator.report_data import RunData, Truth, read_run
from orchestrator.report_jobs import (
    failed_call_figures,
    failure_figures,
    job_figures,
    output_figures,
    status,
)
from orchestrator.report_timing import timing_figures
from orchestrator.report_work import link_figures, node_figures, task_figures

REPORT_FORMAT = 1
"""Version of report.json; raised when a key changes its meaning or goes away."""


def make_report(folder: RunFolder, *, pictures: bool = True, truth: Truth | None = None) -> Figures:
    """Read a run, write its ``report/`` folder, and give the figures.

    Repeating it on an unchanged run folder gives the same bytes. Raises JupiterError when the run
    has no lock or the report can't be written.
    """
    data = read_run(folder, truth)
    figures = report_figures(data)
    try:
        if pictures:
            figures["pictures"] = _draw(data)
        content = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
        write_atomically(folder.report / "report.json", content.encode())
    except OSError as error:
        raise JupiterError(f"can't write the report to {folder.report}: {error}") from error
    return figures


def report_figures(data: RunData) -> dict[str, Any]:
    """The report as plain data: times are integer ns (``_ns``, or inside a spread), sizes bytes."""
    lock = data.lock
    return {
        "format": REPORT_FORMAT,
        "run": lock.run_id,
        "folder": str(data.folder.path.resolve()),
        "app": {"name": lock.app.name, "folder": lock.app.folder, "dialect": lock.app.dialect},
        "status": status(data),
        "cluster": lock.cluster,
        "scheduler": lock.scheduler,
        "seed": lock.seed,
        "phases": _phase_figures(data),
        "jobs": job_figures(data),
        "outputs": output_figures(data),
        "failures": failure_figures(data),
        "failed_calls": failed_call_figures(data),
        "placement": dict(lock.placement),
        "tasks": task_figures(data),
        "links": link_figures(data),
        "nodes": node_figures(data),
        "services": _service_figures(data),
        "timing": timing_figures(data),
        "qot_changes": _qot_figures(data),
        "notices": _notices(data),
        "pictures": [],
    }


def _phase_figures(data: RunData) -> list[Figures]:
    ends: list[int | None] = [phase.unix_ns for phase in data.phases[1:]]
    return [
        {
            "name": phase.name,
            "detail": phase.detail,
            "began_unix_ns": phase.unix_ns,
            "duration_ns": None if end is None else end - phase.unix_ns,
        }
        for phase, end in zip(data.phases, [*ends, None], strict=False)
    ]


def _service_figures(data: RunData) -> dict[str, Figures]:
    names = dict.fromkeys(
        [
            *data.lock.app.services,
            *(start.service for start in data.service_starts),
            *(end.service for end in data.service_exits),
        ]
    )
    return {
        name: {
            "starts": sum(start.service == name for start in data.service_starts),
            "exits": [
                {"node": end.node, "exit_code": end.exit_code, "stderr_tail": end.stderr_tail}
                for end in data.service_exits
                if end.service == name
            ],
        }
        for name in names
    }


def _qot_figures(data: RunData) -> list[Figures]:
    return [
        {
            "node": change.node,
            "timeline": change.timeline,
            "status": change.status,
            "delivered_ns": change.delivered_ns,
            "demanded_ns": change.demanded_ns,
            "violated": change.violated,
        }
        for change in data.qot_changes
    ]


def _notices(data: RunData) -> list[Figures]:
    notices = [
        {"node": notice.node, "level": notice.level, "text": notice.text} for notice in data.notices
    ]
    if data.damaged_lines:
        text = f"{data.damaged_lines} damaged lines of the event log were left out of this report"
        notices.append({"node": "roof", "level": "warning", "text": text})
    return notices


def _draw(data: RunData) -> list[str]:
    """Draw what the run folder can show; the paths, below the run folder."""
    from orchestrator.dag_picture import draw_locked_app
    from orchestrator.timeline_picture import draw_timeline

    report = data.folder.report
    paths = draw_timeline(data, report) + draw_locked_app(data.lock, report)
    return [str(path.relative_to(data.folder.path)) for path in paths]
