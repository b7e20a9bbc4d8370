"""The follower's socket and its rhythm: a thin shell around :mod:`qot.exchange`.

Stamps are taken in user space. Kernel receive stamps (SO_TIMESTAMPNS) are CLOCK_REALTIME, which may
step between the stamp and its conversion; a late t4 only widens the bound, a wrong one breaks it.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from dataclasses import dataclass, field

from qot.clock import Clock
from qot.demand import Pace
from qot.exchange import PACKET_BYTES, Requester
from qot.hard_bound import Sample

BURST = 8
BURST_GAP_NS = 3_000_000
PAIR_GAP_NS = 500_000
PROBE_NS = 20_000_000
RETRY_NS = 250_000_000
"""When a lost exchange is repeated, if the period is longer."""
SLOW_PROBE_NS = 100_000_000
WARM_NS = 20 * PAIR_GAP_NS
"""A request so soon after another finds both processes awake."""
_PROBES_QUICK = 500


class Pacer:
    """When to send the next request. Pure.

    Looking for the reference: every 20 ms for 10 s, then every 100 ms. Its first answer starts a
    burst of 8, 3 ms apart. Then, once a period (less up to 5 %, lest followers fall into step), a
    pair 0.5 ms apart: the first wakes both processes, the second measures. On an idle machine that
    takes the round trip from 250 µs to 40 µs. A pace from :mod:`qot.demand` may do without pairs.
    """

    def __init__(self, period_ns: int) -> None:
        self.pace = Pace(period_ns, paired=True)
        self._burst = 0
        self._probes = 0
        self._found = False
        self._second = False

    def answered(self) -> None:
        """An answer was believed."""
        if not self._found:
            self._found = True
            self._burst = BURST - 1
            self._probes = 0

    def lost(self) -> None:
        """The reference is silent or moved: look for it."""
        self._found = False
        self._second = False
        self._burst = 0

    @property
    def settled(self) -> bool:
        """The burst is over: the period counts."""
        return self._found and self._burst == 0

    @property
    def paired(self) -> bool:
        """The request that :meth:`delay_ns` was last asked about is the first of a pair."""
        return self._second

    def delay_ns(self, random: int) -> int:
        """How long after this request the next one goes out; ``random`` is any number."""
        if self._burst > 0:
            self._burst -= 1
            return BURST_GAP_NS
        if self._found and not self._second and self.pace.paired:
            self._second = True
            return PAIR_GAP_NS
        if self._found:
            self._second = False
            return self.pace.period_ns * (1000 - random % 51) // 1000
        self._probes += 1
        return PROBE_NS if self._probes <= _PROBES_QUICK else SLOW_PROBE_NS


@dataclass(slots=True)
class SyncClient:
    """Sends requests to one reference and receives its answers. Never blocks."""

    clock: Clock
    requester: Requester
    socket: socket.socket
    _sent_ns: deque[int] = field(default_factory=lambda: deque(maxlen=16))

    @classmethod
    def bind(cls, host: str, clock: Clock, requester: Requester) -> SyncClient:
        """A client with a socket on any free port of ``host``. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind((host, 0))
        return cls(clock, requester, made)

    def aim(self, reference: tuple[str, int]) -> None:
        """Talk to this address from now on, and hear nobody else. Raises OSError."""
        self.socket.connect(reference)

    def send(self) -> int:
        """Send one request; gives its nonce. A refusal by the system is counted."""
        nonce = int.from_bytes(os.urandom(8), "big")
        packet = self.requester.request(nonce)
        t1_ns = self.clock.now_ns()
        self.requester.sent(nonce, t1_ns)
        self._sent_ns.append(t1_ns)
        try:
            self.socket.send(packet)
        except OSError:
            self.requester.counters.unreachable += 1
        return nonce

    def was_warm(self, sample: Sample) -> bool:
        """Did its request follow at once on another?"""
        before = max((t1 for t1 in self._sent_ns if t1 < sample.t1_ns), default=None)
        return before is not None and sample.t1_ns - before < WARM_NS

    def receive(self) -> list[Sample]:
        """All answers that are here and to be believed."""
        samples: list[Sample] = []
        while True:
            try:
                data = self.socket.recv(PACKET_BYTES + 1)
            except BlockingIOError:
                return samples
            except OSError:
                self.requester.counters.unreachable += 1
                continue
            sample = self.requester.answer(data, self.clock.now_ns())
            if sample is not None:
                samples.append(sample)

    def close(self) -> None:
        self.socket.close()
