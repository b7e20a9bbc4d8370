"""The list of runs."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console

from jupiter.run_folder import create_run
from orchestrator.report import make_report
from orchestrator.run_list import run_figures, run_table


def test_figures_are_the_same_with_and_without_a_report(make: Any) -> None:
    folder = make.good_run(3)
    before = run_figures(make.root)
    make_report(folder, pictures=False)
    assert run_figures(make.root) == before
    assert before[0]["app"] == "made_up"
    assert before[0]["status"] == "succeeded"
    assert before[0]["jobs"]["done"] == 3
    assert before[0]["nodes"] == 3


def test_old_report_is_not_believed(make: Any) -> None:
    folder = make.write(make.lock(jobs_expected=1), [])
    make_report(folder, pictures=False)
    report = folder.report / "report.json"
    folder.append(*make.job(0))
    os.utime(report, ns=(0, 0))
    assert run_figures(make.root)[0]["status"] == "succeeded"


def test_run_that_never_got_its_lock_is_listed(make: Any) -> None:
    create_run(make.root, "broken")
    make.good_run(1)
    figures = run_figures(make.root)
    assert [run["status"] for run in figures] == ["unreadable", "succeeded"]
    assert "before it was planned" in figures[0]["problem"]
    console = Console(width=100)
    with console.capture() as capture:
        console.print(run_table(figures))
    assert "unreadable" in capture.get()


def test_no_folder_has_no_runs(make: Any) -> None:
    assert run_figures(make.root / "nowhere") == []
