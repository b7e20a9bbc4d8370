"""What a report is made from: the lock and the events of one run, sorted by kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jupiter.errors import JupiterError
from jupiter.events import (
    AnyEvent,
    JobDone,
    JobFailed,
    JobReleased,
    NodeLost,
    NodeStarted,
    Notice,
    Phase,
    QotChanged,
    ServiceExited,
    ServiceStarted,
    Stamp,
    TaskDone,
    TaskFailed,
)
from jupiter.run_folder import RunFolder
from jupiter.run_lock import RunLock

Truth = Callable[[int], int]
"""Turns a machine's CLOCK_MONOTONIC (ns) into the true time of the run's timeline (ns)."""


@dataclass(slots=True)
class RunData:
    """The events of a run by kind, in the order of the log.

    A job that is logged twice (home was restarted) counts once: the first release, the first end.
    A job that both failed and completed counts as failed.
    """

    folder: RunFolder
    lock: RunLock
    phases: list[Phase] = field(default_factory=list)
    released: dict[str, JobReleased] = field(default_factory=dict)
    done: dict[str, JobDone] = field(default_factory=dict)
    failed: dict[str, JobFailed] = field(default_factory=dict)
    calls: list[TaskDone] = field(default_factory=list)
    failed_calls: list[TaskFailed] = field(default_factory=list)
    node_starts: list[NodeStarted] = field(default_factory=list)
    node_losses: list[NodeLost] = field(default_factory=list)
    service_starts: list[ServiceStarted] = field(default_factory=list)
    service_exits: list[ServiceExited] = field(default_factory=list)
    qot_changes: list[QotChanged] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    damaged_lines: int = 0
    truth: Truth | None = None

    @property
    def unfinished(self) -> list[str]:
        """Jobs that were released and neither completed nor failed."""
        return [job for job in self.released if job not in self.done and job not in self.failed]

    def release_of(self, end: JobDone | JobFailed) -> Stamp | None:
        """When the job that ended was released, on home's clock."""
        if end.released is not None:
            return end.released
        release = self.released.get(end.job)
        return None if release is None else release.at

    def add(self, event: AnyEvent) -> None:
        """Sort one event in."""
        match event:
            case Phase():
                self.phases.append(event)
            case JobReleased():
                self.released.setdefault(event.job, event)
            case JobDone():
                if event.job not in self.failed:
                    self.done.setdefault(event.job, event)
            case JobFailed():
                self.failed.setdefault(event.job, event)
                self.done.pop(event.job, None)
            case TaskDone():
                self.calls.append(event)
            case TaskFailed():
                self.failed_calls.append(event)
            case NodeStarted():
                self.node_starts.append(event)
            case NodeLost():
                self.node_losses.append(event)
            case ServiceStarted():
                self.service_starts.append(event)
            case ServiceExited():
                self.service_exits.append(event)
            case QotChanged():
                self.qot_changes.append(event)
            case Notice():
                self.notices.append(event)


def read_run(folder: RunFolder, truth: Truth | None = None) -> RunData:
    """Everything about a run. truth replaces the one that the lock's clock models give.

    Raises JupiterError when the folder holds no readable lock.
    """
    lock = folder.read_lock()
    log = folder.read_log()
    data = RunData(folder, lock, damaged_lines=log.damaged_lines, truth=truth or truth_of(lock))
    for event in log.events:
        data.add(event)
    return data


def truth_of(lock: RunLock) -> Truth | None:
    """The true time of the run's timeline, where it can be known: when all nodes share one machine.

    The timeline is what the reference node's core clock shows: an emulated one, or CLOCK_MONOTONIC.
    """
    if lock.timeline is None or not lock.one_machine:
        return None
    from qot.clock import ClockModel, core_clock

    if lock.clock_models is None:
        return core_clock(None).from_monotonic_ns
    try:
        model = ClockModel.from_dict(lock.clock_models[lock.reference])
    except (KeyError, TypeError, ValueError) as error:
        raise JupiterError(
            f"the lock of {lock.run_id} has no usable clock model of its reference node "
            f"{lock.reference!r}: {error}"
        ) from error
    return core_clock(model).from_monotonic_ns
