"""What every executor offers to the node: give it a call, get an outcome. No more.

An executor runs other people's code. Nothing that code does (raise, exit, hang, eat memory, leave
threads or processes behind) may reach the node process as anything but an :class:`Outcome`.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class File:
    """One file of a delivery: its base name, and its content in memory or on disk.

    Exactly one of data and path is set. A path belongs to the node (spool or staging) and must not
    be written to or removed; link or copy it. In an output, child names the only child that the
    file is for (a streaming stage said so); None leaves that to the task's output policy.
    """

    name: str
    data: bytes | memoryview | None = None
    path: Path | None = None
    child: str | None = None

    @property
    def size_bytes(self) -> int:
        if self.data is not None:
            return len(self.data)
        assert self.path is not None
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What an executor needs to know of a task; reaches the node as JSON.

    scripts_folder is this node's staged copy of the app's scripts. files_per_call is Jupiter's
    NUM_INPUTS: 1 hands the task a str, more a list of str; None means all files of the job, as a
    str when there is exactly one. environment is added to the task's environment. memory_bytes is
    how much address space a call (a process, for loop and streaming) may add to what importing the
    module took.
    """

    name: str
    module: str
    scripts_folder: str
    children: tuple[str, ...]
    executor: str = "isolated"
    files_per_call: int | None = None
    args: tuple[str, ...] = ()
    timeout_ns: int | None = None
    memory_bytes: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One execution of a task for one job: its input files in parent order.

    by_parent gives the same files grouped: (parent task, its files), in parent order. firing tells
    a time-triggered task its own instant: planned_ns, estimate_ns, earliest_ns, latest_ns, status.
    """

    task: str
    job: str
    attempt: int
    by_parent: list[tuple[str, list[File]]]
    firing: dict[str, int | str] | None = None

    @property
    def files(self) -> list[File]:
        return [file for _, files in self.by_parent for file in files]


@dataclass(slots=True)
class Outcome:
    """How a call ended. Times are CLOCK_MONOTONIC ns, taken around the task's own code.

    outputs are in close order; up to 1 MiB they have data, larger ones (never those of a streaming
    task) have a path below ``folder``. The folder is the node's from here on: it calls
    ``release()`` when the outputs are in its spool, which may take the files by renaming them.
    reason is empty on success, else says in words what happened.
    """

    ok: bool
    started_ns: int
    ended_ns: int
    outputs: list[File] = field(default_factory=list)
    reason: str = ""
    exit_code: int | None = None
    stderr_tail: str = ""
    peak_memory_bytes: int = 0
    folder: Path | None = None

    def release(self) -> None:
        """Remove the folder of the outputs on disk, if there is one. May be called again."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


class Executor(ABC):
    """Runs the calls of one task. Lives in the node's event loop; never blocks it."""

    @abstractmethod
    async def start(self) -> None:
        """Get ready, so that the first call pays nothing extra.

        Raises JupiterError with the reason: the task's code can't be found, imported or made.
        """

    @abstractmethod
    def submit(self, call: Call, done: Callable[[Call, Outcome], None]) -> None:
        """Begin a call. ``done`` is called exactly once, later, in the event loop's thread."""

    @abstractmethod
    async def stop(self) -> None:
        """End what runs, with a failure of reason "stopped" as its outcome; leave no process."""
