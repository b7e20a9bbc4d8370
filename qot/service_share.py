"""A node's share in one timeline: its page, and what keeps it true.

The reference's page says that a clock of the node *is* the timeline. A follower asks, filters and
publishes; all deciding is done elsewhere (:mod:`qot.exchange`, :mod:`qot.clock_filter`,
:mod:`qot.demand`, :class:`qot.sync_client.Pacer`). Shares of one node have nothing in common but
its core clock.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from qot.clock import Clock
from qot.clock_filter import ClockFilter, FilterConfig, Tick, reference_params
from qot.demand import (
    RESERVE_NS,
    Delivered,
    Deliveries,
    Pace,
    longest_interval_ns,
    spacing_ns,
)
from qot.exchange import GLOBAL, LOCAL, Counters, No, Requester, Seal
from qot.hard_bound import Sample, relative_drift_ppb
from qot.instant import Instant, Status
from qot.page import PageWriter
from qot.page_layout import timeline_id
from qot.params import ClockParams
from qot.sync_client import BURST, RETRY_NS, Pacer, SyncClient
from qot.sync_server import Desk, Utc

RENEW_NS = 250_000_000
"""How often a page is renewed at least, however rare exchanges are."""
_MISSED = 4


@dataclass(frozen=True, slots=True)
class SharePlan:
    """What every share of a node is told. period_ns: the pace before any demand, in pairs."""

    clock: Clock
    key: bytes
    host: str
    epoch: int
    period_ns: int
    void_after_ns: int
    reference_max_drift_ppb: int
    shortest_ns: int


class Share(ABC):
    """One timeline on one node. due_ns: when :meth:`tick` wants to be called next."""

    role: str
    bell: socket.socket | None = None
    """Readable when :meth:`spoken` is to be called."""

    def spoken(self) -> None:
        """Hear what the bell was for."""
        raise NotImplementedError(f"a {self.role} has no bell")

    def __init__(self, name: str, scope: int, clock: Clock, page: PageWriter) -> None:
        self.name, self.scope = name, scope
        self.clock, self.page = clock, page
        self.pace: Pace | None = None
        self.accuracy_ns: int | None = None
        self.cpu_ns = 0
        self.due_ns = 0

    @abstractmethod
    def tick(self, now_ns: int) -> None:
        """Do what is due at this moment of CLOCK_MONOTONIC."""

    @property
    @abstractmethod
    def counters(self) -> Counters:
        """Of its exchanges."""

    @property
    @abstractmethod
    def delivered(self) -> Delivered | None:
        """What it gives; None while that is being measured."""

    def set_pace(self, pace: Pace, accuracy_ns: int | None) -> None:
        """Exchange so often from now on, to hold that accuracy."""
        self.pace, self.accuracy_ns = pace, accuracy_ns

    def now(self) -> Instant:
        """What readers of the page see."""
        assert self.page.params is not None
        return self.page.params.instant_at(self.clock.now_ns())

    def close(self, *, remove: bool) -> None:
        """Unmap the page, and remove it when nobody is to read it any more."""
        self.page.close()
        if remove:
            self.page.path.unlink(missing_ok=True)


class ReferenceShare(Share):
    """The timeline is this node's core clock, or its UTC."""

    role = "reference"

    def __init__(
        self, name: str, scope: int, plan: SharePlan, page: PageWriter, desk: Desk, utc: Utc | None
    ) -> None:
        super().__init__(name, scope, plan.clock, page)
        self._plan, self._desk, self._utc = plan, desk, utc
        self._renew_ns = min(plan.period_ns, RENEW_NS)
        self._growth_ppb = relative_drift_ppb(plan.clock.max_drift_ppb, 0)
        self.tick(0)

    def tick(self, now_ns: int) -> None:
        """Renew the page."""
        self.due_ns = now_ns + self._renew_ns
        self.page.write(self._params(), self.counters.as_tuple())

    @property
    def counters(self) -> Counters:
        return self._desk.counters(timeline_id(self.name), self.scope)

    @property
    def delivered(self) -> Delivered:
        """Nothing is exchanged, so no rate would better it."""
        error_ns = 0
        if self.scope == GLOBAL and self._utc is not None:
            error_ns = self._utc.error_ns + self._growth_ppb * 2 * self._renew_ns // 10**9
        return Delivered(error_ns, error_ns, 0)

    def _params(self) -> ClockParams:
        core_ns = self.clock.now_ns()
        params = reference_params(core_ns, self._plan.epoch, self._renew_ns)
        if self.scope == LOCAL or self._utc is None:
            return params
        # UTC is read between two looks at the core clock; it belongs to some moment in between.
        utc_ns = self._utc.now_ns()
        after_ns = self.clock.now_ns()
        return replace(
            params,
            as_of_ns=after_ns,
            timeline_ns=utc_ns,
            early_ns=self._utc.error_ns,
            late_ns=self._utc.error_ns + (after_ns - core_ns) + 1,
            early_growth_ppb=self._growth_ppb,
            late_growth_ppb=self._growth_ppb,
            likely_early_ns=self._utc.error_ns,
            likely_late_ns=self._utc.error_ns,
        )


class FollowerShare(Share):
    """The timeline is another node's; this one asks it."""

    role = "follower"

    def __init__(
        self,
        name: str,
        scope: int,
        plan: SharePlan,
        page: PageWriter,
        client: SyncClient | None = None,
    ) -> None:
        """``client``: what asks; by default one with a socket of its own."""
        super().__init__(name, scope, plan.clock, page)
        self._plan = plan
        self._renew_ns = min(plan.period_ns, RENEW_NS)
        # UTC has no drift: its reference states an error instead, which every exchange carries.
        reference_ppb = 0 if scope == GLOBAL else plan.reference_max_drift_ppb
        self._filter = ClockFilter(
            FilterConfig(
                drift_ppb=relative_drift_ppb(plan.clock.max_drift_ppb, reference_ppb),
                period_ns=plan.period_ns,
                void_after_ns=plan.void_after_ns,
            )
        )
        self.client = client or SyncClient.bind(
            plan.host, plan.clock, Requester(Seal(name, plan.key, scope))
        )
        self._pacer = Pacer(plan.period_ns)
        self.pace = self._pacer.pace
        self._deliveries = Deliveries()
        self._planned_ns = self._asked_ns = 0
        self._send_due_ns = self._renew_due_ns = 0
        self._waiting = False
        self.reference: tuple[str, int] | None = None
        self.params = self._publish(Tick())

    def aim(self, reference: tuple[str, int]) -> None:
        """Follow the reference at this address from now on, at once. Raises OSError."""
        self.client.aim(reference)
        self.reference = reference
        self._deliveries.clear()
        self._pacer.lost()
        self._send_due_ns = self.due_ns = 0

    @property
    def counters(self) -> Counters:
        return self.client.requester.counters

    @property
    def refused(self) -> No | None:
        """Why the reference does not answer; None as far as is known it does."""
        return self.client.requester.refused

    @property
    def delivered(self) -> Delivered | None:
        return self._deliveries.summary() if self._deliveries.count >= BURST else None

    def set_pace(self, pace: Pace, accuracy_ns: int | None) -> None:
        super().set_pace(pace, accuracy_ns)
        before, self._pacer.pace = self._pacer.pace, pace
        if pace.period_ns > before.period_ns:
            self._allow(pace)
        soon_ns = self._asked_ns + pace.period_ns
        if soon_ns < self._send_due_ns:
            self._send_due_ns = self._planned_ns = soon_ns
            self.due_ns = min(self.due_ns, soon_ns)

    def tick(self, now_ns: int) -> None:
        """Ask, if it is time; publish, lest the page grows old while nobody answers."""
        if self.reference is not None and now_ns >= self._send_due_ns:
            self._ask(now_ns)
        if now_ns >= self._renew_due_ns:
            self._renew_due_ns = now_ns + self._renew_ns
            self._publish(Tick())
            if not self._waiting:
                self._send_due_ns = min(self._planned_ns, self._latest_ns(now_ns))
        due_ns = self._renew_due_ns
        self.due_ns = due_ns if self.reference is None else min(due_ns, self._send_due_ns)

    def readable(self, now_ns: int) -> bool:
        """Take in answers, or the system's word that nobody is there. True: there was one."""
        samples = self.client.receive()
        for sample in samples:
            self._pacer.answered()
            self._allow(self._pacer.pace)
            before = self.params
            after = self._publish(sample)
            if after.bounded:
                grown = min(_growth_ppb(each) for each in (before, after) if each.bounded)
                error_ns = max(after.early_ns, after.late_ns)
                self._deliveries.add(error_ns, grown, warm=self.client.was_warm(sample))
        if samples:
            self._renew_due_ns = now_ns + self._renew_ns
            self._waiting = False
            self._send_due_ns = min(self._planned_ns, self._latest_ns(now_ns))
            self.due_ns = min(self._renew_due_ns, self._send_due_ns)
        return bool(samples)

    def close(self, *, remove: bool) -> None:
        self.client.close()
        super().close(remove=remove)

    def _ask(self, now_ns: int) -> None:
        status = self.params.status_at(self.clock.now_ns())
        if status in (Status.HOLDOVER, Status.UNSYNCHRONIZED):
            self._pacer.lost()
        delay_ns = self._pacer.delay_ns(self.client.send())
        if status is Status.DISRUPTED:
            delay_ns = min(delay_ns, RETRY_NS)  # Only exchanges end it.
        self._waiting = True
        self._asked_ns, self._planned_ns = now_ns, now_ns + delay_ns
        self._send_due_ns = now_ns + min(delay_ns, RETRY_NS)

    def _latest_ns(self, now_ns: int) -> int:
        """When the bound that is there now would miss the demand, with time to mend that."""
        if self.accuracy_ns is None:
            return self._planned_ns
        error_ns = max(self.params.early_ns, self.params.late_ns)
        left_ns = longest_interval_ns(self.accuracy_ns, error_ns, _growth_ppb(self.params))
        if left_ns is None:
            return self._planned_ns
        if left_ns < 0:
            return now_ns + RETRY_NS  # It is broken already: mend it, but don't flood the link.
        reserve_ns = min(left_ns // 8, RESERVE_NS)
        return now_ns + max(self._plan.shortest_ns, left_ns - reserve_ns)

    def _allow(self, pace: Pace) -> None:
        """Holdover begins when an answer and four repetitions of its request failed."""
        period_ns = pace.period_ns
        if period_ns > RETRY_NS:
            period_ns = (spacing_ns(period_ns) + _MISSED * RETRY_NS) // (_MISSED + 1)
        if self._filter.config.period_ns != period_ns:
            self._filter.config = replace(self._filter.config, period_ns=period_ns)

    def _publish(self, event: Sample | Tick) -> ClockParams:
        core_ns = self.clock.now_ns()
        params = self._filter.handle(event, core_ns)
        stale_ns = core_ns + (_MISSED + 1) * self._renew_ns
        if params.fresh_until_ns > stale_ns:
            # Readers shall notice soon when this service stops, however rare exchanges are.
            params = replace(params, fresh_until_ns=stale_ns)
        self.params = params
        self.page.write(params, self.counters.as_tuple())
        return params


def _growth_ppb(params: ClockParams) -> int:
    return max(params.early_growth_ppb, params.late_growth_ppb)
