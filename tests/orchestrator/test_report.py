"""Reports of made-up runs: every figure is known beforehand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jupiter.errors import JupiterError
from jupiter.events import (
    JobDone,
    JobFailed,
    NodeLost,
    NodeStarted,
    Notice,
    QotChanged,
    ServiceExited,
    ServiceStarted,
    TaskFailed,
)
from jupiter.run_folder import RunFolder, create_run
from orchestrator.report import make_report
from orchestrator.report_text import report_text

MS = 1_000_000
DOC = Path(__file__).parents[2] / "docs" / "report.md"


def report_of(folder: RunFolder, make: Any) -> dict[str, Any]:
    return make_report(folder, pictures=False, truth=make.truth)


def all_of(value: int) -> dict[str, int]:
    return {"p50_ns": value, "p95_ns": value, "p99_ns": value, "max_ns": value}


def page(report: dict[str, Any], width: int = 100) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(report_text(report))
    return capture.get()


def test_jobs_of_a_good_run(make: Any) -> None:
    report = report_of(make.good_run(4), make)
    assert report["status"] == "succeeded"
    assert report["jobs"] == {
        "expected": 4,
        "released": 4,
        "done": 4,
        "failed": 0,
        "unfinished": 0,
        "latency": all_of(9 * MS),
        "slowest_job": "job3",
        "stream_ns": 39 * MS,
        "throughput_per_s": 102.564,
        "first_output_ns": 29 * MS,
    }


def test_outputs_and_phases(make: Any) -> None:
    folder = make.good_run(2)
    report = report_of(folder, make)
    assert report["outputs"] == {
        "folder": str(folder.outputs.resolve()),
        "files": 2,
        "bytes": 21,
        "median_bytes": 10,
        "jobs": {"job0": {"job0/out.txt": 10}, "job1": {"job1/out.txt": 11}},
    }
    assert [(phase["name"], phase["duration_ns"]) for phase in report["phases"]] == [
        ("start", 20 * MS),
        ("stream", 50 * MS),
        ("stop", None),
    ]


def test_tasks_in_the_order_of_the_config(make: Any) -> None:
    tasks = report_of(make.good_run(3), make)["tasks"]
    assert list(tasks) == ["split", "left", "right", "join"]
    assert tasks["join"] == {
        "node": "node1",
        "nodes": ["node1"],
        "count": 3,
        "repeats": 0,
        "run": all_of(2 * MS),
        "wait": all_of(MS // 2),
        "predicted_run_ns": 2_500_000,
        "failures": 0,
        "retries": 0,
        "output_bytes": 300,
        "peak_memory_bytes": 0,
    }


def test_link_delay_is_an_interval_that_holds_the_truth(make: Any) -> None:
    make.errors = {"node1": -400, "node2": 600}
    links = report_of(make.good_run(3), make)["links"]
    found = {(link["source"], link["target"]): link for link in links}
    assert list(found) == [
        ("home", "node1"),
        ("node1", "node1"),
        ("node1", "node2"),
        ("node2", "node1"),
    ]
    link = found["node1", "node2"]
    delay = {"p50_ns": 501_000, "p50_low_ns": 499_000, "p50_high_ns": 503_000}
    assert link["delay"] == {
        **delay,
        **{key.replace("p50", "p95"): value for key, value in delay.items()},
        **{key.replace("p50", "max"): value for key, value in delay.items()},
    }
    assert link["true_delay"] == {"p50_ns": 500_000, "p95_ns": 500_000, "max_ns": 500_000}
    assert link["inside_share"] == 1.0
    assert (link["count"], link["bytes"], link["median_bytes"]) == (3, 3000, 1000)
    assert link["predicted_delay_ns"] == 2 * MS
    assert link["rate_bit_s"] == round(8000 / 501e-6)


def test_delivery_on_one_node_is_exact(make: Any) -> None:
    make.errors = {"node1": 700}
    links = report_of(make.good_run(1), make)["links"]
    local = next(link for link in links if link["source"] == link["target"])
    assert local["delay"]["p50_low_ns"] == local["delay"]["p50_high_ns"] == 100_000
    assert local["inside_share"] is None


def test_broken_promise_of_a_clock_shows(make: Any) -> None:
    make.errors = {"node2": 5_000}
    links = report_of(make.good_run(2), make)["links"]
    held = {(link["source"], link["target"]): link["inside_share"] for link in links}
    assert held["node1", "node2"] == 0.0
    assert held["home", "node1"] == 1.0


def test_nodes(make: Any) -> None:
    nodes = report_of(make.good_run(2), make)["nodes"]
    assert nodes["node1"] == {
        "tasks": ["split", "left", "join"],
        "calls": 6,
        "busy_ns": 10 * MS,
        "starts": 1,
        "losses": [],
    }


def failed_run(make: Any) -> RunFolder:
    """job0 succeeds after a retry; job1 fails for good; job2 was still running."""
    events = [*make.job(0), *make.job(1)[:2], make.job(2)[0]]
    events += [
        TaskFailed(node="node2", job="job0", task="right", attempt=1, reason="exit code 3",
                   exit_code=3, stderr_tail="once", retried=True),
        TaskFailed(node="node2", job="job1", task="right", attempt=1, reason="exit code 3",
                   exit_code=3, stderr_tail="first", retried=True),
        TaskFailed(node="node2", job="job1", task="right", attempt=2, reason="timed out after 1 s",
                   stderr_tail="Traceback\nValueError: no [bold] luck"),
        JobFailed(node="home", at=make.stamp(30 * MS), job="job1", task="right",
                  reason="timed out after 1 s"),
        NodeLost(node="roof", lost="node2", pid=12, reason="killed by signal 9"),
        NodeStarted(node="node2", pid=13, restarts=1),
        ServiceStarted(node="node1", service="helper", pid=5),
        ServiceExited(node="node1", service="helper", exit_code=1, stderr_tail="oh"),
        QotChanged(node="node1", timeline="main", status="holdover", delivered_ns=2 * MS,
                   demanded_ns=MS, violated=True),
        Notice(node="home", level="warning", text="careful"),
    ]  # fmt: skip
    folder: RunFolder = make.write(make.lock(jobs_expected=3), events)
    (folder.dead_letter / "job1" / "right").mkdir(parents=True)
    return folder


def test_failures_have_reason_and_stderr(make: Any) -> None:
    folder = failed_run(make)
    report = report_of(folder, make)
    assert report["status"] == "failed"
    assert report["failures"] == [
        {
            "job": "job1",
            "task": "right",
            "reason": "timed out after 1 s",
            "node": "node2",
            "attempts": 2,
            "exit_code": None,
            "stderr_tail": "Traceback\nValueError: no [bold] luck",
            "dead_letter": str((folder.dead_letter / "job1" / "right").resolve()),
        }
    ]
    assert [(g["reason"], g["count"], g["retried"]) for g in report["failed_calls"]] == [
        ("exit code 3", 2, 2),
        ("timed out after 1 s", 1, 0),
    ]
    assert report["tasks"]["right"]["failures"] == 3
    assert report["tasks"]["right"]["retries"] == 2
    assert report["jobs"]["unfinished"] == 1
    assert report["nodes"]["node2"]["losses"] == [{"pid": 12, "reason": "killed by signal 9"}]
    assert report["services"]["helper"]["starts"] == 1


def test_page_of_a_failed_run_tells_all_that_matters(make: Any) -> None:
    text = page(report_of(failed_run(make), make))
    for words in (
        "some jobs failed",
        "right on node2: timed out after 1 s  job1",
        "ValueError: no [bold] luck",
        "right: exit code 3  × 2",
        "node node2 was lost: killed by signal 9",
        "quality of time 2 ms is worse than the 1 ms wanted",
        "service helper ended with exit code 1",
        "home: careful",
    ):
        assert words in text


def test_what_happened_often_is_counted(make: Any) -> None:
    lost = [NodeLost(node="roof", lost="node2", pid=pid, reason="killed") for pid in range(40)]
    notices = [Notice(node="home", level="warning", text=text) for text in ("a", "b", "a")]
    broken = [
        QotChanged(node="node1", timeline="main", status="holdover", delivered_ns=worse * MS,
                   demanded_ns=MS, violated=True)
        for worse in (2, 5, 3)
    ]  # fmt: skip
    folder = make.write(make.lock(), [*make.job(0), *lost, *notices, *broken])
    text = page(report_of(folder, make))
    assert "node node2 was lost: killed  × 40" in text
    assert "quality of time 5 ms is worse than the 1 ms wanted (holdover)  × 3" in text
    assert [line.strip() for line in text.splitlines() if "home:" in line] == [
        "• home: a  × 2",
        "• home: b",
    ]


def test_missing_jobs_make_a_run_incomplete(make: Any) -> None:
    folder = make.write(make.lock(jobs_expected=3), make.job(0))
    assert report_of(folder, make)["status"] == "incomplete"


def test_no_job_at_all_is_not_success(make: Any) -> None:
    folder = make.write(make.lock(), [])
    report = report_of(folder, make)
    assert report["status"] == "incomplete"
    assert "before every job did" in page(report)


def test_job_counted_twice_counts_once_and_repeats_are_told(make: Any) -> None:
    """Home was restarted: it lost the job's release, and the stages ran again."""
    again = make.job(0)
    end = again[-1]
    again[-1] = JobDone(node="home", at=end.at, job="job0", outputs=end.outputs)
    folder = make.write(make.lock(jobs_expected=1), [*make.job(0)[:-1], *again, again[-1]])
    report = report_of(folder, make)
    assert report["jobs"]["done"] == 1
    assert report["jobs"]["latency"]["p50_ns"] == 9 * MS
    assert report["tasks"]["left"]["repeats"] == 1


def test_same_folder_same_bytes(make: Any) -> None:
    folder = make.good_run(3, timed=True)
    make_report(folder)
    first = {path.name: path.read_bytes() for path in folder.report.iterdir()}
    make_report(RunFolder(folder.path))
    assert {path.name: path.read_bytes() for path in folder.report.iterdir()} == first
    assert set(first) == {
        "report.json", "timeline.svg", "timeline.png", "dag.svg", "dag.png",
    }  # fmt: skip


def test_truncated_last_line_changes_nothing(make: Any) -> None:
    folder = make.good_run(3)
    before = report_of(folder, make)
    with folder.events.open("ab") as log:
        log.write(b'{"event":"job_failed","node":"ho')
    assert report_of(folder, make) == before


def test_damaged_lines_are_told(make: Any) -> None:
    folder = make.good_run(1)
    folder.events.write_bytes(b"{broken}\n" + folder.events.read_bytes())
    assert "1 damaged lines" in report_of(folder, make)["notices"][0]["text"]


def test_json_file_is_what_was_returned(make: Any) -> None:
    folder = make.good_run(2, timed=True)
    report = make_report(folder, truth=make.truth)
    assert json.loads((folder.report / "report.json").read_bytes()) == report
    assert report["pictures"][0] == "report/timeline.svg"


def test_run_without_a_lock_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(JupiterError, match="nothing to report"):
        make_report(create_run(tmp_path, "a"))


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_page_fits_and_names_are_whole(make: Any, width: int) -> None:
    report = report_of(make.good_run(5, timed=True), make)
    report["folder"] = report["outputs"]["folder"] = "runs/made-up"
    text = page(report, width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    for name in report["tasks"]:
        assert re.search(rf"^{name} ", text, re.MULTILINE)
    assert ("for a wider terminal: " in text) is (width < 100)


def test_run_with_many_tasks_on_a_node_names_some(make: Any) -> None:
    report = report_of(make.good_run(1), make)
    report["nodes"]["node1"]["tasks"] = [f"task{index}" for index in range(9)]
    assert "node1: task0, task1, task2, task3, task4, task5, … and 3 more" in page(report)


def test_every_key_is_documented(make: Any) -> None:
    make.good_run(2, timed=True)
    reports = [make_report(RunFolder(make.root / "made-up"), pictures=False, truth=make.truth)]
    make.root = make.root / "failed"
    reports.append(report_of(failed_run(make), make))
    documented = set(re.findall(r"`([a-z0-9_]+)`", DOC.read_text(encoding="utf-8")))
    documented |= {f"{name}_{end}" for name in ("p50", "p95", "p99", "max")
                   for end in ("ns", "low_ns", "high_ns")}  # fmt: skip
    documented |= {"on_time", "synchronized", "detail"}
    for report in reports:
        assert _keys(report) - documented == set()


def _keys(value: object, by_name: bool = False) -> set[str]:
    """All keys, but for those that are names of tasks, nodes, jobs, services and files."""
    if isinstance(value, list):
        return {key for each in value for key in _keys(each)}
    if not isinstance(value, dict):
        return set()
    named = {"tasks", "nodes", "services", "stages", "placement", "jobs"}
    found = set() if by_name else set(value)
    for key, inner in value.items():
        names = not by_name and key in named and isinstance(inner, dict) and "done" not in inner
        if key == "jobs" and names:
            continue
        found |= _keys(inner, by_name=names)
    return found
