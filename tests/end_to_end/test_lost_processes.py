"""Processes killed in the middle of a run: all jobs come home, right, and none twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import Gate, Visitor
from jupiter_command import Ended, Jupiter, Running
from processes import child, children, new_child, parent_of, wait_for_end
from tiny_apps import numbered_inputs, write_app

from jupiter.events import JobDone, JobFailed, NodeLost, NodeStarted, TaskFailed

JOBS = 10
NODE, ZYGOTE, TIME_SERVICE = (
    "dispatcher.node_main",
    "dispatcher.executors.zygote",
    "qot.service_main",
)
"""What the command lines of a run's processes contain."""

RELAY = {
    "app.yaml": """
        tasks:
          split: {outputs: [left, right], output_policy: scatter}
          left: {inputs: split}
          right: {inputs: split, executor: streaming}
          join: {inputs: [left, right], outputs: home}
        """,
    "scripts/split.py": """
        from pathlib import Path

        from gate import hold

        def task(name, pathin, pathout):
            number = (Path(pathin) / name).read_text()
            if "split" == "{holder}" and number == "{held}":
                hold(number)
            (Path(pathout) / "a").write_text(number)
            (Path(pathout) / "b").write_text(number)
        """,
    "scripts/left.py": """
        from pathlib import Path

        def task(name, pathin, pathout):
            (Path(pathout) / "left").write_text("left of " + (Path(pathin) / name).read_text())
        """,
    "scripts/right.py": """
        from gate import hold

        class Stage:
            def __init__(self, context):
                self.task = context.task

            def process(self, job, inputs):
                number = inputs["split"].decode()
                if "right" == "{holder}" and number == "{held}":
                    hold(number)
                return [("right", f"right of {number}".encode())]
        """,
    "scripts/join.py": """
        from pathlib import Path

        from gate import hold

        def task(names, pathin, pathout):
            left, right = ((Path(pathin) / name).read_text() for name in names)
            if "join" == "{holder}" and left == "left of {held}":
                hold("{held}")
            (Path(pathout) / "whole.txt").write_text(f"{left}, {right}")
        """,
}
PLACEMENT = {"split": "node1", "left": "node1", "right": "node2", "join": "node2"}
RIGHT = {
    f"relay-{job:06d}/whole.txt": f"left of {job + 1}, right of {job + 1}" for job in range(JOBS)
}


def relay(folder: Path, gate: Gate, holder: str, held: str) -> Path:
    """An app of which the task ``holder`` stops at the gate with the job of content ``held``."""
    files = {
        name: text.replace("{holder}", holder).replace("{held}", held)
        for name, text in RELAY.items()
    }
    return write_app(
        folder / "relay",
        {**files, "scripts/gate.py": gate.module},
        inputs=numbered_inputs(JOBS),
    )


def start(jupiter: Jupiter, gate: Gate, holder: str, held: str = "5") -> tuple[Running, Visitor]:
    """The relay in the middle of its run, with one call held; the first job's is a trial."""
    app = relay(jupiter.folder, gate, holder, held)
    running = jupiter.start_run(app, "--mapping", jupiter.mapping(**PLACEMENT))
    return running, running.arrival_at(gate)


def expect_all_right_and_none_twice(ended: Ended) -> None:
    ended.expect(0)
    assert ended.outputs() == RIGHT
    assert sorted(os.listdir(ended.folder.outputs)) == sorted({n.split("/")[0] for n in RIGHT})
    assert {event.job for event in ended.events if isinstance(event, JobDone)} == {
        name.split("/")[0] for name in RIGHT
    }
    assert not [event for event in ended.events if isinstance(event, JobFailed)]
    assert ended.json["jobs"]["done"] == JOBS


def losses(ended: Ended) -> list[str]:
    return [event.lost for event in ended.events if isinstance(event, NodeLost)]


@pytest.mark.parametrize(
    ("victim", "holder"),
    [
        pytest.param("home", "split", id="home"),
        pytest.param("node1", "split", id="host of the ingress, in a call"),
        pytest.param("node2", "join", id="host of the sink, in a call"),
        pytest.param("node2", "right", id="host of a streaming stage, in a call"),
        pytest.param("node2", "split", id="host of the sink, while nothing reaches it"),
    ],
)
def test_a_node_that_is_killed_comes_back_and_loses_nothing(
    jupiter: Jupiter, gate: Gate, victim: str, holder: str
):
    running, _ = start(jupiter, gate, holder)
    pid = running.node_pid(victim)
    os.kill(pid, signal.SIGKILL)
    running.wait_for(f"node {victim}: lost")
    running.wait_for(f"node {victim}: up")
    gate.open()
    ended = running.end()
    expect_all_right_and_none_twice(ended)
    assert losses(ended) == [victim]
    starts = [e for e in ended.events if isinstance(e, NodeStarted) and e.node == victim]
    assert [(start.pid == pid, start.restarts) for start in starts] == [(True, 0), (False, 1)]
    assert ended.json["nodes"][victim]["losses"] == [{"pid": pid, "reason": "killed by signal 9"}]


@pytest.mark.parametrize("victim", ["home", "node1", "node2"])
def test_a_node_that_is_killed_twice_in_a_row_comes_back(jupiter: Jupiter, gate: Gate, victim: str):
    running, _ = start(jupiter, gate, "split")
    for _ in range(2):
        os.kill(running.node_pid(victim), signal.SIGKILL)
        running.wait_for(f"node {victim}: lost")
        running.wait_for(f"node {victim}: up")
    gate.open()
    ended = running.end()
    expect_all_right_and_none_twice(ended)
    assert losses(ended) == [victim, victim]


@pytest.mark.parametrize("victim", ["home", "node1"])
def test_a_node_that_is_killed_again_before_it_is_ready_comes_back(
    jupiter: Jupiter, gate: Gate, victim: str
):
    running, _ = start(jupiter, gate, "split")
    before = children(running.pid, NODE)
    os.kill(running.node_pid(victim), signal.SIGKILL)
    os.kill(new_child(running.pid, NODE, before), signal.SIGKILL)
    running.wait_for(f"node {victim}: up")
    gate.open()
    ended = running.end()
    expect_all_right_and_none_twice(ended)
    assert losses(ended) == [victim, victim]


def test_all_nodes_killed_at_once_come_back(jupiter: Jupiter, gate: Gate):
    running, _ = start(jupiter, gate, "split")
    nodes = ["home", "node1", "node2"]
    for pid in [running.node_pid(node) for node in nodes]:
        os.kill(pid, signal.SIGKILL)
    for _ in nodes:
        running.wait_for("node .*: up")
    gate.open()
    ended = running.end()
    expect_all_right_and_none_twice(ended)
    assert sorted(losses(ended)) == nodes


@pytest.mark.parametrize("victim", ["home", "node1", "node2"])
def test_a_node_that_is_killed_while_tasks_are_tried_comes_back(
    jupiter: Jupiter, gate: Gate, victim: str
):
    running, _ = start(jupiter, gate, "join", held="1")
    assert "stream" not in running.said
    os.kill(running.node_pid(victim), signal.SIGKILL)
    running.wait_for(f"node {victim}: lost")
    gate.open()
    ended = running.end()
    expect_all_right_and_none_twice(ended)
    assert losses(ended) == [victim]


def zygote_of(running: Running, visitor: Visitor) -> int:
    return child(running.node_pid(visitor.node), ZYGOTE)


def template_of(running: Running, visitor: Visitor) -> int:
    return parent_of(visitor.pid)


def call_itself(running: Running, visitor: Visitor) -> int:
    return visitor.pid


@pytest.mark.parametrize(
    ("find", "holder"),
    [
        pytest.param(call_itself, "split", id="an isolated call"),
        pytest.param(call_itself, "right", id="a streaming worker"),
        pytest.param(template_of, "join", id="the process that calls are forked from"),
        pytest.param(zygote_of, "split", id="the zygote of a node"),
    ],
)
def test_a_task_process_that_is_killed_is_a_failed_call_that_is_tried_again(
    jupiter: Jupiter, gate: Gate, find: Callable[[Running, Visitor], int], holder: str
):
    running, visitor = start(jupiter, gate, holder)
    os.kill(find(running, visitor), signal.SIGKILL)
    assert wait_for_end(visitor.pid)
    gate.open()
    ended = running.end()
    expect_all_right_and_none_twice(ended)
    assert losses(ended) == []
    failed = [event for event in ended.events if isinstance(event, TaskFailed)]
    assert {(event.task, event.job, event.retried) for event in failed} == {
        (holder, "relay-000004", True)
    }
    assert all(event.reason for event in failed)


@pytest.mark.parametrize("node", ["home", "node1"])
def test_a_time_service_that_is_killed_is_started_again(jupiter: Jupiter, gate: Gate, node: str):
    running, _ = start(jupiter, gate, "split")
    service = child(running.node_pid(node), TIME_SERVICE)
    os.kill(service, signal.SIGKILL)
    new_child(running.node_pid(node), TIME_SERVICE, {service})
    gate.open()
    ended = running.end()
    expect_all_right_and_none_twice(ended)
    assert losses(ended) == []
