"""Home's desk: takes jobs in, puts outputs where the user finds them.

Carries out what :mod:`dispatcher.home_brain` decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher import home_brain as brain
from dispatcher.content import Content
from dispatcher.home_brain import HomeBrain, Job
from dispatcher.messages import Delivery, Tombstone
from dispatcher.output_writer import OutputWriter
from dispatcher.spool import Below, Made, Received, Record, Retired
from jupiter.app import HOME
from jupiter.events import JobDone, JobFailed, JobReleased

if TYPE_CHECKING:
    from dispatcher.node import Node
    from qot.wait import Wake

OUTPUT = "home/output"
"""In the spool: the job's outputs are in the user's folder."""


class HomeDesk:
    """Lives on the node called home, beside its stages.

    admitted(index) is called when a submitted job is on disk and on its way.
    """

    def __init__(
        self,
        node: Node,
        home_brain: HomeBrain,
        *,
        ingress: tuple[str, ...],
        outputs: Path,
        admitted: Callable[[int], None],
    ) -> None:
        self._node = node
        self._brain = home_brain
        self._ingress = ingress
        self._outputs = outputs
        self.admitted = admitted
        self._journal_tickets: dict[int, int] = {}
        self._released: deque[int] = deque()
        self._collecting: deque[tuple[int, Job]] = deque()
        """Jobs that all sinks have reported for, each with the ticket of what they sent."""
        self._writer = OutputWriter(outputs, node.loop, self._written)
        self._handlers: dict[type, Callable[[Any], object]] = {
            brain.Release: self._release,
            brain.Collect: self._collect,
            brain.RetireEntry: lambda command: node.append(Retired(command.index, HOME)),
            brain.Ended: lambda command: node.tell_all_ended(command.below),
            brain.WatchRelease: self._watch_release,
        }

    def recover(self, recovered: list[tuple[Record, bytes]]) -> None:
        """Take up what the spool knows of before a restart."""
        ended: set[int] = set()
        entered: set[int] = set()
        for record, _ in recovered:
            if isinstance(record, Below):
                self._brain.recovered_below(record.index)
            elif isinstance(record, Retired) and record.task == OUTPUT:
                ended.add(record.index)
                self._brain.recovered_end(record.index)
            elif isinstance(record, Retired) and record.task == HOME:
                entered.add(record.index)
        for record, payload in recovered:
            if isinstance(record, Made) and record.task == HOME:
                if record.index in ended or record.index < self._brain.below:
                    continue
                content = Content.of_bytes(record.outputs[0][1], payload)
                retired = record.index in entered
                self._do(
                    self._brain.recovered_job(record.job, record.index, content, retired=retired)
                )
        for record, payload in recovered:
            if isinstance(record, Received) and record.delivery.child == HOME:
                delivery = record.delivery
                if not self.has_had(delivery):
                    content = Content(delivery.files, payload, delivery.crc32)
                    self._do(self._brain.delivered(delivery, content))
        if self._brain.below:
            self._node.tell_all_ended(self._brain.below)

    def submit(self, job: str, index: int, content: Content) -> None:
        """Journal a job and release it when its turn comes. A second submission changes nothing."""
        if self._brain.knows(index):
            if index not in self._journal_tickets:
                self.admitted(index)
            return
        made = Made(job, index, HOME, None, ((HOME, content.entries),))
        self._journal_tickets[index] = self._node.append(made, content.payload)
        self._do(self._brain.submitted(job, index, content))

    def committed(self, ticket: int) -> None:
        while self._released and self._journal_tickets.get(self._released[0], 0) <= ticket:
            index = self._released.popleft()
            self._journal_tickets.pop(index, None)
            self.admitted(index)
        while self._collecting and self._collecting[0][0] <= ticket:
            self._settle(self._collecting.popleft()[1])

    def has_had(self, delivery: Delivery) -> bool:
        return self._brain.has_from(delivery.index, delivery.parent)

    def delivered(self, delivery: Delivery, content: Content) -> None:
        self._do(self._brain.delivered(delivery, content))

    def entry_acknowledged(self, index: int, ingress: str) -> None:
        self._do(self._brain.entry_acknowledged(index, ingress))

    def close(self) -> None:
        self._writer.close()

    # Commands

    def _do(self, commands: list[brain.HomeCommand]) -> None:
        for command in commands:
            self._handlers[type(command)](command)

    def _watch_release(self, command: brain.WatchRelease) -> None:
        def came(_: Wake) -> None:  # in the alarm's thread
            self._node.loop.call_soon_threadsafe(
                lambda: self._do(self._brain.release_due(command.index))
            )

        self._node.clock.alarm.add(command.at_ns, came)

    def _release(self, command: brain.Release) -> None:
        job, content = command.job, command.job.content
        job.released = self._node.clock.stamp()
        self._node.log.add(
            JobReleased(
                node=HOME,
                at=job.released,
                job=job.job,
                index=job.index,
                files=[entry.name for entry in content.entries],
                size_bytes=len(content.payload),
                release_ns=job.release_ns,
            )
        )
        self._released.append(job.index)
        for ingress in self._ingress:
            delivery = Delivery(
                job=job.job,
                index=job.index,
                parent=HOME,
                child=ingress,
                source=HOME,
                files=content.entries,
                crc32=content.crc32,
                sent=job.released,
                release_ns=job.release_ns,
            )
            self._node.deliver(delivery, content)

    def _collect(self, command: brain.Collect) -> None:
        ticket = self._node.last_ticket
        if ticket <= self._node.committed_ticket:
            self._settle(command.job)
        else:
            self._collecting.append((ticket, command.job))

    def _settle(self, job: Job) -> None:
        """All that the sinks sent for this job is on disk."""
        if job.tombstone is None:
            self._writer.write(job)
        else:
            self._end([(job, self._failure(job, job.tombstone))])

    def _failure(self, job: Job, tombstone: Tombstone) -> JobFailed:
        return JobFailed(
            node=HOME,
            at=self._node.clock.stamp(),
            job=job.job,
            released=job.released,
            task=tombstone.task,
            reason=tombstone.reason,
        )

    def _written(self, results: list[tuple[Job, dict[str, int], str]]) -> None:
        ends: list[tuple[Job, JobDone | JobFailed]] = []
        for job, outputs, problem in results:
            if problem:
                ends.append((job, self._failure(job, Tombstone(HOME, problem))))
                continue
            done = JobDone(
                node=HOME,
                at=self._node.clock.stamp(),
                job=job.job,
                released=job.released,
                outputs=outputs,
            )
            ends.append((job, done))
        self._end(ends)

    def _end(self, ends: list[tuple[Job, JobDone | JobFailed]]) -> None:
        """Tell, then remember: a kill in between tells of the end twice rather than never."""
        for _, event in ends:
            self._node.log.add(event)
        if not self._node.log.flush():
            return  # the disk refuses: these jobs end after a restart
        for job, _ in ends:
            self._node.append(Retired(job.index, OUTPUT))
            if job.index in self._journal_tickets:  # submitted again while it was in the DAG
                self._released.append(job.index)
            self._do(self._brain.collected(job.index))
