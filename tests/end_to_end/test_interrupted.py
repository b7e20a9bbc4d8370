"""A run that is stopped from outside: nothing stays behind but a folder that can be read."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from gate import Gate
from jupiter_command import APPS, Ended, Jupiter
from tiny_apps import numbered_inputs, write_app

from jupiter.events import Phase

INTERRUPTED = 130
TERMINATED = 143


def app_with_a_gate(folder: Path, gate: Gate, *, held: str) -> Path:
    """Two tasks and a service; ``work`` stops at the gate with the job of content ``held``."""
    return write_app(
        folder / "held",
        {
            "app.yaml": """
                tasks:
                  work: {}
                  after: {inputs: work, executor: streaming}
                services:
                  beside: {command: [python, beside.py]}
                """,
            "scripts/gate.py": gate.module,
            "scripts/work.py": f"""
                import subprocess
                import sys
                from pathlib import Path

                from gate import hold

                def task(name, pathin, pathout):
                    number = (Path(pathin) / name).read_text()
                    if number == {held!r}:
                        idle = "import signal; signal.pause()"
                        subprocess.Popen([sys.executable, "-c", idle], start_new_session=True)
                        hold(number)
                    (Path(pathout) / name).write_text(number)
                """,
            "scripts/after.py": """
                class Stage:
                    def __init__(self, context):
                        self.task = context.task

                    def process(self, job, inputs):
                        return inputs["work"]
                """,
            "scripts/beside.py": """
                import signal

                signal.pause()
                """,
        },
        inputs=numbered_inputs(6),
    )


def expect_nothing_left(jupiter: Jupiter, ended: Ended) -> None:
    assert jupiter.left_over() == {}
    with_keys = [
        path
        for path in ended.folder.path.rglob("*")
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    ]
    assert with_keys == []


def expect_readable(jupiter: Jupiter, ended: Ended) -> None:
    """``runs`` lists it, and ``report`` says what was done, or why there is nothing to say."""
    listed = jupiter("runs", "--runs", jupiter.runs, "--json").expect(0)
    assert ended.folder.run_id in [run["run"] for run in listed.json]
    report = jupiter("report", ended.folder.path, "--json")
    if ended.folder.lock.is_file():
        assert report.expect(0).json["status"] == "incomplete"
    else:
        assert "before it was planned" in report.expect(1).stderr


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C", "SIGINT to jupiter alone"])
@pytest.mark.parametrize("phase", ["start", "profile", "stream"])
def test_ctrl_c_leaves_nothing_but_a_readable_folder(
    jupiter: Jupiter, gate: Gate, phase: str, whole_group: bool
):
    app = app_with_a_gate(jupiter.folder, gate, held="1" if phase == "profile" else "3")
    running = jupiter.start_run(app)
    if phase == "start":
        running.wait_for("start: 3 nodes")
    else:
        running.arrival_at(gate)
    running.signal(signal.SIGINT, whole_group=whole_group)
    ended = running.end()
    ended.expect(INTERRUPTED)
    expect_nothing_left(jupiter, ended)
    expect_readable(jupiter, ended)
    assert "stopped with Ctrl-C" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [event.name for event in ended.events if isinstance(event, Phase)][-1] == "stop"


def test_what_was_done_before_ctrl_c_is_in_the_report(jupiter: Jupiter, gate: Gate):
    running = jupiter.start_run(app_with_a_gate(jupiter.folder, gate, held="3"), nodes=2)
    running.arrival_at(gate)
    running.signal(signal.SIGINT)
    ended = running.end().expect(INTERRUPTED)
    report = jupiter("report", ended.folder.path, "--json").expect(0).json
    done = set(report["outputs"]["jobs"])
    assert "held-000002" not in done  # it is at the gate; others may overtake it
    assert report["jobs"]["released"] >= 3
    assert report["jobs"]["unfinished"] == report["jobs"]["released"] - len(done)
    for job in done:
        assert (ended.folder.outputs / job).is_dir()


def test_json_says_that_it_was_stopped(jupiter: Jupiter):
    running = jupiter.start_run(APPS / "hello", nodes=2)
    running.wait_for("profile")
    running.signal(signal.SIGINT)
    ended = running.end().expect(INTERRUPTED)
    assert [error["seen"] for error in json.loads(ended.stdout)["errors"]] == [
        "stopped with Ctrl-C"
    ]


@pytest.mark.parametrize("phase", ["start", "stream"])
def test_sigterm_stops_a_run_as_ctrl_c_does(jupiter: Jupiter, gate: Gate, phase: str):
    running = jupiter.start_run(app_with_a_gate(jupiter.folder, gate, held="3"))
    if phase == "start":
        running.wait_for("start: 3 nodes")
    else:
        running.arrival_at(gate)
    running.signal(signal.SIGTERM)
    expect_terminated(jupiter, running.end())


def test_sigterm_stops_a_run_that_a_shell_started_with_an_ampersand(jupiter: Jupiter, gate: Gate):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the shell does, and it is inherited
    try:
        running = jupiter.start_run(app_with_a_gate(jupiter.folder, gate, held="3"))
    finally:
        signal.signal(signal.SIGINT, before)
    running.arrival_at(gate)
    running.signal(signal.SIGTERM)
    expect_terminated(jupiter, running.end())


def expect_terminated(jupiter: Jupiter, ended: Ended) -> None:
    ended.expect(TERMINATED)
    assert "stopped by SIGTERM; what was" in ended.stderr
    assert [error["seen"] for error in ended.json["errors"]] == ["stopped by SIGTERM"]
    expect_nothing_left(jupiter, ended)
    expect_readable(jupiter, ended)


def test_a_second_ctrl_c_while_it_stops_does_no_harm(jupiter: Jupiter, gate: Gate):
    running = jupiter.start_run(app_with_a_gate(jupiter.folder, gate, held="3"))
    running.arrival_at(gate)
    running.signal(signal.SIGINT, whole_group=True)
    running.wait_for("stop")
    running.signal(signal.SIGINT, whole_group=True)
    ended = running.end()
    ended.expect(INTERRUPTED)
    assert jupiter.left_over() == {}
    expect_readable(jupiter, ended)


@pytest.mark.parametrize("phase", ["start", "profile", "stream"])
def test_a_killed_jupiter_leaves_no_process(jupiter: Jupiter, gate: Gate, phase: str):
    app = app_with_a_gate(jupiter.folder, gate, held="1" if phase == "profile" else "3")
    running = jupiter.start_run(app)
    if phase == "start":
        running.wait_for("start: 3 nodes")
    else:
        running.arrival_at(gate)
        assert len(jupiter.processes()) > 6
    running.signal(signal.SIGKILL)
    ended = running.end().expect(-signal.SIGKILL)
    assert jupiter.left_over() == {}
    expect_readable(jupiter, ended)


def test_a_run_folder_without_its_lock_says_why_there_is_no_report(jupiter: Jupiter):
    running = jupiter.start_run(APPS / "hello", nodes=2)
    running.wait_for("start: 2 nodes")
    running.signal(signal.SIGINT)
    ended = running.end().expect(INTERRUPTED)
    assert not ended.folder.lock.exists()
    report = jupiter("report", ended.folder.path)
    assert report.code == 1
    assert "start it again" in report.stderr
