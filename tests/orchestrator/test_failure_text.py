"""Failures on a page: alike ones together, and tracebacks without the frames of other code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.failure_text import alike, in_short, trim

TRACEBACK = """\
a word before
Traceback (most recent call last):
  File "/jupiter/dispatcher/call.py", line 72, in run_call
    task()
  File "/runs/r/nodes/node1/scripts/count.py", line 21, in task
    json.loads(text)
    ^^^^^^^^^^^^^^^^
  File "/usr/lib/python3/json/decoder.py", line 353, in raw_decode
    obj, end = self.scan_once(s, idx)
ValueError: no luck with 7"""


def failure(job: int, task: str = "count", reason: str = "") -> dict[str, Any]:
    return {"job": f"job{job}", "task": task, "reason": reason or f"no luck with {job}"}


def test_only_the_frames_of_the_task_are_shown() -> None:
    assert trim(TRACEBACK, [Path("/runs/r")], "ValueError: no luck with 7") == [
        "a word before",
        "Traceback (most recent call last):",
        '  File "count.py", line 21, in task',
        "    json.loads(text)",
        "    ^^^^^^^^^^^^^^^^",
    ]


def test_traceback_without_a_frame_of_the_task_is_whole() -> None:
    assert trim(TRACEBACK, [Path("/elsewhere")], "exit code 1") == TRACEBACK.splitlines()


def test_words_that_only_repeat_the_reason_are_left_out() -> None:
    assert trim("exit code 1\n", [], "exit code 1") == []
    assert trim("", [], "exit code 1") == []


def test_failures_that_differ_in_numbers_are_alike() -> None:
    failures = [failure(0, reason="exit code"), *map(failure, range(3)), failure(1, "other")]
    assert [len(group) for group in alike(failures)] == [3, 1, 1]


def report(failures: list[dict[str, Any]], **jobs: int) -> dict[str, Any]:
    counts = {"expected": 40, "released": 40, "done": 0, "failed": len(failures)}
    return {"failures": failures, "jobs": counts | jobs, "folder": "runs/r"}


def test_all_failures_on_one_line() -> None:
    failures = [*map(failure, range(3)), failure(9, "sum", "two\nlines")]
    assert in_short(report(failures)) == (
        "4 of 40 jobs failed: count: no luck with 0 × 3; sum: two lines × 1; "
        "more: jupiter report runs/r"
    )
    kinds = [failure(0, f"task{index}") for index in range(5)]
    assert "task2: no luck with 0 × 1; and 2 more kinds; more:" in in_short(report(kinds))


def test_run_that_broke_off_says_how_far_it_came() -> None:
    assert in_short(report([], done=7)) == "7 of 40 jobs done; more: jupiter report runs/r"
