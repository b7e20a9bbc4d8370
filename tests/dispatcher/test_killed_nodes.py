"""Real node processes, killed again and again while jobs stream through them."""

from __future__ import annotations

import os
import signal
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from jupiter.events import JobDone, JobFailed, JobReleased, NodeLost, NodeStarted, read_events
from orchestrator.options import RunOptions
from orchestrator.pipeline import run_app
from orchestrator.progress import Progress

JOBS = 80
KILLS = [(4, "node1"), (12, "home"), (22, "node1"), (32, "home"), (42, "node1"), (52, "home")]
"""(how many jobs are done, whom to kill), one after the other."""

FILES = {
    "app.yaml": """
        tasks:
          double: {outputs: [square, total], node: node1}
          square: {inputs: double, executor: streaming, node: home}
          total: {inputs: [square, double], outputs: home, node: node1}
        """,
    "scripts/double.py": """
        from pathlib import Path

        def task(name, pathin, pathout):
            number = int((Path(pathin) / name).read_text())
            (Path(pathout) / "double").write_text(str(2 * number))
        """,
    "scripts/square.py": """
        class Stage:
            def __init__(self, context):
                pass

            def process(self, job, inputs):
                return str(int(inputs["double"]) ** 2).encode()
        """,
    "scripts/total.py": """
        from pathlib import Path

        def task(names, pathin, pathout):
            square, double = (int((Path(pathin) / name).read_text()) for name in names)
            (Path(pathout) / "total").write_text(f"{square} + {double} = {square + double}")
        """,
}


def write_app(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
    (folder / "sample_input").mkdir()
    for number in range(JOBS):
        (folder / "sample_input" / f"{number}.txt").write_text(str(number))
    return folder


class Killer(Progress):
    """Watches the run and kills the next node when enough jobs are done and the node is up."""

    def __init__(self) -> None:
        super().__init__()
        self.left = list(KILLS)
        self.up = {"home": True, "node1": True}
        self.killed: list[int] = []

    def node(self, name: str, state: str, queue: int = 0) -> None:
        self.up[name] = state == "up"

    def counts(self, released: int, done: int, failed: int) -> None:
        if not self.left or not all(self.up.values()) or done < self.left[0][0]:
            return
        _, name = self.left.pop(0)
        self.up[name] = False
        assert self.run_path is not None
        log = self.run_path / "nodes" / name / "events.jsonl"
        started = [event for event in read_events(log) if isinstance(event, NodeStarted)]
        self.killed.append(started[-1].pid)
        os.kill(started[-1].pid, signal.SIGKILL)


@pytest.mark.timeout(120)
def test_every_job_comes_home_once_and_right(tmp_path: Path) -> None:
    (tmp_path / "nodes.txt").write_text("home localhost\nnode1 localhost\n")
    (tmp_path / "jupiter_config.py").write_text("WINDOW = 8\n")
    killer = Killer()
    options = RunOptions(
        app=write_app(tmp_path / "sums"),
        nodes=tmp_path / "nodes.txt",
        config=tmp_path / "jupiter_config.py",
        runs=tmp_path / "runs",
    )
    run = run_app(options, killer)

    events = list(read_events(run.events))
    lost = [event.pid for event in events if isinstance(event, NodeLost)]
    assert lost == killer.killed
    assert len(killer.killed) == len(KILLS), "the run was too short for its killer"
    jobs = {f"sums-{number:06d}": number for number in range(JOBS)}
    assert [event for event in events if isinstance(event, JobFailed)] == []
    assert {event.job for event in events if isinstance(event, JobReleased)} == set(jobs)
    done = Counter(event.job for event in events if isinstance(event, JobDone))
    assert set(done) == set(jobs)
    assert sum(done.values()) - len(done) <= 3 * 8, "an end is told twice by a home killed then"
    found = {
        str(path.relative_to(run.outputs)): path.read_text()
        for path in run.outputs.rglob("*")
        if path.is_file()
    }
    assert found == {
        f"{job}/total": f"{4 * number**2} + {2 * number} = {4 * number**2 + 2 * number}"
        for job, number in jobs.items()
    }
