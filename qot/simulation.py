"""A follower, a reference and a bad network in virtual time: hours of clock drift in seconds.

Runs the very code that a time service runs (Pacer, Requester, Responder, ClockFilter); only sockets
and sleeps are replaced. Deterministic: one seed, one history. For tests, audits and app authors who
want to know what a link does to their bound; a node never imports it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

from qot.clock import SECOND_NS, Clock
from qot.clock_filter import ClockFilter, FilterConfig, Tick
from qot.exchange import Requester, Responder, Seal
from qot.hard_bound import relative_drift_ppb
from qot.instant import Instant, Status
from qot.params import ClockParams
from qot.sync_client import Pacer

_KEY = bytes(range(16))


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a link. Chances are 0..1; jitter and spikes are exponential, with that mean.

    Packets may overtake one another when jitter or spikes are long.
    """

    delay_ns: int = 100_000
    jitter_ns: int = 0
    spike_ns: int = 0
    spike_chance: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0

    def arrivals(self, random: Random) -> Iterator[int]:
        """How long after it was sent each copy of a packet arrives: none, one or two."""
        if random.random() < self.loss:
            return
        for _ in range(1 + (random.random() < self.duplicate)):
            delay = self.delay_ns
            if self.jitter_ns:
                delay += round(random.expovariate(1 / self.jitter_ns))
            if random.random() < self.spike_chance:
                delay += round(random.expovariate(1 / max(1, self.spike_ns)))
            yield delay


@dataclass(frozen=True, slots=True)
class Observation:
    """What a reader on the follower sees, and the truth that it doesn't."""

    monotonic_ns: int
    truth_ns: int
    instant: Instant

    @property
    def outside_ns(self) -> int:
        """How far the truth is outside the interval; 0 when it is inside."""
        return max(
            0, self.instant.earliest_ns - self.truth_ns, self.truth_ns - self.instant.latest_ns
        )


class Simulation:
    """One follower of one reference, from ``start_ns`` of CLOCK_MONOTONIC on.

    drift_ppb: the relative drift limit the filter is told; None takes it from the two clocks.
    ``forward`` and ``backward`` may be changed between runs.
    """

    def __init__(
        self,
        reference: Clock,
        follower: Clock,
        forward: Way,
        backward: Way,
        *,
        seed: int = 0,
        start_ns: int = 0,
        period_ns: int = 250_000_000,
        drift_ppb: int | None = None,
    ) -> None:
        self.reference, self.follower = reference, follower
        self.forward, self.backward = forward, backward
        self.now_ns = start_ns
        if drift_ppb is None:
            drift_ppb = relative_drift_ppb(follower.max_drift_ppb, reference.max_drift_ppb)
        self.filter = ClockFilter(FilterConfig(drift_ppb=drift_ppb, period_ns=period_ns))
        self.requester = Requester(Seal("simulated", _KEY))
        self.responder = Responder(Seal("simulated", _KEY), epoch=1)
        self.params: ClockParams = self.filter.handle(Tick(), follower.from_monotonic_ns(start_ns))
        self._pacer = Pacer(period_ns)
        self._random = Random(seed)
        self._order = count()
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._at(start_ns, self._ask)

    def run(self, duration_ns: int, *, every_ns: int, audit: Callable[[Observation], None]) -> None:
        """Go on for ``duration_ns``; observe at random moments, ``every_ns`` apart on average."""
        end_ns = self.now_ns + duration_ns
        look_ns = self.now_ns + self._gap(every_ns)
        while self.now_ns < end_ns:
            next_ns = min(self._events[0][0], end_ns)
            while look_ns < next_ns:
                audit(self.observe(look_ns))
                look_ns += self._gap(every_ns)
            self.now_ns = next_ns
            while self._events[0][0] <= self.now_ns:
                heapq.heappop(self._events)[2]()

    def observe(self, monotonic_ns: int) -> Observation:
        """What the present parameters say about a moment."""
        core_ns = self.follower.from_monotonic_ns(monotonic_ns)
        return Observation(
            monotonic_ns,
            self.reference.from_monotonic_ns(monotonic_ns),
            self.params.instant_at(core_ns),
        )

    def _gap(self, every_ns: int) -> int:
        return 1 + self._random.randrange(2 * every_ns)

    def _at(self, monotonic_ns: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (monotonic_ns, next(self._order), action))

    def _ask(self) -> None:
        sent_ns = self.now_ns
        core_ns = self.follower.from_monotonic_ns(sent_ns)
        self.params = self.filter.handle(Tick(), core_ns)
        if self.params.status in (Status.HOLDOVER, Status.UNSYNCHRONIZED):
            self._pacer.lost()
        nonce = self._random.getrandbits(64)
        packet = self.requester.request(nonce)
        self.requester.sent(nonce, core_ns)
        for delay in self.forward.arrivals(self._random):
            self._at(sent_ns + delay, lambda: self._serve(packet))
        self._at(sent_ns + self._pacer.delay_ns(nonce), self._ask)

    def _serve(self, packet: bytes) -> None:
        left_ns = self.now_ns + self._random.randrange(1_000, 50_000)
        answer = self.responder.answer(
            packet,
            self.reference.from_monotonic_ns(self.now_ns),
            lambda: self.reference.from_monotonic_ns(left_ns),
        )
        assert answer is not None
        for delay in self.backward.arrivals(self._random):
            self._at(left_ns + delay, lambda: self._hear(answer))

    def _hear(self, answer: bytes) -> None:
        core_ns = self.follower.from_monotonic_ns(self.now_ns)
        sample = self.requester.answer(answer, core_ns)
        if sample is not None:
            self._pacer.answered()
            self.params = self.filter.handle(sample, core_ns)


def minutes(number: float) -> int:
    """For readable scenarios: minutes in ns."""
    return round(number * 60 * SECOND_NS)
