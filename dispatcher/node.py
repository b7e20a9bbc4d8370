"""The node runtime: carries out what the brains decide.

One event loop. Deliveries come in (:mod:`dispatcher.inbound`), are spooled, and go to the brain at
once; executors run the calls; outputs leave by :mod:`dispatcher.peer_link`. What the roof asks is
answered in :mod:`dispatcher.node_control`; home's own desk is :mod:`dispatcher.home`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from dispatcher import node_brain as brain
from dispatcher.content import Content, ContentTooLargeError
from dispatcher.dead_letter import bury
from dispatcher.event_log import EventLog
from dispatcher.executor_pool import ExecutorPool, ServiceEvent
from dispatcher.executors.base import Call, Outcome
from dispatcher.home import HomeDesk
from dispatcher.inbound import InboundData
from dispatcher.messages import Delivery, Peer
from dispatcher.node_brain import Instance, NodeBrain
from dispatcher.node_clock import NodeClock
from dispatcher.peer_link import PeerLink
from dispatcher.qot_watch import QotWatch
from dispatcher.routing import RoutingError, route_outputs
from dispatcher.spool import Below, Made, Received, Record, Retired, Spool
from dispatcher.time_trigger import Woke
from jupiter.app import HOME, Executor
from jupiter.events import (
    Arrival,
    Notice,
    Stamp,
    TaskDone,
    TaskFailed,
)
from qot.wait import Wake

_FORGET_AFTER_S = 0.05


class Node:
    """One node of a run. ``folder`` holds all it leaves: log, spool, work folders."""

    def __init__(
        self, name: str, folder: Path, clock: NodeClock, client_context: ssl.SSLContext
    ) -> None:
        self.name = name
        self.folder = folder
        self.clock = clock
        self.log = EventLog(folder / "events.jsonl", self._disk_failed)
        self.links: dict[str, PeerLink] = {}
        self.executors = ExecutorPool(name, folder)
        self.brain: NodeBrain | None = None
        self.home: HomeDesk | None = None
        self.qot_watch: QotWatch | None = None
        self.dead_letters = folder.parent.parent / "dead_letter"
        self.loop = asyncio.get_running_loop()
        self._client_context = client_context
        self._spool = Spool(folder / "spool", committed=self._committed, failed=self._disk_failed)
        self._placement: dict[str, str] = {}
        self._inbound: set[InboundData] = set()
        self._local: deque[tuple[int, Delivery]] = deque()
        self.last_ticket = self.committed_ticket = 0
        """Of the spool: what was received or noted last, and what is on disk."""
        self._to_do: deque[brain.Command] = deque()
        self._is_doing = False
        self._disk_problem = ""
        self.disk_watchers: set[Callable[[str], None]] = set()
        """Told why, when the disk refuses: the log may not be able to say it."""
        self._is_stopped = False
        self._ended_below = self._told_below = 0
        self._ended_before_begin = 0
        self._commands: dict[type, Callable[[Any], None]] = {
            brain.StartCall: self._start_call,
            brain.Send: self._send,
            brain.Retire: self._retire,
            brain.RetryLater: self._retry_later,
            brain.ReportFailure: self._report_failure,
            brain.WatchInstant: self._watch_instant,
            brain.Warn: lambda command: self.notice("warning", command.text),
        }

    # Life

    def meet(self, peers: list[Peer]) -> None:
        """Get connected to every other node."""
        for peer in peers:
            if peer.name != self.name and peer.name not in self.links:
                link = PeerLink(peer, self._client_context, self._acknowledged_by_peer)
                self.links[peer.name] = link
                link.start()

    def begin(
        self, node_brain: NodeBrain, home: HomeDesk | None, placement: dict[str, str]
    ) -> None:
        """Take up work: what the spool still owes first, then new deliveries.

        Raises SpoolError or OSError, and then has not begun.
        """
        recovered = list(self._spool.recover())
        self._spool.start()
        self._placement = {**placement, HOME: HOME}
        self.brain, self.home = node_brain, home
        self._is_doing = True  # what the spool leads to is done when all of it is known
        try:
            self._replay(node_brain, recovered)
            if home is not None:
                home.recover(recovered)
        finally:
            self._is_doing = False
        self._do([])
        self.jobs_ended(self._ended_before_begin)

    def _replay(self, node_brain: NodeBrain, recovered: list[tuple[Record, bytes]]) -> None:
        self._do(node_brain.start_timing(self.clock.stamp().estimate_ns))
        for record, _ in recovered:
            if isinstance(record, Below):
                self._do(node_brain.handle(brain.JobsEnded(record.index)))
            elif isinstance(record, Retired):
                self._do(node_brain.handle(brain.StageRetired(record.index, record.task)))
        for record, payload in recovered:
            if isinstance(record, Made) and record.task != HOME:
                self._recover_outputs(record, payload)
        for record, payload in recovered:
            if isinstance(record, Received) and record.delivery.child != HOME:
                content = Content(record.delivery.files, payload, record.delivery.crc32)
                self._hand_over(record.delivery, content)

    async def stop(self) -> None:
        """End tidily; every record is on disk and no process is left. May be called again."""
        if self._is_stopped:
            return
        self._is_stopped = True
        if self.qot_watch is not None:
            await self.qot_watch.stop()
        await self.executors.stop()
        await asyncio.gather(*(link.stop() for link in self.links.values()))
        for inbound in list(self._inbound):
            inbound.close("this node stops")
        if self.home is not None:
            self.home.close()
        self._spool.close()
        self.log.flush()

    def watch_qot(self, timeline: str, demanded_ns: int) -> None:
        """From now on, log each change of the delivered quality of time against the demand."""
        self.qot_watch = QotWatch(
            self.name,
            self.clock,
            timeline=timeline,
            demanded_ns=demanded_ns,
            report=self.log.add,
        )
        self.qot_watch.start()

    def service_event(self, event: ServiceEvent) -> None:
        """A service started or ended."""
        self.log.add(msgspec.structs.replace(event, at=self.clock.stamp()))

    def notice(self, level: str, text: str) -> None:
        self.log.add(Notice(node=self.name, at=self.clock.stamp(), level=level, text=text))

    # Deliveries in

    def inbound(self) -> InboundData:
        """A neighbour connected."""
        inbound = InboundData(
            self._accept,
            self.jobs_ended,
            self._inbound.discard,
            lambda text: self.notice("warning", text),
        )
        self._inbound.add(inbound)
        return inbound

    def _accept(self, delivery: Delivery, content: Content) -> int | None:
        """Spool and hand over one delivery; returns the ticket to acknowledge it after."""
        if self.brain is None or self._disk_problem:
            return None
        if delivery.child == HOME and self.home is not None:
            known = self.home.has_had(delivery)
        else:
            known = self.brain.knows(delivery.index, delivery.parent, delivery.child)
        if not known:
            self.last_ticket = self._spool.append(Received(delivery), content.payload)
            self._hand_over(delivery, content)
        elif self.last_ticket <= self.committed_ticket:
            self.loop.call_soon(self._committed, self.committed_ticket)
        return self.last_ticket

    def _hand_over(self, delivery: Delivery, content: Content) -> None:
        if delivery.child == HOME and self.home is not None:
            self.home.delivered(delivery, content)
        else:
            assert self.brain is not None
            event = brain.Delivered(delivery, content, self.clock.stamp())
            self._do(self.brain.handle(event))

    def jobs_ended(self, below: int) -> None:
        """Home says that all jobs below this index have ended."""
        if self.brain is None:
            self._ended_before_begin = max(self._ended_before_begin, below)
        elif below > self.brain.below:
            self._do(self.brain.handle(brain.JobsEnded(below)))
            self._spool.forget(below)

    def tell_all_ended(self, below: int) -> None:
        """Home itself knows that all jobs below this index have ended. Nobody is in a hurry to
        forget, so it is told a little later, once for many."""
        if self._ended_below == self._told_below:
            self.loop.call_later(_FORGET_AFTER_S, self._tell_ended)
        self._ended_below = below

    def _tell_ended(self) -> None:
        below = self._told_below = self._ended_below
        if self._is_stopped:
            return
        self.jobs_ended(below)
        for link in self.links.values():
            link.tell_finished(below)

    # Deliveries out

    def _send(self, command: brain.Send) -> None:
        instance = command.instance
        content = command.content if command.content is not None else Content.empty()
        self.deliver(
            Delivery(
                job=instance.job,
                index=instance.index,
                parent=instance.stage.name,
                child=command.child,
                source=self.name,
                files=content.entries,
                crc32=content.crc32,
                sent=self.clock.stamp(),
                release_ns=instance.release_ns,
                tombstone=command.tombstone,
            ),
            content,
        )

    def deliver(self, delivery: Delivery, content: Content) -> None:
        """Bring a delivery to the node of its child, which may be this one."""
        target = self._placement[delivery.child]
        if target != self.name:
            self.links[target].send(delivery, content.payload)
            return
        ticket = self._accept(delivery, content)
        if ticket is not None:  # a disk that refuses has been reported; the job stays owed
            self._local.append((ticket, delivery))

    def _committed(self, ticket: int) -> None:
        self.committed_ticket = ticket
        for inbound in self._inbound:
            inbound.committed(ticket)
        while self._local and self._local[0][0] <= ticket:
            self._acknowledged(self._local.popleft()[1])
        if self.home is not None:
            self.home.committed(ticket)

    def _acknowledged_by_peer(self, delivery: Delivery) -> None:
        self._acknowledged(delivery)

    def _acknowledged(self, delivery: Delivery) -> None:
        if delivery.parent == HOME and self.home is not None:
            self.home.entry_acknowledged(delivery.index, delivery.child)
        elif self.brain is not None:
            event = brain.DeliveryAcknowledged(delivery.index, delivery.parent, delivery.child)
            self._do(self.brain.handle(event))

    def append(self, record: Made | Retired, payload: bytes | memoryview = b"") -> int:
        """Spool something of home's own."""
        self.last_ticket = self._spool.append(record, payload)
        return self.last_ticket

    @property
    def disk_problem(self) -> str:
        """Why this node takes no deliveries any more; empty when all is well."""
        return self._disk_problem

    def _disk_failed(self, reason: str) -> None:
        if self._disk_problem:
            return
        self._disk_problem = f"can't write {reason}; free space on that disk"
        self.notice("error", self._disk_problem)
        for watcher in self.disk_watchers:
            watcher(self._disk_problem)
        for inbound in list(self._inbound):
            inbound.close("the disk refuses")

    def _retire(self, command: brain.Retire) -> None:
        self._spool.append(Retired(command.index, command.task))

    def _recover_outputs(self, record: Made, payload: bytes) -> None:
        assert self.brain is not None
        if self.brain.knows(record.index, "", record.task):
            return
        start, outputs = 0, []
        view = memoryview(payload)
        for child, entries in record.outputs:
            end = start + sum(entry.size_bytes for entry in entries)
            outputs.append((child, Content.of_bytes(entries, view[start:end])))
            start = end
        event = brain.OutputsRecovered(
            record.job, record.index, record.task, record.release_ns, outputs
        )
        self._do(self.brain.handle(event))

    # Calls

    def _do(self, commands: list[brain.Command]) -> None:
        """Carry out commands; those that a command leads to come after, not inside."""
        self._to_do.extend(commands)
        if self._is_doing:
            return
        self._is_doing = True
        try:
            while self._to_do:
                command = self._to_do.popleft()
                self._commands[type(command)](command)
        finally:
            self._is_doing = False

    def _start_call(self, command: brain.StartCall) -> None:
        instance = command.instance
        firing = instance.firing
        call = Call(
            task=instance.stage.name,
            job=instance.job,
            attempt=instance.attempt,
            by_parent=[
                (parent, instance.arrived[parent].content.files())
                for parent in instance.stage.parents
            ],
            firing=None
            if firing is None
            else {
                "planned_ns": firing.planned_ns,
                "estimate_ns": firing.woke.estimate_ns,
                "earliest_ns": firing.woke.earliest_ns,
                "latest_ns": firing.woke.latest_ns,
                "status": firing.status,
            },
        )
        self.executors[instance.stage.name].submit(
            call, lambda _, outcome: self._call_ended(instance, outcome)
        )

    def _call_ended(self, instance: Instance, outcome: Outcome) -> None:
        assert self.brain is not None
        if self._is_stopped:  # its inputs are in the spool; the call is made again after a restart
            outcome.release()
            return
        if instance.state is not brain.State.RUNNING:
            outcome.release()
            ended = brain.CallFailed(instance.index, instance.stage.name, "its job has ended")
            self._do(self.brain.handle(ended))
            return
        reason = outcome.reason
        routed: list[tuple[str, Content]] = []
        if outcome.ok:
            try:
                routed = self._route(instance, outcome)
            except (RoutingError, ContentTooLargeError, OSError) as error:
                reason = str(error)
        outcome.release()
        if reason:
            self._last_outcome = outcome
            failed = brain.CallFailed(instance.index, instance.stage.name, reason)
            self._do(self.brain.handle(failed))
            return
        self._log_done(instance, outcome, routed)
        if instance.stage.executor != "streaming":
            # A fresh process is dear, bytes in the spool are cheap. Streaming stages repeat.
            self._spool.append(
                Made(
                    instance.job,
                    instance.index,
                    instance.stage.name,
                    instance.release_ns,
                    tuple((child, content.entries) for child, content in routed),
                ),
                b"".join(content.payload for _, content in routed),
            )
        done = brain.CallSucceeded(instance.index, instance.stage.name, routed)
        self._do(self.brain.handle(done))

    def _route(self, instance: Instance, outcome: Outcome) -> list[tuple[str, Content]]:
        stage = instance.stage
        routed = route_outputs(
            stage.name,
            stage.output_policy,
            stage.children,
            outcome.outputs,
            may_be_empty=stage.executor == Executor.STREAMING,
        )
        made: dict[tuple[int, ...], Content] = {}  # children that get the same files share them
        contents = []
        for child, files in routed:
            key = tuple(map(id, files))
            if key not in made:
                made[key] = Content.of(files)
            contents.append((child, made[key]))
        return contents

    def _log_done(
        self, instance: Instance, outcome: Outcome, routed: list[tuple[str, Content]]
    ) -> None:
        ended = self.clock.stamp_at(outcome.ended_ns)
        started = self.clock.stamp_at(outcome.started_ns)
        self.log.add(
            TaskDone(
                node=self.name,
                at=ended,
                job=instance.job,
                task=instance.stage.name,
                attempt=instance.attempt,
                ready=instance.ready_at or started,
                started=started,
                ended=ended,
                arrivals=[
                    Arrival(
                        parent,
                        arrived.delivery.source,
                        len(arrived.delivery.files),
                        len(arrived.content.payload),
                        arrived.delivery.sent,
                        arrived.received,
                    )
                    for parent, arrived in instance.arrived.items()
                ],
                outputs={child: len(content.payload) for child, content in routed},
                firing=instance.firing,
                peak_memory_bytes=outcome.peak_memory_bytes,
            )
        )

    def _report_failure(self, command: brain.ReportFailure) -> None:
        instance = command.instance
        outcome, self._last_outcome = self._last_outcome, None
        self.log.add(
            TaskFailed(
                node=self.name,
                at=self.clock.stamp(),
                job=instance.job,
                task=instance.stage.name,
                attempt=instance.attempt,
                reason=command.reason,
                exit_code=outcome.exit_code if outcome else None,
                stderr_tail=outcome.stderr_tail if outcome else "",
                retried=command.retried,
            )
        )
        if not command.retried:
            stderr_tail = outcome.stderr_tail if outcome else ""
            try:
                bury(self.dead_letters, instance, command.reason, stderr_tail)
            except OSError as error:
                self.notice("error", f"the dead letter of {instance.job} can't be kept: {error}")

    _last_outcome: Outcome | None = None
    """Of the call whose failure is being handled."""

    def _retry_later(self, command: brain.RetryLater) -> None:
        assert self.brain is not None
        handle = self.brain.handle
        due = brain.RetryDue(command.index, command.task)
        self.loop.call_later(command.delay_ns / 1e9, lambda: self._do(handle(due)))

    # Time

    def _watch_instant(self, command: brain.WatchInstant) -> None:
        def came(wake: Wake) -> None:  # in the alarm's thread
            self.loop.call_soon_threadsafe(self._instant_came, command.task, command.index, wake)

        self.clock.alarm.add(command.at_ns, came)

    def _instant_came(self, task: str, index: int, wake: Wake) -> None:
        assert self.brain is not None
        instant = wake.instant
        stamp = Stamp(
            instant.estimate_ns, instant.earliest_ns, instant.latest_ns, wake.monotonic_ns
        )
        woke = Woke(stamp, wake.late_ns, str(instant.status))
        self._do(self.brain.handle(brain.InstantCame(task, index, woke)))
