"""The list of runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jupiter.errors import InputError
from jupiter.events import Phase
from jupiter.run_folder import create_run
from orchestrator.report import make_report
from orchestrator.run_list import run_figures, run_table


def page(figures: list[dict[str, Any]], width: int = 120) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(run_table(figures))
    return capture.get()


def test_figures_are_the_same_with_and_without_a_report(make: Any) -> None:
    folder = make.good_run(3)
    before = run_figures(make.root)
    make_report(folder, pictures=False)
    after = run_figures(make.root)
    assert after[0].pop("size_bytes") > before[0].pop("size_bytes")
    assert after == before
    assert before[0]["app"] == "made_up"
    assert before[0]["status"] == "succeeded"
    assert before[0]["jobs"]["done"] == 3
    assert before[0]["nodes"] == 3
    assert before[0]["scheduler"] == "heft"


def test_old_report_is_not_believed(make: Any) -> None:
    folder = make.write(make.lock(jobs_expected=1), [])
    make_report(folder, pictures=False)
    report = folder.report / "report.json"
    folder.append(*make.job(0))
    os.utime(report, ns=(0, 0))
    assert run_figures(make.root)[0]["status"] == "succeeded"


def phase(name: str) -> Phase:
    return Phase(node="roof", name=name, unix_ns=0)


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ([], "not started"),
        (["start", "sync", "profile"], "in profile"),
        (["start", "sync", "profile", "stop"], "stopped in profile"),
    ],
)
def test_run_without_a_plan_says_how_far_it_came(make: Any, phases: list[str], words: str) -> None:
    create_run(make.root, "early").append(*map(phase, phases))
    figures = run_figures(make.root)
    assert figures[0]["status"] == "unplanned"
    assert figures[0]["stopped"] is ("stop" in phases)
    assert f" {words} " in page(figures)


def test_broken_runs_do_not_hide_the_others(make: Any) -> None:
    make.good_run(1)
    lock = make.write(make.lock(run_id="a-broken-lock"), [])
    lock.lock.write_text("{")
    log = make.write(make.lock(run_id="b-log-is-a-folder"), [])
    log.events.unlink(missing_ok=True)
    log.events.mkdir()
    figures = run_figures(make.root)
    assert [run["status"] for run in figures] == ["unreadable", "unreadable", "succeeded"]
    assert "run.lock.json can't be read" in figures[0]["problem"]
    assert "unreadable" in page(figures)


@pytest.mark.parametrize("content", ["[]", "{}", "half", '{"app": null}'])
def test_strange_report_is_made_good_from_the_events(make: Any, content: str) -> None:
    folder = make.good_run(2)
    (folder.report / "report.json").parent.mkdir(exist_ok=True)
    (folder.report / "report.json").write_text(content)
    assert run_figures(make.root)[0]["jobs"]["done"] == 2


def test_size_is_that_of_all_files(make: Any) -> None:
    folder = make.good_run(1)
    before = run_figures(make.root)[0]["size_bytes"]
    (folder.outputs / "job0").mkdir(parents=True)
    (folder.outputs / "job0" / "out").write_bytes(bytes(5000))
    assert run_figures(make.root)[0]["size_bytes"] == before + 5000


@pytest.mark.parametrize("width", [60, 80, 120])
def test_names_of_runs_are_whole(make: Any, width: int) -> None:
    run_id = "20261121T143122.494039Z-network_monitoring-ca3b"
    make.write(make.lock(run_id=run_id), make.job(0))
    lines = page(run_figures(make.root), width).splitlines()
    assert any(line.startswith(f"{run_id} ") for line in lines)
    assert all(len(line.rstrip()) <= width for line in lines)
    assert ("heft" in lines[2]) is (width >= 80)


def test_file_is_no_folder_of_runs(make: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="not a folder"):
        run_figures(tmp_path / "notes.txt")


def test_no_folder_has_no_runs(make: Any) -> None:
    assert run_figures(make.root / "nowhere") == []
