"""The Plan: what would run where and when, as ``jupiter plan`` shows it. Types only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupiter.app import App
from jupiter.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Predicted:
    """When one job's task is predicted to run, in ns after the job's release."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A placement, and what is predicted of it.

    profiles says in words where the figures come from ("measured 2 min ago", "assumed").
    period_ns is the shortest time between jobs that the busiest node can sustain.
    """

    app: App
    nodes: tuple[str, ...]
    scheduler: str
    placement: dict[str, str]
    predicted: dict[str, Predicted]
    profiles: str
    period_ns: int | None = None
    timetable: Timetable | None = None
    notices: tuple[str, ...] = ()

    @property
    def makespan_ns(self) -> int:
        """From a job's release to the end of its last task, with nothing else running."""
        return max((task.end_ns for task in self.predicted.values()), default=0)

    @property
    def busy_ns(self) -> dict[str, int]:
        """How long one job keeps each node busy."""
        busy = dict.fromkeys(self.nodes, 0)
        for task, times in self.predicted.items():
            node = self.placement[task]
            busy[node] = busy.get(node, 0) + times.end_ns - times.start_ns
        return busy

    def as_dict(self) -> dict[str, Any]:
        """The same as data, for ``--json``; ``placement`` can be fed back with ``--mapping``."""
        return {
            "app": self.app.name,
            "nodes": list(self.nodes),
            "scheduler": self.scheduler,
            "placement": dict(self.placement),
            "predicted": {
                task: {"start_ns": times.start_ns, "end_ns": times.end_ns}
                for task, times in self.predicted.items()
            },
            "makespan_ns": self.makespan_ns,
            "period_ns": self.period_ns,
            "busy_ns": self.busy_ns,
            "profiles": self.profiles,
            "timetable": None if self.timetable is None else self.timetable.as_dict(),
            "notices": list(self.notices),
        }
