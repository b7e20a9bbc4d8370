"""The two-way exchange on the wire: packets, who may have made them, which of them to believe.

Pure: bytes in, bytes or samples out; stamps and nonces are given. One packet is 64 bytes, request
and answer alike (so that a forged sender address gains nothing), big endian::

    4s magic "QOTX" | u8 version | u8 kind | u16 scope | u64 timeline id | u64 nonce | u64 epoch
    i64 t2 | i64 t3 | 16s HMAC-SHA256 of all that, under the cluster's key, cut to 16 bytes

scope: 0 for a local timeline, 1 for a global one (UTC). A REFUSAL is an answer without stamps, from
a node that is not the timeline's reference or has no source of UTC; t2 says which (:class:`No`).

A reference that is itself uncertain of the time, as one of UTC is, answers with t2 its *latest* at
the arrival and t3 its *earliest* at the departure: the causal limits then hold for the truth.

A nonce is 64 random bits, used once. Without it nobody can answer before the request was sent, and
a recorded answer fits no later request: so ``θ(t1) <= t2 - t1`` holds against replay too.
Delaying packets is possible for anybody on the path; it only widens the bound.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from dataclasses import astuple, dataclass
from enum import IntEnum

from qot.hard_bound import Sample
from qot.page_layout import timeline_id

MAGIC = b"QOTX"
VERSION = 1
REQUEST, ANSWER, REFUSAL = 1, 2, 3
LOCAL, GLOBAL = 0, 1
PACKET_BYTES = 64
SHORTEST_KEY_BYTES = 16
ANSWER_TIMEOUT_NS = 1_000_000_000
_MAC_BYTES = 16
_PACKET = struct.Struct(">4sBBHQQQqq")
_PENDING_MOST = 64


class No(IntEnum):
    """Why a node does not answer as the reference of a timeline."""

    NOT_THE_REFERENCE = 1
    NO_UTC = 2


@dataclass(slots=True)
class Counters:
    """What one side sent, believed and dropped. The order is the clock page's.

    malformed: wrong size, magic, version, kind or timeline. forged: the HMAC does not hold.
    replayed: the answer fits no open request (a duplicate, or recorded earlier). stale: it came
    after ANSWER_TIMEOUT_NS, or from a reference of an older epoch. unreachable: the system said so.
    """

    sent: int = 0
    accepted: int = 0
    malformed: int = 0
    forged: int = 0
    replayed: int = 0
    stale: int = 0
    lost: int = 0
    unreachable: int = 0

    def as_tuple(self) -> tuple[int, ...]:
        return astuple(self)


class Seal:
    """Makes and opens packets of one timeline under one key. Raises ValueError for a short key."""

    def __init__(self, timeline: str, key: bytes, scope: int = LOCAL) -> None:
        self._set(timeline_id(timeline), key, scope)

    @classmethod
    def numbered(cls, number: int, key: bytes, scope: int) -> Seal:
        """The seal of a timeline of which a packet told the number only."""
        made = cls.__new__(cls)
        made._set(number, key, scope)
        return made

    def _set(self, number: int, key: bytes, scope: int) -> None:
        if len(key) < SHORTEST_KEY_BYTES:
            raise ValueError(
                f"the exchange key has {len(key)} bytes: give {SHORTEST_KEY_BYTES} or more"
            )
        self.number, self.scope = number, scope
        self._key = key

    def pack(self, kind: int, nonce: int, epoch: int = 0, t2_ns: int = 0, t3_ns: int = 0) -> bytes:
        """A complete packet."""
        body = _PACKET.pack(
            MAGIC, VERSION, kind, self.scope, self.number, nonce, epoch, t2_ns, t3_ns
        )
        return body + hmac.digest(self._key, body, "sha256")[:_MAC_BYTES]

    def open(self, data: bytes, kind: int, counters: Counters) -> tuple[int, int, int, int] | None:
        """(nonce, epoch, t2, t3); None, and counted, when the packet is not to be believed."""
        if len(data) != PACKET_BYTES:
            counters.malformed += 1
            return None
        body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        magic, version, found, scope, number, nonce, epoch, t2_ns, t3_ns = _PACKET.unpack(body)
        expected = (MAGIC, VERSION, kind, self.scope, self.number)
        if (magic, version, found, scope, number) != expected:
            counters.malformed += 1
            return None
        if not hmac.compare_digest(mac, hmac.digest(self._key, body, "sha256")[:_MAC_BYTES]):
            counters.forged += 1
            return None
        return nonce, epoch, t2_ns, t3_ns


def addressed(data: bytes) -> tuple[int, int, int] | None:
    """(kind, timeline id, scope) that a packet claims, nothing verified; None if it is no packet.

    Says which :class:`Seal` may open it.
    """
    if len(data) != PACKET_BYTES:
        return None
    magic, version, kind, scope, number, *_ = _PACKET.unpack(data[:-_MAC_BYTES])
    if magic != MAGIC or version != VERSION or scope not in (LOCAL, GLOBAL):
        return None
    return kind, number, scope


class Requester:
    """The follower's side: remembers what it asked and believes each answer once.

    refused: why the last request was refused; None after an answer.
    """

    def __init__(self, seal: Seal, timeout_ns: int = ANSWER_TIMEOUT_NS) -> None:
        self._seal = seal
        self._timeout_ns = timeout_ns
        self._open: dict[int, int] = {}
        self._expired: dict[int, None] = {}
        self._epoch = 0
        self.counters = Counters()
        self.refused: No | None = None

    def request(self, nonce: int) -> bytes:
        """The packet for a new exchange. Stamp t1 after this and before sending."""
        return self._seal.pack(REQUEST, nonce)

    def sent(self, nonce: int, t1_ns: int) -> None:
        """The request with ``nonce`` left at local core time ``t1_ns`` or later."""
        self.counters.sent += 1
        for old, at_ns in list(self._open.items()):
            if t1_ns - at_ns <= self._timeout_ns and len(self._open) < _PENDING_MOST:
                break
            del self._open[old]
            self.counters.lost += 1
            self._expired[old] = None
        while len(self._expired) > _PENDING_MOST:
            del self._expired[next(iter(self._expired))]
        self._open[nonce] = t1_ns

    def answer(self, data: bytes, t4_ns: int) -> Sample | None:
        """The exchange that this answer completes; None, and counted, when it is not believed."""
        claimed = addressed(data)
        kind = REFUSAL if claimed is not None and claimed[0] == REFUSAL else ANSWER
        opened = self._seal.open(data, kind, self.counters)
        if opened is None:
            return None
        nonce, epoch, t2_ns, t3_ns = opened
        t1_ns = self._open.pop(nonce, None)
        if t1_ns is None:
            if nonce in self._expired:
                del self._expired[nonce]
                self.counters.stale += 1
            else:
                self.counters.replayed += 1
            return None
        if t4_ns - t1_ns > self._timeout_ns or epoch < self._epoch:
            self.counters.stale += 1
            return None
        if kind == REFUSAL:
            if t2_ns in tuple(No):
                self.refused = No(t2_ns)
            else:
                self.counters.malformed += 1
            return None
        self._epoch = epoch
        self.refused = None
        self.counters.accepted += 1
        return Sample(t1_ns, t2_ns, t3_ns, t4_ns, epoch)


class Responder:
    """The reference's side. Keeps no state per follower.

    refusing: answer every request with this No. error_ns: how wrong ``now_ns`` may be either way.
    """

    def __init__(
        self, seal: Seal, epoch: int, *, refusing: No | None = None, error_ns: int = 0
    ) -> None:
        self._seal = seal
        self._epoch = epoch
        self._refusing = refusing
        self._error_ns = error_ns
        self.counters = Counters()

    def answer(self, data: bytes, t2_ns: int, now_ns: Callable[[], int]) -> bytes | None:
        """The answer to a request received at ``t2_ns``; None, and counted, when not believed.

        ``now_ns`` reads the reference's clock: t3, taken as late as possible.
        """
        opened = self._seal.open(data, REQUEST, self.counters)
        if opened is None:
            return None
        self.counters.accepted += 1
        self.counters.sent += 1
        if self._refusing is not None:
            return self._seal.pack(REFUSAL, opened[0], self._epoch, self._refusing)
        error_ns = self._error_ns
        return self._seal.pack(
            ANSWER, opened[0], self._epoch, t2_ns + error_ns, now_ns() - error_ns
        )
