"""Any order of claims, renewals, lost answers, crashes and restarts, with clocks at their limits.

Two coordinators share a store and know nothing of each other; nodes may send through either, and
every step of a request (read and decide, swap, answer) may be as late as hypothesis likes. Clocks
may be wrong by 10 %, so that a margin left out somewhere is seen.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from qot.coordination.election import Claim, Election, Release, Renew, Tighten, Write
from qot.coordination.seat import Seat
from qot.coordination.terms import Fence, Held, Terms, possible_handovers

LIMIT_PPB = 100_000_000
TERMS = Terms(lease_ns=1_000, silence_ns=1_500, handover_ns=100)
RATES = st.sampled_from([-LIMIT_PPB, 0, LIMIT_PPB])
NODES = st.integers(0, 2)
BOTH = st.integers(0, 1)


@dataclass
class Clock:
    rate_ppb: int
    zero_ns: int

    def at(self, true_ns):
        return (true_ns - self.zero_ns) * (10**9 + self.rate_ppb) // 10**9


@dataclass
class Node:
    name: str
    clock: Clock
    life: int = 0
    held: Held | None = None
    fence: Fence = field(default_factory=Fence)

    @property
    def session(self):
        return f"{self.name}{self.life}"


@dataclass
class Follower:
    """Heard this epoch at that moment of its own clock."""

    clock: Clock
    epoch: int = 0
    heard_ns: int = 0


@dataclass(frozen=True)
class Request:
    node: int
    life: int
    event: object
    sent_ns: int


@dataclass(frozen=True)
class Attempt:
    coordinator: int
    life: int
    version: int
    seat: Seat
    request: Request


class World(RuleBasedStateMachine):
    requests = Bundle("requests")
    attempts = Bundle("attempts")
    answers = Bundle("answers")

    def __init__(self):
        super().__init__()
        self.true_ns = 0
        self.seat, self.version = Seat(handover_ns=100), 0
        rates = (-LIMIT_PPB, 0, LIMIT_PPB)
        self.nodes = [Node(name, Clock(rate, 0)) for name, rate in zip("abc", rates, strict=True)]
        self.followers = [Follower(Clock(rate, 0)) for rate in (-LIMIT_PPB, LIMIT_PPB)]
        self.coordinators = [(Election(TERMS, LIMIT_PPB, LIMIT_PPB), Clock(0, 0))] * 2
        self.lives = [0, 0]
        for index in (0, 1):
            self.restart_coordinator(index, LIMIT_PPB)
        self.highest = 0

    @rule(ns=st.integers(1, 400) | st.integers(1, 6_000))
    def time_passes(self, ns):
        self.true_ns += ns

    @rule(index=BOTH)
    def until_the_seat_is_free(self, index):
        """To the very moment, as that coordinator sees it."""
        election, clock = self.coordinators[index]
        election.observe(self.seat, clock.at(self.true_ns))
        free_ns = clock.at(self.true_ns) + election.free_in_ns(clock.at(self.true_ns))
        while clock.at(self.true_ns) < free_ns:
            behind_ns = free_ns - clock.at(self.true_ns)
            self.true_ns += max(1, behind_ns * 10**9 // (10**9 + clock.rate_ppb) - 1)

    @rule()
    def until_the_lease_has_nearly_ended(self):
        for node in self.serving():
            while node.held.may_serve(node.clock.at(self.true_ns + 1)):
                self.true_ns += 1

    @rule(node=NODES, index=BOTH, bound_ns=st.integers(0, 100))
    def claim_at_once(self, node, index, bound_ns):
        """A whole request, without anything between its steps."""
        at = self.nodes[node]
        request = self.send(node, Claim(at.name, at.session, bound_ns))
        self.receive(self.swap(self.decide(request, index)))

    @rule(node=NODES, index=BOTH)
    def renew_at_once(self, node, index):
        self.receive(self.swap(self.decide(self.renew(node), index)))

    @rule(index=BOTH)
    def release_at_once(self, index):
        """The holder goes, just after everyone has heard it."""
        for node in self.serving():
            self.followers_hear(0)
            self.followers_hear(1)
            self.swap(self.decide(self.release(self.nodes.index(node)), index))

    @rule(target=requests, node=NODES, bound_ns=st.none() | st.integers(0, 110))
    def claim(self, node, bound_ns):
        at = self.nodes[node]
        return self.send(node, Claim(at.name, at.session, bound_ns))

    @rule(target=requests, node=NODES)
    def renew(self, node):
        at = self.nodes[node]
        epoch = at.held.epoch if at.held else self.seat.epoch
        return self.send(node, Renew(at.name, at.session, epoch))

    @rule(target=requests, node=NODES)
    def release(self, node):
        at = self.nodes[node]
        epoch = at.held.epoch if at.held else 0
        at.held = None
        return self.send(node, Release(at.name, at.session, epoch))

    @rule(target=requests, node=NODES, handover_ns=st.integers(50, 100))
    def tighten(self, node, handover_ns):
        return self.send(node, Tighten(handover_ns))

    def send(self, node, event):
        at = self.nodes[node]
        return Request(node, at.life, event, at.clock.at(self.true_ns))

    @rule(target=attempts, request=consumes(requests), index=BOTH)
    def decide(self, request, index):
        election, clock = self.coordinators[index]
        now_ns = clock.at(self.true_ns)
        election.observe(self.seat, now_ns)
        decision = election.handle(request.event, now_ns)
        seat = decision.seat if isinstance(decision, Write) else None
        return Attempt(index, self.lives[index], self.version, seat, request)

    @rule(target=answers, attempt=consumes(attempts))
    def swap(self, attempt):
        index = attempt.coordinator
        if attempt.seat is None or attempt.version != self.version:
            return None
        if attempt.seat.epoch != self.seat.epoch:
            assert attempt.seat.epoch == self.highest + 1, "an epoch was given out twice"
            self.highest = attempt.seat.epoch
        self.seat, self.version = attempt.seat, self.version + 1
        if attempt.life != self.lives[index]:
            return None  # written by a coordinator that died before it could answer
        election, clock = self.coordinators[index]
        election.observe(self.seat, clock.at(self.true_ns))
        return attempt

    @rule(answer=consumes(answers))
    def receive(self, answer):
        if answer is None or not isinstance(answer.request.event, Claim | Renew):
            return
        node = self.nodes[answer.request.node]
        if answer.request.life != node.life or not node.fence.admit(answer.seat.epoch):
            return
        sent_ns = answer.request.sent_ns
        if node.held is None or node.held.epoch < answer.seat.epoch or node.held.sent_ns < sent_ns:
            node.held = Held(answer.seat.epoch, sent_ns, answer.seat.lease_ns)

    @rule(node=NODES, rate=RATES)
    def restart_node(self, node, rate):
        old = self.nodes[node]
        self.nodes[node] = Node(old.name, Clock(rate, self.true_ns), old.life + 1)

    @rule(index=BOTH, rate=RATES)
    def restart_coordinator(self, index, rate):
        """Knows nothing, and its clock begins anew."""
        self.lives[index] += 1
        clock = Clock(rate, self.true_ns)
        self.coordinators[index] = Election(TERMS, LIMIT_PPB, LIMIT_PPB), clock
        self.coordinators[index][0].observe(self.seat, clock.at(self.true_ns))

    @rule(index=BOTH)
    def followers_hear(self, index):
        follower = self.followers[index]
        for node in self.serving():
            follower.epoch = node.held.epoch
            follower.heard_ns = follower.clock.at(self.true_ns)

    def serving(self):
        return [
            node
            for node in self.nodes
            if node.held is not None and node.held.may_serve(node.clock.at(self.true_ns))
        ]

    @invariant()
    def one_reference_at_most(self):
        assert len(self.serving()) <= 1

    @invariant()
    def who_serves_has_the_newest_epoch(self):
        for node in self.serving():
            assert node.held.epoch == self.seat.epoch == self.highest

    @invariant()
    def followers_have_widened_for_every_change_they_missed(self):
        for follower in self.followers:
            if follower.epoch:
                silent_ns = follower.clock.at(self.true_ns) - follower.heard_ns
                missed = self.seat.epoch - follower.epoch
                assert missed <= possible_handovers(silent_ns, TERMS)


World.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestElection = World.TestCase
