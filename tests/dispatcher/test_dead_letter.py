"""A dead letter holds what it takes to understand the failure and to run the call again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from brain_bench import delivery, stage, stamp

from dispatcher.content import Content
from dispatcher.dead_letter import bury
from dispatcher.executors.base import File
from dispatcher.node_brain import Arrived, Instance


def failed_instance() -> Instance:
    instance = Instance(job="job-7", index=7, stage=stage(parents="ab"), release_ns=None, attempt=3)
    for parent, files in (("a", [File("x", b"1"), File("y", b"22")]), ("b", [File("x", b"3")])):
        made = Arrived(delivery(7, parent), Content.of(files), stamp())
        instance.arrived[parent] = made
    return instance


def test_inputs_reason_and_stderr_are_kept(tmp_path: Path) -> None:
    grave = bury(tmp_path, failed_instance(), "exit code 3", "it said: Übel\nand \udcff")
    assert grave == tmp_path / "job-7" / "s"
    assert (grave / "inputs/a/x").read_bytes() == b"1"
    assert (grave / "inputs/a/y").read_bytes() == b"22"
    assert (grave / "inputs/b/x").read_bytes() == b"3"
    assert (grave / "stderr.txt").read_text("utf-8") == "it said: Übel\nand \\udcff"
    facts = json.loads((grave / "reason.json").read_text())
    assert facts == {
        "job": "job-7",
        "index": 7,
        "task": "s",
        "attempts": 3,
        "reason": "exit code 3",
    }


def test_burying_again_after_a_restart_changes_nothing(tmp_path: Path) -> None:
    bury(tmp_path, failed_instance(), "why", "first")
    grave = bury(tmp_path, failed_instance(), "why", "second")
    assert (grave / "stderr.txt").read_text() == "second"


def test_a_job_that_failed_by_missing_inputs_has_a_grave_too(tmp_path: Path) -> None:
    instance = Instance(job="job-7", index=7, stage=stage(), release_ns=None)
    grave = bury(tmp_path, instance, "its inputs were missing at its instant", "")
    assert not (grave / "inputs").exists()
    assert (grave / "reason.json").exists()


def test_a_disk_that_refuses_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "job-7").write_text("in the way")
    with pytest.raises(OSError, match="job-7"):
        bury(tmp_path, failed_instance(), "why", "")
