"""A made-up run: every figure of its report is known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupiter.app import Trigger
from jupiter.events import (
    AnyEvent,
    Arrival,
    Firing,
    JobDone,
    JobReleased,
    NodeStarted,
    Phase,
    Stamp,
    TaskDone,
)
from jupiter.profile import LinkProfile, TaskProfile
from jupiter.run_folder import RunFolder
from jupiter.run_lock import LockedApp, LockedProfiles, LockedTask, LockedTimeline, RunLock

MS = 1_000_000
UNIX = 1_700_000_000_000_000_000


@dataclass
class Maker:
    """Makes stamps on a timeline that is ``core + 1 s``, read with ``error`` ± ``bound`` ns."""

    root: Path
    errors: dict[str, int] = field(default_factory=dict)
    bound: int = 1000

    def stamp(self, core_ns: int, node: str = "home") -> Stamp:
        estimate = core_ns + 1_000 * MS + self.errors.get(node, 0)
        return Stamp(estimate, estimate - self.bound, estimate + self.bound, core_ns)

    @staticmethod
    def truth(core_ns: int) -> int:
        return core_ns + 1_000 * MS

    def lock(self, timed: bool = False, **changes: object) -> RunLock:
        trigger = Trigger.TIME if timed else Trigger.EVENT
        tasks = {
            "split": LockedTask(children=["left", "right"], parents=["home"]),
            "left": LockedTask(children=["join"], parents=["split"], trigger=trigger),
            "right": LockedTask(children=["join"], parents=["split"], trigger=trigger),
            "join": LockedTask(children=["home"], parents=["left", "right"]),
        }
        values: dict[str, object] = {
            "run_id": "made-up",
            "app": LockedApp(
                name="made_up",
                folder="apps/made_up",
                dialect="yaml",
                tasks=tasks,
                ingress=["split"],
            ),
            "nodes": ["home", "node1", "node2"],
            "placement": {"split": "node1", "left": "node1", "right": "node2", "join": "node1"},
            "scheduler": "heft",
            "timeline": LockedTimeline(name="main", accuracy_ns=MS) if timed else None,
            "profiles": LockedProfiles(
                links=[LinkProfile("node1", "node2", latency_ns=MS, bandwidth_bit_s=8e6)],
                tasks=[TaskProfile("join", "node1", 2.5 * MS, 3.0 * MS, {})],
            ),
        }
        return RunLock(**(values | changes))

    def call(
        self,
        job: int,
        task: str,
        node: str,
        start_ms: float,
        run_ms: float,
        arrivals: list[Arrival] | None = None,
        firing: Firing | None = None,
        attempt: int = 1,
        wait_ms: float = 0.5,
    ) -> TaskDone:
        start = round(start_ms * MS)
        end = start + round(run_ms * MS)
        return TaskDone(
            node=node,
            job=f"job{job}",
            task=task,
            attempt=attempt,
            ready=self.stamp(start - round(wait_ms * MS), node),
            started=self.stamp(start, node),
            ended=self.stamp(end, node),
            arrivals=arrivals or [],
            outputs={"next": 100},
            firing=firing,
        )

    def arrival(
        self, parent: str, source: str, target: str, sent_ms: float, delay_ms: float, size: int
    ) -> Arrival:
        sent = round(sent_ms * MS)
        received = sent + round(delay_ms * MS)
        return Arrival(
            parent, source, 1, size, self.stamp(sent, source), self.stamp(received, target)
        )

    def job(self, index: int, *, period_ms: float = 10, timed: bool = False) -> list[AnyEvent]:
        """One job that takes 9 ms: split 1 ms, left 2 ms and right 3 ms, join 2 ms."""
        t = index * period_ms
        fired = {
            name: Firing(
                planned_ns=self.truth(round((t + 3) * MS)),
                woke=self.stamp(round((t + 3) * MS) + late, node),
                late_ns=late,
                verdict="on_time",
                status="synchronized",
            )
            for name, node, late in (("left", "node1", 100), ("right", "node2", 300))
        }
        return [
            JobReleased(
                node="home", at=self.stamp(round(t * MS)), job=f"job{index}", index=index,
                files=["in"], size_bytes=100,
            ),
            self.call(index, "split", "node1", t + 1, 1,
                      [self.arrival("home", "home", "node1", t, 0.5, 100)]),
            self.call(index, "left", "node1", t + 3, 2,
                      [self.arrival("split", "node1", "node1", t + 2, 0.1, 1000)],
                      fired["left"] if timed else None),
            self.call(index, "right", "node2", t + 3, 3,
                      [self.arrival("split", "node1", "node2", t + 2, 0.5, 1000)],
                      fired["right"] if timed else None),
            self.call(index, "join", "node1", t + 6.5, 2,
                      [self.arrival("left", "node1", "node1", t + 5, 0.1, 10),
                       self.arrival("right", "node2", "node1", t + 6, 0.4, 10)]),
            JobDone(
                node="home", at=self.stamp(round((t + 9) * MS)), job=f"job{index}",
                released=self.stamp(round(t * MS)), outputs={f"job{index}/out.txt": 10 + index},
            ),
        ]  # fmt: skip

    def write(self, lock: RunLock, events: list[AnyEvent]) -> RunFolder:
        folder = RunFolder(self.root / lock.run_id)
        folder.path.mkdir(parents=True)
        folder.write_lock(lock)
        folder.append(*events)
        return folder

    def good_run(self, jobs: int = 4, *, timed: bool = False) -> RunFolder:
        """A run of ``jobs`` jobs, 10 ms apart, that all succeed."""
        events: list[AnyEvent] = [
            Phase(node="roof", name="start", unix_ns=UNIX, core_ns=self.stamp(-20 * MS).core_ns),
            NodeStarted(node="node1", pid=11),
            NodeStarted(node="node2", pid=12),
            Phase(node="roof", name="stream", unix_ns=UNIX + 20 * MS),
        ]
        for index in range(jobs):
            events += self.job(index, timed=timed)
        events.append(Phase(node="roof", name="stop", unix_ns=UNIX + 70 * MS))
        return self.write(self.lock(timed, jobs_expected=jobs), events)


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "runs")


@pytest.fixture
def make_at() -> Callable[[Path], Maker]:
    return Maker
