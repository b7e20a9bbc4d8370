"""A time-triggered app that loses nodes: no firing outside its bound, no job that is stuck."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from gate import Gate
from jupiter_command import APPS, Ended, Jupiter
from processes import child, new_child
from tiny_apps import write_app

from jupiter.events import NodeLost, TaskDone

JOBS = 14
TIME_SERVICE = "qot.service_main"


def fusion_with_a_gate(folder: Path, gate: Gate) -> Path:
    """sensor_fusion, whose ``fuse`` reports at the gate once in the middle of the run.

    It waits there for as long as the test takes to kill: what has to fire meanwhile does so, as
    fuse runs in a process of its own.
    """
    source = APPS / "sensor_fusion"
    scripts = {
        f"scripts/{path.name}": path.read_text() for path in (source / "scripts").glob("*.py")
    }
    fuse = scripts["scripts/fuse.py"]
    scripts["scripts/fuse.py"] = fuse + GATED
    scripts["scripts/gate.py"] = gate.module
    return write_app(
        folder / "sensor_fusion", {"app.yaml": (source / "app.yaml").read_text(), **scripts}
    )


GATED = """


from gate import hold

_Fuse = Stage


class Stage(_Fuse):
    def process(self, job, inputs):
        if job.endswith("-000004"):
            hold(job)
        return super().process(job, inputs)
"""


def expect_every_job_ended_with_a_reason(ended: Ended) -> None:
    jobs = ended.json["jobs"]
    assert jobs["unfinished"] == 0
    assert jobs["done"] + jobs["failed"] == JOBS
    assert jobs["done"] > 0
    assert len(ended.json["failures"]) == jobs["failed"]
    assert all(failure["reason"] for failure in ended.json["failures"])
    assert ended.code == (1 if jobs["failed"] else 0), ended.stderr
    assert sorted(os.listdir(ended.folder.outputs)) == sorted(ended.json["outputs"]["jobs"])


def expect_promises_kept(ended: Ended) -> None:
    total = ended.json["timing"]["total"]
    assert total["firings"] > 0
    assert total["inside"] == total["firings"]
    for event in ended.events:
        if isinstance(event, TaskDone) and event.firing is not None:
            assert event.firing.woke.earliest_ns <= event.firing.woke.latest_ns
    for link in ended.json["links"]:
        assert link["inside_share"] in (1.0, None)


@pytest.mark.parametrize("victim", ["home", "node1", "node2"])
def test_a_lost_node_fails_jobs_at_most_and_breaks_no_promise(
    jupiter: Jupiter, gate: Gate, victim: str
):
    app = fusion_with_a_gate(jupiter.folder, gate)
    running = jupiter.start_run(app, "--jobs", str(JOBS), nodes=4)
    running.arrival_at(gate)
    os.kill(running.node_pid(victim), signal.SIGKILL)
    gate.open()
    running.wait_for(f"node {victim}: up")
    ended = running.end()
    assert [event.lost for event in ended.events if isinstance(event, NodeLost)] == [victim]
    expect_every_job_ended_with_a_reason(ended)
    expect_promises_kept(ended)


@pytest.mark.parametrize("node", ["home", "node1"])
def test_a_lost_time_service_breaks_no_promise(jupiter: Jupiter, gate: Gate, node: str):
    app = fusion_with_a_gate(jupiter.folder, gate)
    running = jupiter.start_run(app, "--jobs", str(JOBS), nodes=4)
    running.arrival_at(gate)
    service = child(running.node_pid(node), TIME_SERVICE)
    os.kill(service, signal.SIGKILL)
    new_child(running.node_pid(node), TIME_SERVICE, {service})
    gate.open()
    ended = running.end()
    expect_every_job_ended_with_a_reason(ended)
    expect_promises_kept(ended)
    assert not [event for event in ended.events if isinstance(event, NodeLost)]
