"""A node's share in a timeline whose reference is elected: follower now, perhaps reference later.

A new reference carries the timeline on: from the moment it has the seat its own core clock, shifted
by what its estimate was then, *is* the timeline. It stops as soon as its lease has passed
unrenewed, and is a follower again, who knows better than anybody what the time was.
"""

from __future__ import annotations

from dataclasses import replace

from qot.clock import SECOND_NS, Clock
from qot.clock_filter import reference_params
from qot.coordination.agent import CoordinationAgent, Offer, Word
from qot.coordination.client import lease_clock_ns
from qot.coordination.terms import Held, same_era
from qot.demand import Delivered
from qot.exchange import LOCAL, Counters, No, Responder, Seal
from qot.hard_bound import Sample
from qot.page import PageWriter
from qot.page_layout import timeline_id
from qot.service_share import FollowerShare, SharePlan
from qot.sync_server import Desk

_LOOK_NS = 50_000_000
"""How often the holder of a seat renews its page and looks whether it still may."""


class Reign:
    """One epoch of this node as the reference: its core clock, shifted, is the timeline."""

    def __init__(self, seal: Seal, clock: Clock, held: Held, offset_ns: int) -> None:
        self.held, self.offset_ns = held, offset_ns
        self._clock = clock
        self._responder = Responder(seal, held.epoch)

    @property
    def may_serve(self) -> bool:
        """False from the moment at which somebody else may be about to."""
        return self.held.may_serve(lease_clock_ns())

    @property
    def counters(self) -> Counters:
        return self._responder.counters

    def now_ns(self) -> int:
        """The timeline's time."""
        return self._clock.now_ns() + self.offset_ns

    def answer(self, data: bytes, core_ns: int) -> bytes | None:
        """The answer to a request that came at ``core_ns`` of the core clock."""
        if not self.may_serve:
            return None
        return self._responder.answer(data, core_ns + self.offset_ns, self.now_ns)


class ElectedShare(FollowerShare):
    """Follows whoever is elected, and serves when that is this node."""

    def __init__(
        self, name: str, plan: SharePlan, page: PageWriter, desk: Desk, agent: CoordinationAgent
    ) -> None:
        self._reign: Reign | None = None
        super().__init__(name, LOCAL, plan, page)
        self._desk = desk
        self.agent = agent
        self.bell = agent.socket
        self._seal = Seal(name, plan.key)

    @property
    def counters(self) -> Counters:
        return super().counters if self._reign is None else self._reign.counters

    @property
    def refused(self) -> No | None:
        """A node that is the reference no more says so, and its successor is heard of soon."""
        return None

    @property
    def delivered(self) -> Delivered | None:
        return super().delivered if self._reign is None else Delivered(0, 0, 0)

    def tick(self, now_ns: int) -> None:
        if self._reign is not None and not self._reign.may_serve:
            self._step_down()
        if self._reign is None:
            super().tick(now_ns)
            self._offer()
        else:
            self.agent.offer = Offer(self._reign.held.epoch, 0, self.accuracy_ns)
            self._publish_own()
            self.due_ns = now_ns + _LOOK_NS

    def readable(self, now_ns: int) -> bool:
        answered = super().readable(now_ns) if self._reign is None else bool(self.client.receive())
        self._offer()
        return answered

    def spoken(self) -> None:
        """The agent has something new: who is the reference, and until when that is certain."""
        word = self.agent.hear()
        self._filter.terms = word.terms
        held = word.held
        if self._reign is not None and (held is None or held.epoch != self._reign.held.epoch):
            self._step_down()
        if held is not None and held.may_serve(lease_clock_ns()):
            if self._reign is None:
                self._step_up(held)
            else:
                self._reign.held = held
        elif self._reign is None:
            self._hear(word)

    def close(self, *, remove: bool) -> None:
        self._step_down()
        self.agent.close()
        super().close(remove=remove)

    def _hear(self, word: Word) -> None:
        """Follow the reference; while the seat can't be given away it is as if it had spoken."""
        if word.terms is not None and not word.problem and word.epoch == self._filter.epoch:
            certain_ns = word.free_in_ns - word.free_in_ns * self._filter.drift_ppb // SECOND_NS
            self._filter.still_held(word.asked_ns + certain_ns - word.terms.silence_ns)
        if word.address is not None and word.address != self.reference:
            self.aim(word.address)

    def _offer(self) -> None:
        """Let the agent know how well this node could carry the timeline on."""
        bound_ns = self._filter.bound_at(self.clock.now_ns())
        self.agent.offer = Offer(self._filter.epoch, bound_ns, self.accuracy_ns)

    def _step_up(self, held: Held) -> None:
        """The timeline goes on by this node's clock, from what the estimate is now."""
        core_ns = self.clock.now_ns()
        begins = not self._filter.epoch or not same_era(self._filter.epoch, held.epoch)
        if not begins and not self._is_fit(core_ns):
            self.agent.declined = held.epoch
            return
        offset_ns = 0 if begins else self.params.estimate_at(core_ns) - core_ns
        self.role = "reference"
        self._reign = Reign(self._seal, self.clock, held, offset_ns)
        self._desk.serve(timeline_id(self.name), self._reign)
        self._publish_own()
        self.due_ns = 0

    def _is_fit(self, core_ns: int) -> bool:
        """Its bound may have grown, or the seat been narrowed, since it claimed."""
        bound_ns, terms = self._filter.bound_at(core_ns), self._filter.terms
        return bound_ns is not None and terms is not None and bound_ns <= terms.handover_ns

    def _step_down(self) -> None:
        """Follow again, knowing exactly what the time was when this node was last the reference."""
        reign, self._reign = self._reign, None
        if reign is None:
            return
        self.role = "follower"
        self._desk.serve(timeline_id(self.name), None)
        core_ns = min(self.clock.now_ns(), self._lease_end_ns(reign.held))
        time_ns = core_ns + reign.offset_ns
        self._publish(Sample(core_ns, time_ns, time_ns, core_ns, reign.held.epoch))
        self.reference = None
        self.due_ns = 0

    def _lease_end_ns(self, held: Held) -> int:
        """On the core clock."""
        return self.clock.now_ns() + held.sent_ns + held.lease_ns - lease_clock_ns()

    def _publish_own(self) -> None:
        """The page of a reference: exact, and void before anybody else can be one."""
        assert self._reign is not None
        core_ns, held = self.clock.now_ns(), self._reign.held
        self.params = replace(
            reference_params(core_ns, held.epoch, self._renew_ns),
            timeline_ns=core_ns + self._reign.offset_ns,
            void_after_ns=self._lease_end_ns(held),
        )
        self.page.write(self.params, self.counters.as_tuple())
