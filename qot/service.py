"""The time service of one node: one thread, one poll, any number of timelines.

It carries out what :class:`qot.bindings.Bindings` decides, lends each timeline's share
(:mod:`qot.service_share`) the thread when something is due or has come, and speaks with clients
(:mod:`qot.service_clients`) and with its parent (:mod:`qot.service_control`).
"""

from __future__ import annotations

import json
import os
import select
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from qot.binding_events import (
    Accept,
    ClientGone,
    Command,
    Create,
    Destroy,
    Event,
    Left,
    Measured,
    Passed,
    Refused,
    Reject,
    SetPace,
)
from qot.bindings import Bindings
from qot.demand import PaceLimits
from qot.errors import ServiceError
from qot.service_clients import Client, ClientDoor
from qot.service_config import ServiceConfig, parse_address
from qot.service_control import Control
from qot.service_report import Meter, charged, report_share
from qot.service_requests import Report, parse_request
from qot.service_share import FollowerShare, Share
from qot.service_timelines import Timelines


class TimeService:
    """A node's time service, as a loop. Raises ServiceError when it can't start."""

    def __init__(self, config: ServiceConfig, control: Control) -> None:
        self._config, self._control = config, control
        self._started_ns = time.monotonic_ns()
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._clients: dict[int, Client] = {}
        self._shares: dict[str, Share] = {}
        self._meters: dict[str, Meter] = {}
        self._open = True
        self._timelines = Timelines(config)
        if self._timelines.server is not None:
            self._watch(self._timelines.server.socket.fileno(), self._timelines.server.serve)
        fixed = PaceLimits(
            min(config.shortest_period_ns, config.period_ns), config.period_ns, pairs_only=True
        )
        self._bindings = Bindings(
            PaceLimits(config.shortest_period_ns, config.longest_period_ns),
            config.bind_timeout_ns,
            [(config.timeline, fixed)] if config.timeline else [],
        )
        self._door: ClientDoor | None = None
        if config.timeline:
            try:
                begun = self._create(config.timeline)
            except OSError as error:
                raise ServiceError(
                    f"the clock page {config.page} can't be written: {error}; give a page_path in "
                    "a folder that exists and has room"
                ) from None
            if isinstance(begun, Refused):
                raise ServiceError(begun.message)
            if begun is not None:
                self._take(begun)
        if config.socket_path is not None:
            self._door = ClientDoor(Path(config.socket_path), config.socket_mode)
            self._watch(self._door.socket.fileno(), self._welcome)

    @property
    def udp_port(self) -> int:
        """Where it answers as a reference; 0 if it is none."""
        return self._timelines.udp_port

    def run(self, answer: Callable[[dict[str, object]], None]) -> None:
        """Serve until the control line closes. ``answer`` tells the parent about a bad order."""
        self._watch(self._control.descriptor, lambda: self._listen(answer))
        for line in self._control.waiting():
            self._order(line, answer)
        while self._open:
            now_ns = time.monotonic_ns()
            self._tick(now_ns)
            due = [share.due_ns for share in self._shares.values()]
            if self._bindings.deadline_ns is not None:
                due.append(self._bindings.deadline_ns)
            left_ms = max(0, min(due) - time.monotonic_ns()) / 1e6 if due else None
            for descriptor, events in self._poll.poll(left_ms):
                if events & select.POLLOUT:
                    self._flush(descriptor)
                reader = self._readers.get(descriptor)
                if reader is not None and events & ~select.POLLOUT:
                    reader()

    def close(self) -> None:
        """Let everybody go. The standing page stays, for those who still read it."""
        if self._door is not None:
            self._door.close()
        for client in self._clients.values():
            client.socket.close()
        for name, share in self._shares.items():
            share.close(remove=name != self._config.timeline)
        self._timelines.close()

    def _watch(self, descriptor: int, reader: Callable[[], None]) -> None:
        self._readers[descriptor] = reader
        self._poll.register(descriptor, select.POLLIN)

    def _forget(self, descriptor: int) -> None:
        del self._readers[descriptor]
        self._poll.unregister(descriptor)

    # Timelines

    def _tick(self, now_ns: int) -> None:
        for share in list(self._shares.values()):
            if now_ns >= share.due_ns:
                with charged(share):
                    share.tick(now_ns)
                self._meters[share.name].mark(now_ns, share.counters.sent, share.cpu_ns)
        deadline_ns = self._bindings.deadline_ns
        if deadline_ns is not None and now_ns >= deadline_ns:
            self._take(Passed())

    def _take(self, event: Event) -> None:
        """Let the brain decide, and do as it says; what comes of that is decided in turn."""
        events = deque([event])
        while events:
            now_ns = time.monotonic_ns()
            for command in self._bindings.handle(events.popleft(), now_ns):
                further = self._do(command)
                if further is not None:
                    events.append(further)

    def _do(self, command: Command) -> Event | None:
        match command:
            case Create(timeline):
                try:
                    return self._create(timeline)
                except (OSError, InputError) as error:
                    return self._timelines.failed(timeline, error)
            case Destroy(timeline):
                self._destroy(timeline)
            case SetPace(timeline, pace, accuracy_ns):
                self._shares[timeline].set_pace(pace, accuracy_ns)
            case Accept():
                self._accept(command)
            case Left(client, request):
                self._tell(client, lambda it: it.answer(request, {}))
            case Reject(client, request, why, message, best_ns):
                self._tell(client, lambda it: it.refuse(request, why, message, best_ns))
        return None

    def _create(self, name: str) -> Event | None:
        share = self._timelines.make(name)
        if isinstance(share, Refused):
            return share
        self._shares[name] = share
        self._meters[name] = Meter(time.monotonic_ns())
        if share.bell is not None:
            self._watch(share.bell.fileno(), lambda: self._spoken(share))
        if isinstance(share, FollowerShare):
            self._watch(share.client.socket.fileno(), lambda: self._heard(share))
        delivered = share.delivered
        return None if delivered is None else Measured(name, delivered)

    def _destroy(self, name: str) -> None:
        share = self._shares.pop(name, None)
        if share is None:
            return
        del self._meters[name]
        if share.bell is not None:
            self._forget(share.bell.fileno())
        if isinstance(share, FollowerShare):
            self._forget(share.client.socket.fileno())
        share.close(remove=True)

    def _heard(self, share: FollowerShare) -> None:
        """There is something on a follower's socket."""
        with charged(share):
            answered = share.readable(time.monotonic_ns())
        if share.refused is not None:
            self._take(self._timelines.refused(share))
        elif answered and share.delivered is not None:
            self._take(Measured(share.name, share.delivered))

    def _spoken(self, share: Share) -> None:
        """The agent of a share has something to say."""
        with charged(share):
            share.spoken()
        if share.delivered is not None:
            self._take(Measured(share.name, share.delivered))

    # Clients

    def _welcome(self) -> None:
        assert self._door is not None
        client = self._door.accept(len(self._clients))
        if client is not None:
            self._clients[client.number] = client
            self._watch(client.socket.fileno(), lambda: self._serve(client))

    def _serve(self, client: Client) -> None:
        for line in client.receive():
            request = parse_request(client.number, line)
            if isinstance(request, Reject):
                client.refuse(request.request, request.why, request.message)
            elif isinstance(request, Report):
                client.answer(request.request, self.report())
            else:
                self._take(request)
        self._look_after(client)

    def _flush(self, descriptor: int) -> None:
        for client in list(self._clients.values()):
            if client.socket.fileno() == descriptor:
                client.flush()
                self._look_after(client)

    def _look_after(self, client: Client) -> None:
        """Wait for room in its socket, if there is something left to send; bury it if it died."""
        if not client.closed:
            events = select.POLLIN | (select.POLLOUT if client.unsent else 0)
            self._poll.modify(client.socket.fileno(), events)
            return
        self._forget(client.socket.fileno())
        client.socket.close()
        self._take(ClientGone(client.number))
        del self._clients[client.number]

    def _accept(self, command: Accept) -> None:
        binding, share = command.binding, self._shares[command.binding.timeline]
        ok = {
            "binding": binding.number,
            "timeline": binding.timeline,
            "accuracy_ns": binding.demand.accuracy_ns,
            "resolution_ns": binding.demand.resolution_ns,
            "best_ns": command.best_ns,
            "page": str(share.page.path.resolve()),
            "role": share.role,
        }
        self._tell(command.client, lambda it: it.answer(command.request, ok))

    def _tell(self, number: int, say: Callable[[Client], None]) -> None:
        """Send a client something; the rest of it when its socket has room again."""
        client = self._clients[number]
        say(client)
        if client.unsent:
            self._poll.modify(client.socket.fileno(), select.POLLIN | select.POLLOUT)

    def report(self) -> dict[str, Any]:
        """What it costs and delivers: in all, and for each timeline."""
        now_ns = time.monotonic_ns()
        timelines = [
            report_share(share, self._meters[name], self._bindings, self._clients, now_ns)
            for name, share in self._shares.items()
        ]
        cpu_ns, up_ns = time.process_time_ns(), max(1, now_ns - self._started_ns)
        return {
            "node": self._config.node,
            "pid": os.getpid(),
            "up_ns": up_ns,
            "cpu_ns": cpu_ns,
            "cpu_share": round(cpu_ns / up_ns, 6),
            "exchanges_per_s": round(sum(each["exchanges_per_s"] for each in timelines), 4),
            "packets_per_s": round(sum(each["packets_per_s"] for each in timelines), 4),
            "clients": len(self._clients),
            "udp_port": self.udp_port,
            "timelines": timelines,
        }

    # The parent

    def _listen(self, answer: Callable[[dict[str, object]], None]) -> None:
        lines = self._control.lines()
        if lines is None:
            self._open = False
            return
        for line in lines:
            self._order(line, answer)

    def _order(self, line: bytes, answer: Callable[[dict[str, object]], None]) -> None:
        """``{"reference": ["127.0.0.1", 4242]}`` is the one order there is."""
        try:
            data = json.loads(line)
            if not isinstance(data, dict) or set(data) != {"reference"}:
                raise InputError(
                    f"unknown order {line[:80]!r}", 'send {"reference": ["host", port]}'
                )
            reference = parse_address(data["reference"], "reference")
            self._timelines.aim(reference, list(self._shares.values()))
        except ValueError as error:
            answer({"error": f"an order is not JSON: {error}"})
        except InputError as error:
            answer({"error": str(error)})
