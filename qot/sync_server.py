"""The reference's socket, and the desk behind it that knows for which timelines to answer.

One port serves all timelines of a node. A local timeline *is* the node's core clock; a global one
is UTC, for which the node needs a source. Who asks for anything else is told so.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from qot.clock import Clock
from qot.exchange import (
    GLOBAL,
    LOCAL,
    PACKET_BYTES,
    REQUEST,
    Counters,
    No,
    Responder,
    Seal,
    addressed,
)

_RESPONDERS_MOST = 4096


@dataclass(frozen=True, slots=True)
class Utc:
    """This machine's view of UTC: CLOCK_REALTIME, which something else disciplines.

    error_ns: how wrong it may be, stated by the operator; a promise like the drift limit.
    """

    error_ns: int

    def now_ns(self) -> int:
        """UTC in ns since 1970, to within ``error_ns``."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME)


class Answering(Protocol):
    """Who answers for a timeline whose reference this node is for the time being."""

    def answer(self, data: bytes, core_ns: int) -> bytes | None:
        """The answer to a packet that came at ``core_ns`` of the core clock; None for none."""


class Desk:
    """Finds the responder for each request.

    is_reference: of the local timeline with this number? utc: None refuses all global ones.
    """

    def __init__(
        self,
        key: bytes,
        epoch: int,
        clock: Clock,
        is_reference: Callable[[int], bool],
        utc: Utc | None = None,
    ) -> None:
        self._key, self._epoch = key, epoch
        self._clock, self._utc = clock, utc
        self._is_reference = is_reference
        self._responders: dict[tuple[int, int], Responder] = {}
        self._elected: dict[int, Answering] = {}
        self.strangers = Counters()
        """What came that no timeline's key opens."""

    def counters(self, number: int, scope: int) -> Counters:
        """Of one timeline."""
        found = self._responders.get((number, scope))
        return Counters() if found is None else found.counters

    def serve(self, number: int, elected: Answering | None) -> None:
        """Have this answer for a local timeline from now on; None: nobody special."""
        self._elected.pop(number, None)
        if elected is not None:
            self._elected[number] = elected

    def answer(self, data: bytes, t2_ns: int) -> bytes | None:
        """The answer to a packet that came at ``t2_ns`` of the core clock; None for none."""
        claimed = addressed(data)
        if claimed is None or claimed[0] != REQUEST:
            self.strangers.malformed += 1
            return None
        _, number, scope = claimed
        elected = self._elected.get(number) if scope == LOCAL else None
        if elected is not None:
            return elected.answer(data, t2_ns)
        now_ns = self._clock.now_ns
        if scope == GLOBAL and self._utc is not None:
            now_ns = self._utc.now_ns
            t2_ns = now_ns()  # later than the arrival, which is the safe side
        responder = self._responders.get((number, scope))
        if responder is not None:
            return responder.answer(data, t2_ns, now_ns)
        responder = self._make(number, scope)
        answer = responder.answer(data, t2_ns, now_ns)
        if answer is None:
            self.strangers.forged += 1
        elif len(self._responders) < _RESPONDERS_MOST:
            self._responders[number, scope] = responder
        return answer

    def _make(self, number: int, scope: int) -> Responder:
        seal = Seal.numbered(number, self._key, scope)
        if scope == GLOBAL and self._utc is not None:
            return Responder(seal, self._epoch, error_ns=self._utc.error_ns)
        if scope == GLOBAL:
            return Responder(seal, self._epoch, refusing=No.NO_UTC)
        refusing = None if self._is_reference(number) else No.NOT_THE_REFERENCE
        return Responder(seal, self._epoch, refusing=refusing)


@dataclass(slots=True)
class SyncServer:
    """Answers requests with the reference's clock. Never blocks."""

    clock: Clock
    desk: Desk
    socket: socket.socket
    unreachable: int = 0

    @classmethod
    def bind(cls, address: tuple[str, int], clock: Clock, desk: Desk) -> SyncServer:
        """A server on ``address``; port 0 takes any. Raises OSError, as for a port in use."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        try:
            made.bind(address)
        except OSError:
            made.close()
            raise
        return cls(clock, desk, made)

    @property
    def port(self) -> int:
        """The port that it answers on."""
        return int(self.socket.getsockname()[1])

    def serve(self) -> None:
        """Answer all requests that are here. t2 is taken before a packet is looked at, t3 last."""
        while True:
            try:
                data, sender = self.socket.recvfrom(PACKET_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                self.unreachable += 1
                continue
            answer = self.desk.answer(data, self.clock.now_ns())
            if answer is None:
                continue
            try:
                self.socket.sendto(answer, sender)
            except OSError:
                self.unreachable += 1

    def close(self) -> None:
        self.socket.close()
