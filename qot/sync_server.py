"""The reference's socket: a thin shell around :class:`qot.exchange.Responder`."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from qot.clock import Clock
from qot.exchange import PACKET_BYTES, Responder


@dataclass(slots=True)
class SyncServer:
    """Answers requests with the reference's core clock. Never blocks."""

    clock: Clock
    responder: Responder
    socket: socket.socket

    @classmethod
    def bind(cls, address: tuple[str, int], clock: Clock, responder: Responder) -> SyncServer:
        """A server on ``address``; port 0 takes any. Raises OSError, as for a port in use."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        try:
            made.bind(address)
        except OSError:
            made.close()
            raise
        return cls(clock, responder, made)

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
                self.responder.counters.unreachable += 1
                continue
            t2_ns = self.clock.now_ns()
            answer = self.responder.answer(data, t2_ns, self.clock.now_ns)
            if answer is None:
                continue
            try:
                self.socket.sendto(answer, sender)
            except OSError:
                self.responder.counters.unreachable += 1

    def close(self) -> None:
        self.socket.close()
