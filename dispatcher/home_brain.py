"""What home decides: admit jobs, release them, collect what comes back, know what has ended. Pure.

At most ``window`` jobs are in the DAG at once; that bounds every queue in it and pushes back to the
source. A job that does not end holds the memory of those after it, so the newest job admitted is at
most ``SPAN_WINDOWS * window`` ahead of the oldest that has not ended.
"""

from __future__ import annotations

import heapq
from typing import Any

import msgspec

from dispatcher.messages import Delivery, Tombstone
from jupiter.events import Stamp

SPAN_WINDOWS = 16


class Job(msgspec.Struct, kw_only=True):
    """A job between its submission and its end.

    is_entered: it was submitted, so it is in the journal. is_in_flight: it is in the DAG.
    """

    job: str
    index: int
    content: Any
    release_ns: int | None = None
    released: Stamp | None = None
    unacknowledged: set[str] = set()
    arrived: dict[str, Any] = {}
    tombstone: Tombstone | None = None
    is_entered: bool = False
    is_in_flight: bool = False
    is_collecting: bool = False


class Release(msgspec.Struct):
    """Send the job's content to every ingress task; tell the roof that it is admitted."""

    job: Job


class Collect(msgspec.Struct):
    """All sinks have reported. When what they sent is on disk, so that the job can't end otherwise
    after a restart: write the outputs, or tell of the failure if there is a tombstone. Then answer
    with ``collected``."""

    job: Job


class RetireEntry(msgspec.Struct):
    """The ingress tasks have the job's input files; home needs them no more."""

    index: int


class Ended(msgspec.Struct):
    """Every job below this index has ended: remember it and tell all nodes."""

    below: int


class WatchRelease(msgspec.Struct):
    """Call ``release_due`` at ``at_ns`` of the timeline."""

    index: int
    at_ns: int


HomeCommand = Release | Collect | RetireEntry | Ended | WatchRelease


class HomeBrain:
    """Jobs of one run, at home.

    ingress, sinks: the tasks that jobs enter by, and those whose output comes home. A periodic app
    has the release of job 0, start_ns, and period_ns; lead_ns is how long before its release a job
    is sent out.
    """

    def __init__(
        self,
        *,
        ingress: tuple[str, ...],
        sinks: tuple[str, ...],
        window: int,
        start_ns: int | None = None,
        period_ns: int | None = None,
        lead_ns: int = 0,
    ) -> None:
        self._ingress = ingress
        self._sinks = frozenset(sinks)
        self._window = window
        self._start_ns = start_ns
        self._period_ns = period_ns
        self._lead_ns = lead_ns
        self._jobs: dict[int, Job] = {}
        self._waiting: list[int] = []
        """A heap: the oldest job goes first, so that it can't be kept out by the span."""
        self._in_flight = 0
        self._below = 0
        self._ended: set[int] = set()

    @property
    def below(self) -> int:
        return self._below

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def is_idle(self) -> bool:
        """Every job that was ever heard of has ended, and those before it."""
        return not (self._jobs or self._waiting or self._in_flight or self._ended)

    def knows(self, index: int) -> bool:
        """Was this job submitted before?"""
        if index < self._below or index in self._ended:
            return True
        job = self._jobs.get(index)
        return job is not None and job.is_entered

    def has_from(self, index: int, sink: str) -> bool:
        """Did this sink's delivery come before?"""
        if index < self._below or index in self._ended:
            return True
        job = self._jobs.get(index)
        return job is not None and sink in job.arrived

    # Submission and release

    def submitted(self, job: str, index: int, content: Any) -> list[HomeCommand]:
        """The job is new and journalled."""
        entry = self._job(job, index)
        entry.content = content
        entry.is_entered = True
        if entry.release_ns is not None:
            return [WatchRelease(index, entry.release_ns - self._lead_ns)]
        return self.release_due(index)

    def release_due(self, index: int) -> list[HomeCommand]:
        """The job may be sent out: it was submitted, and the instant of a periodic one came."""
        heapq.heappush(self._waiting, index)
        return self._admit()

    def _job(self, job: str, index: int) -> Job:
        entry = self._jobs.get(index)
        if entry is None:
            entry = Job(job=job, index=index, content=None)
            if self._start_ns is not None and self._period_ns is not None:
                entry.release_ns = self._start_ns + index * self._period_ns
            self._jobs[index] = entry
        return entry

    def _admit(self) -> list[HomeCommand]:
        commands: list[HomeCommand] = []
        while self._waiting:
            job = self._jobs.get(self._waiting[0])
            if job is not None and not job.is_collecting:
                if not job.is_in_flight and not self._has_room_for(job):
                    break
                self._enter_flight(job)
                job.unacknowledged = set(self._ingress)
                commands.append(Release(job))
            heapq.heappop(self._waiting)
        return commands

    def _has_room_for(self, job: Job) -> bool:
        in_span = job.index < self._below + SPAN_WINDOWS * self._window
        return in_span and self._in_flight < self._window

    def _enter_flight(self, job: Job) -> None:
        self._in_flight += not job.is_in_flight
        job.is_in_flight = True

    def entry_acknowledged(self, index: int, ingress: str) -> list[HomeCommand]:
        """An ingress task's node has the job on disk."""
        job = self._jobs.get(index)
        if job is None:
            return []
        job.unacknowledged.discard(ingress)
        if job.unacknowledged:
            return []
        job.content = None
        return [RetireEntry(index)]

    # Coming home

    def delivered(self, delivery: Delivery, content: Any) -> list[HomeCommand]:
        """A sink's delivery came home. Ask :meth:`has_from` first; a second one is not passed here.

        A job that is not known was sent out before a restart that came too soon for its journal
        entry: it is in the DAG, but perhaps not at all ingress tasks, and will be submitted again.
        """
        job = self._job(delivery.job, delivery.index)
        self._enter_flight(job)
        job.arrived[delivery.parent] = content
        if delivery.tombstone is not None and job.tombstone is None:
            job.tombstone = delivery.tombstone
        if self._sinks - job.arrived.keys() or job.is_collecting:
            return []
        job.is_collecting = True
        return [Collect(job)]

    def collected(self, index: int) -> list[HomeCommand]:
        """The job's outputs are written, or its failure told: it has ended."""
        job = self._jobs.pop(index)
        self._in_flight -= job.is_in_flight
        commands: list[HomeCommand] = []
        before = self._below
        self._end(index)
        if self._below > before:
            commands.append(Ended(self._below))
        return commands + self._admit()

    def _end(self, index: int) -> None:
        self._ended.add(index)
        self._advance()

    def _advance(self) -> None:
        while self._below in self._ended:
            self._ended.discard(self._below)
            self._below += 1

    # After a restart

    def recovered_below(self, below: int) -> None:
        """The journal says that every job under ``below`` had ended."""
        self._below = max(self._below, below)
        self._ended = {index for index in self._ended if index >= self._below}
        self._advance()

    def recovered_end(self, index: int) -> None:
        """The journal says that this job had ended."""
        if index >= self._below:
            self._end(index)

    def recovered_job(
        self, job: str, index: int, content: Any, *, retired: bool
    ) -> list[HomeCommand]:
        """The journal holds a job that had not ended. retired: its input files are in the DAG."""
        if not retired:
            return self.submitted(job, index, content)
        entry = self._job(job, index)
        entry.is_entered = True
        self._enter_flight(entry)
        return []
