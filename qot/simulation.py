"""A follower, a reference and a bad network in virtual time: hours of clock drift in seconds.

Runs the very code that a time service runs (Pacer, Requester, Responder, ClockFilter); only sockets
and sleeps are replaced. Deterministic: one seed, one history. For tests, audits and app authors who
want to know what a link does to their bound; a node never imports it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random

from qot.clock import SECOND_NS, Clock
from qot.clock_filter import ClockFilter, FilterConfig, Tick
from qot.exchange import Requester, Responder, Seal
from qot.faults.link import Carrier, Way
from qot.hard_bound import relative_drift_ppb
from qot.instant import Instant, Status
from qot.params import ClockParams
from qot.sync_client import Pacer

__all__ = ["Observation", "Simulation", "Way", "minutes"]

_KEY = bytes(range(16))
_REMEMBERED = 4096
"""Parameter sets that are kept for suspended readers: several minutes at the default period."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a reader on the follower sees, and the truth that it doesn't."""

    monotonic_ns: int
    truth_ns: int
    instant: Instant
    likely: tuple[int, int] | None = None
    """The statistical interval at 99.999 %; None without a bound."""

    @property
    def outside_ns(self) -> int:
        """How far the truth is outside the interval; 0 when it is inside."""
        return max(
            0, self.instant.earliest_ns - self.truth_ns, self.truth_ns - self.instant.latest_ns
        )


class Simulation:
    """One follower of one reference, from ``start_ns`` of CLOCK_MONOTONIC on.

    drift_ppb: the relative drift limit the filter is told; None takes it from the two clocks.
    ``forward`` and ``backward`` may be changed between runs; ``reader_delay_ns`` too: a reader
    then evaluates its core stamp with parameters that are that much older (or newer, if negative),
    as one that was suspended between the two does.
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
        self.follower = follower
        self.forward, self.backward = forward, backward
        self.now_ns = start_ns
        self.reader_delay_ns = 0
        if drift_ppb is None:
            drift_ppb = relative_drift_ppb(follower.max_drift_ppb, reference.max_drift_ppb)
        self.filter = ClockFilter(FilterConfig(drift_ppb=drift_ppb, period_ns=period_ns))
        self.requester = Requester(Seal("simulated", _KEY))
        self.params: ClockParams = self.filter.handle(Tick(), follower.from_monotonic_ns(start_ns))
        self.shortest_round_trip_ns: int | None = None
        """Of all exchanges that contradicted nothing."""
        self._references: dict[int, Clock] = {}
        self._pacer = Pacer(period_ns)
        self._random = Random(seed)
        self._there, self._back = Carrier(Random(seed + 1)), Carrier(Random(seed + 2))
        self._order = count()
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._history: deque[tuple[int, ClockParams]] = deque(maxlen=_REMEMBERED)
        self._paused_until_ns = start_ns
        self.aim(reference, epoch=1)
        self._at(start_ns, self._ask)

    def aim(self, reference: Clock | None, epoch: int) -> None:
        """From now on this reference answers, with that epoch; None: nobody does."""
        self._reference, self._aimed_epoch = reference, epoch
        if reference is not None:
            self._references[epoch] = reference
            self.responder = Responder(Seal("simulated", _KEY), epoch)

    @property
    def reference(self) -> Clock:
        """The clock that is the timeline: that of the newest reference the follower believed."""
        return self._references[max(1, self.params.epoch)]

    def pause(self, duration_ns: int) -> None:
        """The follower's time service stands still; packets wait in its socket."""
        self._paused_until_ns = self.now_ns + duration_ns

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
        """What the present parameters say about a moment, or those that a slow reader has."""
        params = self.params
        if self.reader_delay_ns > 0:
            params = self._published_before(monotonic_ns - self.reader_delay_ns) or params
        else:
            monotonic_ns += self.reader_delay_ns
        core_ns = self.follower.from_monotonic_ns(monotonic_ns)
        return Observation(
            monotonic_ns,
            self._references[max(1, params.epoch)].from_monotonic_ns(monotonic_ns),
            params.instant_at(core_ns),
            params.statistical_at(core_ns) if params.bounded else None,
        )

    def _published_before(self, monotonic_ns: int) -> ClockParams | None:
        """The parameters that were on the page then, or the oldest that are remembered."""
        history = self._history
        while len(history) > 1 and history[1][0] <= monotonic_ns:
            history.popleft()
        return history[0][1] if history else None

    def _gap(self, every_ns: int) -> int:
        return 1 + self._random.randrange(2 * every_ns)

    def _at(self, monotonic_ns: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (monotonic_ns, next(self._order), action))

    def _publish(self, params: ClockParams) -> None:
        self.params = params
        if self.reader_delay_ns > 0:
            self._history.append((self.now_ns, params))

    def _delayed(self, action: Callable[[], None]) -> bool:
        """True when the follower is paused; then it acts afterwards."""
        if self.now_ns >= self._paused_until_ns:
            return False
        self._at(self._paused_until_ns, action)
        return True

    def _ask(self) -> None:
        if self._delayed(self._ask):
            return
        sent_ns = self.now_ns
        core_ns = self.follower.from_monotonic_ns(sent_ns)
        self._publish(self.filter.handle(Tick(), core_ns))
        if self.params.status in (Status.HOLDOVER, Status.UNSYNCHRONIZED):
            self._pacer.lost()
        nonce = self._random.getrandbits(64)
        self.requester.sent(nonce, core_ns)
        for delay, packet in self._there.carry(self.forward, self.requester.request(nonce)):
            self._at(sent_ns + delay, partial(self._serve, packet))
        self._at(sent_ns + self._pacer.delay_ns(nonce), self._ask)

    def _serve(self, packet: bytes) -> None:
        reference = self._reference
        if reference is None:
            return
        left_ns = self.now_ns + self._random.randrange(1_000, 50_000)
        answer = self.responder.answer(
            packet,
            reference.from_monotonic_ns(self.now_ns),
            lambda: reference.from_monotonic_ns(left_ns),
        )
        if answer is not None:
            self._at(left_ns, partial(self._send_back, answer))

    def _send_back(self, answer: bytes) -> None:
        """The answer leaves; not before, lest an attacker replays what was not sent yet."""
        for delay, each in self._back.carry(self.backward, answer):
            self._at(self.now_ns + delay, partial(self._hear, each))

    def _hear(self, answer: bytes) -> None:
        if self._delayed(partial(self._hear, answer)):
            return
        core_ns = self.follower.from_monotonic_ns(self.now_ns)
        sample = self.requester.answer(answer, core_ns)
        if sample is None:
            return
        self._pacer.answered()
        contradictions = self.filter.contradictions
        self._publish(self.filter.handle(sample, core_ns))
        if contradictions == self.filter.contradictions:
            taken_ns = sample.round_trip_ns
            self.shortest_round_trip_ns = min(self.shortest_round_trip_ns or taken_ns, taken_ns)


def minutes(number: float) -> int:
    """For readable scenarios: minutes in ns."""
    return round(number * 60 * SECOND_NS)
