"""The App: a DAG of tasks plus services, whatever dialect its folder is written in.

Plain immutable types: reading a folder is the business of :mod:`jupiter.app_formats`, judging it
that of :mod:`jupiter.app_check`. This module imports the standard library alone, so that a node
process can use it without paying for a parser.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

HOME = "home"
"""Name of the node that jobs enter and leave by, and of the sink in a task's ``children``."""


class OutputPolicy(StrEnum):
    """Which children get which of a task's output files."""

    BROADCAST = "broadcast"
    """Every file goes to every child (``true`` in configuration.txt)."""
    SCATTER = "scatter"
    """The i-th closed file goes to the i-th child (``false``); the counts must agree."""
    BY_NAME = "by_name"
    """A file named ``<task>_<child>_<base>`` goes to that child (Jupiter v5)."""


class Executor(StrEnum):
    """The contract between Jupiter and a task's code."""

    ISOLATED = "isolated"
    """``task(files, pathin, pathout)`` in a fresh process per call."""
    STREAMING = "streaming"
    """``Stage().process(job, inputs)``: a long-lived object, called per job with bytes."""
    LOOP = "loop"
    """Jupiter v5: ``task(q, pathin, pathout, task_name)``, a loop that takes names from ``q``."""


class Trigger(StrEnum):
    """What makes a stage run."""

    EVENT = "event"
    TIME = "time"


class LatePolicy(StrEnum):
    """What a time-triggered stage does when its inputs are not there at its instant."""

    LATE = "late"
    """Run as soon as they are there, marked late."""
    SKIP = "skip"
    """Fail this job at this stage, with that reason."""
    HOLD_LAST = "hold_last"
    """Run at the instant with the newest earlier job's inputs where this job's are missing."""
    EVENT = "event"
    """From then on, run this stage by its inputs alone."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing of a whole app. Durations in ns.

    accuracy_ns is the largest tolerable one-sided error of an instant, resolution_ns the largest
    tolerable tick. jobs is how many periods a run makes when no input files drive it.
    """

    timeline: str
    period_ns: int
    accuracy_ns: int
    resolution_ns: int = 1_000
    late: LatePolicy = LatePolicy.LATE
    jobs: int | None = None
    line: int | None = None
    """Where the config declares it, for messages."""


@dataclass(frozen=True, slots=True)
class TaskTiming:
    """The timing of one task. None means: let the timetable decide.

    offset_ns: start after the job's release. budget_ns: the longest it may run. deadline_ns: when
    it must have ended, counted from the job's release.
    """

    offset_ns: int | None = None
    budget_ns: int | None = None
    deadline_ns: int | None = None
    late: LatePolicy | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One vertex of the DAG.

    module is the Python module (a dotted or slashed path below the app's scripts folder, without
    ``.py``). children are task names or :data:`HOME`, in the order of the config. files_per_call is
    Jupiter's NUM_INPUTS: the number of files one call takes; None means all the files of the job.
    inputs are the parents in the order the author wants them, where a dialect lets him say so.
    """

    name: str
    module: str
    children: tuple[str, ...]
    files_per_call: int | None = None
    output_policy: OutputPolicy = OutputPolicy.BROADCAST
    executor: Executor = Executor.ISOLATED
    args: tuple[str, ...] = ()
    retries: int = 2
    timeout_ns: int | None = None
    cores: float = 1.0
    memory_bytes: int | None = None
    profiled: bool = True
    """False for Jupiter's "super tasks", which are measured at home only."""
    trigger: Trigger = Trigger.EVENT
    timing: TaskTiming = TaskTiming()
    node: str | None = None
    """A node that the author pins this task to."""
    line: int | None = None
    """Where the config declares it, for messages."""
    inputs: tuple[str, ...] | None = None
    """The declared parents, which may include HOME; None: those that name it, in config order."""


@dataclass(frozen=True, slots=True)
class Service:
    """A long-lived process beside the DAG, run in the scripts folder, restarted if it dies."""

    name: str
    argv: tuple[str, ...]
    children: tuple[str, ...] = ()
    node: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class App:
    """An app, read and not yet judged.

    folder is the APP folder; scripts the folder that tasks see as ``/centralized_scheduler``;
    config the file that declares the DAG; sample_input the folder of the input files.
    ingress are the tasks that jobs enter by; files_per_job how many input files make one job.
    taskmap lines and other app data stay in the folder; tasks read them there.
    """

    name: str
    folder: Path
    scripts: Path
    config: Path
    sample_input: Path | None
    dialect: str
    tasks: dict[str, Task]
    ingress: tuple[str, ...]
    services: dict[str, Service] = field(default_factory=dict)
    files_per_job: int = 1
    timing: Timing | None = None
    static_placement: dict[str, str] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    """Extra ports of app_config.ini: service port → port inside."""
    warnings: tuple[str, ...] = ()

    def parents(self, task: str) -> tuple[str, ...]:
        """The tasks that send to ``task``, in the order that its call gets their files in.

        That is the declared order of its inputs, else the order of the config. HOME is among them
        for an ingress: first, unless the inputs say where.
        """
        found = self.tasks[task].inputs
        if found is None:
            found = tuple(name for name, other in self.tasks.items() if task in other.children)
        return (HOME, *found) if task in self.ingress and HOME not in found else found

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Every (task, task) edge of the DAG, without home, in the order of the config."""
        return tuple(
            (task.name, child)
            for task in self.tasks.values()
            for child in task.children
            if child in self.tasks
        )

    @property
    def sinks(self) -> tuple[str, ...]:
        """The tasks whose output goes to home."""
        return tuple(task.name for task in self.tasks.values() if HOME in task.children)
