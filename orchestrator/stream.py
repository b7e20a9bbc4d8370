"""Streaming jobs into a run and knowing when all have ended.

Submits jobs at home, at most ``ahead`` of what home has admitted, follows every node's event log,
and counts. Whatever node is lost and comes back, what was not admitted is submitted again; home
drops what it has already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from clusters.node_handle import NodeHandle
from dispatcher.messages import Follow, Refused, Submit
from jupiter.app import HOME
from jupiter.errors import ClusterError, JupiterError
from jupiter.events import (
    JobDone,
    JobFailed,
    JobReleased,
    Notice,
    QotChanged,
    TaskFailed,
    decode_event,
)
from jupiter.units import format_duration
from orchestrator.job_source import JobSource
from orchestrator.progress import INFO, WARNING, Progress


class JobStream:
    """One run's jobs, from submission to end."""

    def __init__(
        self, source: JobSource, nodes: Mapping[str, NodeHandle], progress: Progress, ahead: int
    ) -> None:
        self._source = source
        self._nodes = nodes
        self._progress = progress
        self._ahead = ahead
        self._offsets: dict[str, int] = {}
        self._torn: dict[str, bytes] = {}
        self._admitted: set[int] = set()
        self._submitted = 0
        self._may_submit = asyncio.Event()
        self._ended = asyncio.Event()
        self._problem: JupiterError | None = None
        self.released: set[str] = set()
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._told: set[str] = set()
        self._untold: dict[str, JobFailed] = {}
        """Jobs that failed and whose task's node has not said why yet."""

    def follow(self, handle: NodeHandle) -> None:
        """Follow a node's log from where we left off; at home also take up what it answers."""
        offset = self._offsets.setdefault(handle.name, 0)
        handle.on_log = lambda at, part: self._log_part(handle.name, at, part)
        if handle.name == HOME:
            handle.on_admitted = self._job_admitted
        handle.on_refused = lambda refused: self._refused(handle.name, refused)
        handle.tell(Follow(offset=offset))

    async def run(self) -> None:
        """Submit every job and return when all have ended. Raises JupiterError if that can't be."""
        submitting = asyncio.create_task(self._submit_all(), name="submit jobs")
        ended = asyncio.create_task(self._ended.wait(), name="all jobs ended")
        try:
            await asyncio.wait({submitting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if submitting.done():
                submitting.result()
            await ended
        finally:
            submitting.cancel()
            ended.cancel()
            await asyncio.gather(submitting, ended, return_exceptions=True)
            for event in list(self._untold.values()):
                self._tell_failure(event)
        if self._problem is not None:
            raise self._problem

    def give_up(self, problem: JupiterError) -> None:
        """The run can't go on."""
        self._problem = problem
        self._ended.set()

    def resubmit(self) -> None:
        """Home is back: what it had not admitted may be lost."""
        for index in range(self._submitted):
            if index not in self._admitted:
                self._submit(index)

    async def _submit_all(self) -> None:
        for index in range(self._source.count):
            while index - len(self._admitted) >= self._ahead:
                self._may_submit.clear()
                await self._may_submit.wait()
            self._submit(index)
            self._submitted = index + 1
            if index % 16 == 15:
                await asyncio.sleep(0)  # let answers in

    def _submit(self, index: int) -> None:
        files, payload = self._source.read(index)
        submit = Submit(job=self._source.name(index), index=index, files=files)
        self._nodes[HOME].tell(submit, payload)

    def _job_admitted(self, index: int) -> None:
        self._admitted.add(index)
        self._may_submit.set()

    def _refused(self, node: str, refused: Refused) -> None:
        self.give_up(ClusterError(f"{node}: {refused.seen}"))

    def _log_part(self, node: str, offset: int, part: bytes) -> None:
        self._offsets[node] = offset + len(part)
        lines = (self._torn.get(node, b"") + part).split(b"\n")
        self._torn[node] = lines.pop()
        for line in lines:
            try:
                self._event(decode_event(line))
            except msgspec.MsgspecError as error:
                self._progress.notice(f"{node} logged a line that can't be read: {error}")
        self._progress.counts(len(self.released), len(self.done), len(self.failed))
        if len(self.done) + len(self.failed) >= self._source.count:
            self._ended.set()

    def _event(self, event: object) -> None:
        if isinstance(event, JobReleased):
            self.released.add(event.job)
        elif isinstance(event, JobDone):
            self.done.add(event.job)
        elif isinstance(event, JobFailed):
            self.failed.add(event.job)
            if event.job not in self._told:
                self._untold[event.job] = event
        elif isinstance(event, TaskFailed) and not event.retried:
            self._tell_failure(event, event.stderr_tail)
        elif isinstance(event, QotChanged):
            kept = "broken" if event.violated else "kept"
            self._progress.notice(
                f"{event.node}: timeline {event.timeline} is {event.status}, accurate to "
                f"{format_duration(event.delivered_ns)}; the demand of "
                f"{format_duration(event.demanded_ns)} is {kept}",
                WARNING if event.violated else INFO,
            )
        elif isinstance(event, Notice):
            self._progress.notice(f"{event.node}: {event.text}", event.level)

    def _tell_failure(self, event: JobFailed | TaskFailed, stderr: str = "") -> None:
        """Once for each job. Its task's node and home log it, in any order; the node knows more."""
        self._untold.pop(event.job, None)
        if event.job not in self._told:
            self._told.add(event.job)
            words = (stderr.strip().splitlines() or [""])[-1]
            self._progress.failure(event.job, event.task, event.reason, words)
