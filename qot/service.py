"""The time service of one node: one thread, one poll, one clock page.

Reference: answers exchanges and renews its page. Follower: asks, filters, publishes. All deciding
is done elsewhere (:mod:`qot.exchange`, :mod:`qot.clock_filter`, :class:`qot.sync_client.Pacer`);
this is the shell that waits for sockets and moments.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable

from jupiter.errors import InputError
from qot.clock import Clock, core_clock
from qot.clock_filter import ClockFilter, FilterConfig, Tick, reference_params
from qot.errors import ServiceError
from qot.exchange import Requester, Responder, Seal
from qot.hard_bound import Sample, relative_drift_ppb
from qot.instant import Status
from qot.page import PageWriter
from qot.service_config import Role, ServiceConfig, parse_address
from qot.sync_client import Pacer, SyncClient
from qot.sync_server import SyncServer

_LINE_MOST_BYTES = 65536


class Control:
    """The parent's orders: JSON lines on a file descriptor that closes when the parent is gone."""

    def __init__(self, descriptor: int, left: bytes = b"") -> None:
        self.descriptor = descriptor
        self._left = left

    def lines(self) -> list[bytes] | None:
        """What has come since, whole lines only; None at the end. Call when readable."""
        data = os.read(self.descriptor, _LINE_MOST_BYTES)
        if not data:
            return None
        self._left += data
        return self.waiting()

    def waiting(self) -> list[bytes]:
        """The whole lines that were read and not given out yet."""
        *lines, self._left = self._left.split(b"\n")
        return [line for line in lines if line.strip()]


class ReferenceRole:
    """Answers exchanges; its page says that its core clock is the timeline."""

    def __init__(self, config: ServiceConfig, clock: Clock, page: PageWriter) -> None:
        self._config, self._clock, self._page = config, clock, page
        self._server = SyncServer.bind(
            config.bind, clock, Responder(Seal(config.timeline, config.key), config.epoch)
        )
        self.socket = self._server.socket
        self.udp_port = self._server.port
        self.due_ns = 0

    def readable(self) -> None:
        self._server.serve()

    def tick(self, now_ns: int) -> None:
        """Renew the page."""
        self.due_ns = now_ns + self._config.period_ns
        params = reference_params(self._clock.now_ns(), self._config.epoch, self._config.period_ns)
        self._page.write(params, self._server.responder.counters.as_tuple())

    def aim(self, reference: tuple[str, int]) -> None:
        raise InputError(
            f"this node is the reference, it can't follow {reference}",
            "send the reference's address to followers only",
            field="reference",
        )


class FollowerRole:
    """Asks the reference and publishes what the filter makes of the answers."""

    def __init__(self, config: ServiceConfig, clock: Clock, page: PageWriter) -> None:
        self._clock, self._page = clock, page
        self._period_ns = config.period_ns
        self._filter = ClockFilter(
            FilterConfig(
                drift_ppb=relative_drift_ppb(clock.max_drift_ppb, config.reference_max_drift_ppb),
                period_ns=config.period_ns,
                void_after_ns=config.void_after_ns,
            )
        )
        requester = Requester(Seal(config.timeline, config.key))
        self._client = SyncClient.bind(config.bind[0], clock, requester)
        self._pacer = Pacer(config.period_ns)
        self._aimed = False
        self._publish(Tick())
        self.socket = self._client.socket
        self.udp_port = int(self.socket.getsockname()[1])
        self.due_ns = 0
        if config.reference is not None:
            self.aim(config.reference)

    def readable(self) -> None:
        """Answers, or the system's word that nobody is there."""
        for sample in self._client.receive():
            self._pacer.answered()
            self._publish(sample)

    def tick(self, now_ns: int) -> None:
        """Ask again; publish, lest the page grows old while nobody answers."""
        status = self._renew()
        if not self._aimed:
            self.due_ns = now_ns + self._period_ns
            return
        if status in (Status.HOLDOVER, Status.UNSYNCHRONIZED):
            self._pacer.lost()
        self.due_ns = now_ns + self._pacer.delay_ns(self._client.send())

    def aim(self, reference: tuple[str, int]) -> None:
        """Follow the reference at this address from now on, at once."""
        try:
            self._client.aim(reference)
        except OSError as error:
            raise InputError(
                f"the reference's address {reference} can't be used: {error}",
                "give an address of the same family as bind",
                field="reference",
            ) from None
        self._aimed = True
        self._pacer.lost()
        self.due_ns = 0

    def _renew(self) -> Status:
        """Publish again, unless that was done lately; gives the status."""
        params = self._page.params
        core_ns = self._clock.now_ns()
        if params is not None and core_ns - params.as_of_ns < self._period_ns // 2:
            return params.status_at(core_ns)
        return self._publish(Tick())

    def _publish(self, event: Sample | Tick) -> Status:
        params = self._filter.handle(event, self._clock.now_ns())
        self._page.write(params, self._client.requester.counters.as_tuple())
        return params.status


class TimeService:
    """One node's share in one timeline, as a loop. Raises ServiceError when it can't start."""

    def __init__(self, config: ServiceConfig, control: Control) -> None:
        self._control = control
        clock = core_clock(config.clock, config.max_drift_ppb)
        self._page = self._open_page(config)
        kind = ReferenceRole if config.role is Role.REFERENCE else FollowerRole
        try:
            self._role: ReferenceRole | FollowerRole = kind(config, clock, self._page)
        except OSError as error:
            raise ServiceError(
                f"the time service of {config.node} can't bind UDP {config.bind}: {error}; "
                "free that address or give another one"
            ) from None

    @staticmethod
    def _open_page(config: ServiceConfig) -> PageWriter:
        try:
            return PageWriter(config.page, config.timeline, config.clock, config.max_drift_ppb)
        except OSError as error:
            raise ServiceError(
                f"the clock page {config.page} can't be written: {error}; give a page_path in a "
                "folder that exists and has room"
            ) from None

    @property
    def udp_port(self) -> int:
        return self._role.udp_port

    def run(self, answer: Callable[[dict[str, object]], None]) -> None:
        """Serve until the control line closes. ``answer`` tells the parent about a bad order."""
        poll = select.poll()
        poll.register(self._role.socket, select.POLLIN | select.POLLERR)
        poll.register(self._control.descriptor, select.POLLIN | select.POLLHUP)
        for line in self._control.waiting():
            self._order(line, answer)
        while True:
            now_ns = time.monotonic_ns()
            if now_ns >= self._role.due_ns:
                self._role.tick(now_ns)
                continue
            for descriptor, _ in poll.poll((self._role.due_ns - now_ns) / 1e6):
                if descriptor == self._control.descriptor:
                    lines = self._control.lines()
                    if lines is None:
                        return
                    for line in lines:
                        self._order(line, answer)
                else:
                    self._role.readable()

    def close(self) -> None:
        self._role.socket.close()
        self._page.close()

    def _order(self, line: bytes, answer: Callable[[dict[str, object]], None]) -> None:
        """``{"reference": ["127.0.0.1", 4242]}`` is the one order there is."""
        try:
            data = json.loads(line)
            if not isinstance(data, dict) or set(data) != {"reference"}:
                raise InputError(
                    f"unknown order {line[:80]!r}", 'send {"reference": ["host", port]}'
                )
            self._role.aim(parse_address(data["reference"], "reference"))
        except ValueError as error:
            answer({"error": f"an order is not JSON: {error}"})
        except InputError as error:
            answer({"error": str(error)})
