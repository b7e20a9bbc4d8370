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

from dispatcher.call_desk import CallDesk
from dispatcher.content import Content
from dispatcher.event_log import EventLog
from dispatcher.executor_pool import ExecutorPool, ServiceEvent
from dispatcher.home import HomeDesk
from dispatcher.inbound import InboundData
from dispatcher.messages import Delivery, Peer
from dispatcher.node_brain import NodeBrain
from dispatcher.node_clock import NodeClock
from dispatcher.node_commands import (
    Command,
    ReportFailure,
    Retire,
    RetryLater,
    Send,
    StartCall,
    Warn,
    WatchInstant,
)
from dispatcher.node_events import (
    Delivered,
    DeliveryAcknowledged,
    Event,
    InstantCame,
    JobsEnded,
    OutputsRecovered,
    RetryDue,
    StageRetired,
)
from dispatcher.peer_link import PeerLink
from dispatcher.qot_watch import QotWatch
from dispatcher.spool import Below, Made, Received, Record, Retired, Spool
from dispatcher.time_trigger import Woke
from jupiter.app import HOME
from jupiter.events import Notice, Stamp
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
        self.loop = asyncio.get_running_loop()
        self._client_context = client_context
        self._spool = Spool(folder / "spool", committed=self._committed, failed=self._disk_failed)
        self._placement: dict[str, str] = {}
        self._inbound: set[InboundData] = set()
        self._local: deque[tuple[int, Delivery]] = deque()
        self.last_ticket = self.committed_ticket = 0
        """Of the spool: what was received or noted last, and what is on disk."""
        self._to_do: deque[Command] = deque()
        self._is_doing = False
        self._disk_problem = ""
        self.disk_watchers: set[Callable[[str], None]] = set()
        """Told why, when the disk refuses: the log may not be able to say it."""
        self._is_stopped = False
        self._ended_below = self._told_below = 0
        self._ended_before_begin = 0
        self.calls = CallDesk(
            name,
            self.clock,
            self.log,
            self.executors,
            dead_letters=folder.parent.parent / "dead_letter",
            keep=self._spool.append,
            tell=self._tell_brain,
            notice=self.notice,
        )
        self._commands: dict[type, Callable[[Any], None]] = {
            StartCall: self.calls.start,
            Send: self._send,
            Retire: self._retire,
            RetryLater: self._retry_later,
            ReportFailure: self.calls.report_failure,
            WatchInstant: self._watch_instant,
            Warn: lambda command: self.notice("warning", command.text),
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
                self._do(node_brain.handle(JobsEnded(record.index)))
            elif isinstance(record, Retired):
                self._do(node_brain.handle(StageRetired(record.index, record.task)))
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
        self._is_stopped = self.calls.is_stopped = True
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
            event = Delivered(delivery, content, self.clock.stamp())
            self._do(self.brain.handle(event))

    def jobs_ended(self, below: int) -> None:
        """Home says that all jobs below this index have ended."""
        if self.brain is None:
            self._ended_before_begin = max(self._ended_before_begin, below)
        elif below > self.brain.below:
            self._do(self.brain.handle(JobsEnded(below)))
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

    def _send(self, command: Send) -> None:
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
            event = DeliveryAcknowledged(delivery.index, delivery.parent, delivery.child)
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

    def _retire(self, command: Retire) -> None:
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
        event = OutputsRecovered(record.job, record.index, record.task, record.release_ns, outputs)
        self._do(self.brain.handle(event))

    # Commands

    def _tell_brain(self, event: Event) -> None:
        assert self.brain is not None
        self._do(self.brain.handle(event))

    def _do(self, commands: list[Command]) -> None:
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

    def _retry_later(self, command: RetryLater) -> None:
        due = RetryDue(command.index, command.task)
        self.loop.call_later(command.delay_ns / 1e9, self._tell_brain, due)

    # Time

    def _watch_instant(self, command: WatchInstant) -> None:
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
        self._do(self.brain.handle(InstantCame(task, index, woke)))
