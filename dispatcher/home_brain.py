"""What home decides: admit jobs, release them, collect what comes back, know what has ended. Pure.

At most ``window`` jobs are in the DAG at once; that bounds every queue in it and pushes back to the
source. A job that does not end holds the memory of those after it, so the newest job admitted is at
most ``SPAN_WINDOWS * window`` ahead of the oldest that has not ended.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Any

import msgspec

from dispatcher.messages import Delivery, Tombstone
from jupiter.events import Stamp

SPAN_WINDOWS = 16


class Job(msgspec.Struct, kw_only=True):
    """A job between its submission and its end."""

    job: str
    index: int
    content: Any
    release_ns: int | None = None
    released: Stamp | None = None
    unacknowledged: set[str] = set()
    arrived: dict[str, Any] = {}
    tombstone: Tombstone | None = None
    is_collecting: bool = False


class Release(msgspec.Struct):
    """Send the job's content to every ingress task; tell the roof that it is admitted."""

    job: Job


class Collect(msgspec.Struct):
    """All sinks have reported: write the outputs, then answer with ``collected``."""

    job: Job


class ReportJobFailed(msgspec.Struct):
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


HomeCommand = Release | Collect | ReportJobFailed | RetireEntry | Ended | WatchRelease


class HomeBrain:
    """Jobs of one run, at home.

    ingress, sinks: the tasks that jobs enter by, and those whose output comes home. release_ns(index)
    gives the planned release of periodic apps; lead_ns is how long before it the job is sent out.
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
        self._waiting: deque[Job] = deque()
        self._in_flight = 0
        self._below = 0
        self._ended: list[int] = []

    @property
    def below(self) -> int:
        return self._below

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def knows(self, index: int) -> bool:
        """Was this job submitted before?"""
        return index < self._below or index in self._jobs or index in self._ended

    def has_from(self, index: int, sink: str) -> bool:
        """Did this sink's delivery come before?"""
        if index < self._below or index in self._ended:
            return True
        job = self._jobs.get(index)
        return job is not None and sink in job.arrived

    # Submission and release

    def submitted(self, job: str, index: int, content: Any) -> list[HomeCommand]:
        """The job is new and journalled."""
        entry = Job(job=job, index=index, content=content, release_ns=self._planned_ns(index))
        self._jobs[index] = entry
        if entry.release_ns is not None:
            return [WatchRelease(index, entry.release_ns - self._lead_ns)]
        self._waiting.append(entry)
        return self._admit()

    def release_due(self, index: int) -> list[HomeCommand]:
        """The instant to send out a periodic job came."""
        self._waiting.append(self._jobs[index])
        return self._admit()

    def _planned_ns(self, index: int) -> int | None:
        if self._start_ns is None or self._period_ns is None:
            return None
        return self._start_ns + index * self._period_ns

    def _admit(self) -> list[HomeCommand]:
        commands: list[HomeCommand] = []
        while self._waiting and self._in_flight < self._window:
            job = self._waiting[0]
            if job.index >= self._below + SPAN_WINDOWS * self._window:
                break
            self._waiting.popleft()
            self._in_flight += 1
            job.unacknowledged = set(self._ingress)
            commands.append(Release(job))
        return commands

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
        """A sink's delivery came home. Ask :meth:`has_from` first; a second one is not passed here."""
        job = self._jobs.get(delivery.index)
        if job is None:
            # A restart lost the job's journal entry only if it was retired: the DAG has it.
            job = Job(job=delivery.job, index=delivery.index, content=None)
            job.release_ns = self._planned_ns(delivery.index)
            self._jobs[delivery.index] = job
            self._in_flight += 1
        job.arrived[delivery.parent] = content
        if delivery.tombstone is not None and job.tombstone is None:
            job.tombstone = delivery.tombstone
        if self._sinks - job.arrived.keys() or job.is_collecting:
            return []
        job.is_collecting = True
        if job.tombstone is not None:
            return [ReportJobFailed(job), *self.collected(job.index)]
        return [Collect(job)]

    def collected(self, index: int) -> list[HomeCommand]:
        """The job's outputs are written, or its failure reported: it has ended."""
        del self._jobs[index]
        self._in_flight -= 1
        heapq.heappush(self._ended, index)
        commands: list[HomeCommand] = []
        before = self._below
        while self._ended and self._ended[0] <= self._below:
            if heapq.heappop(self._ended) == self._below:
                self._below += 1
        if self._below > before:
            commands.append(Ended(self._below))
        return commands + self._admit()

    # After a restart

    def recovered_below(self, below: int) -> None:
        self._below = max(self._below, below)

    def recovered_end(self, index: int) -> None:
        """The journal says that this job had ended."""
        if index >= self._below and index not in self._ended:
            heapq.heappush(self._ended, index)
            while self._ended and self._ended[0] <= self._below:
                if heapq.heappop(self._ended) == self._below:
                    self._below += 1

    def recovered_job(
        self, job: str, index: int, content: Any, *, retired: bool
    ) -> list[HomeCommand]:
        """The journal holds a job that had not ended. ``retired``: its input files are in the DAG."""
        if not retired:
            return self.submitted(job, index, content)
        entry = Job(job=job, index=index, content=None, release_ns=self._planned_ns(index))
        self._jobs[index] = entry
        self._in_flight += 1
        return []
