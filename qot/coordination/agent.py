"""A node's voice at the coordination service: a thread, for HTTP waits and a time service must not.

It renews the node's session, claims the seat when that may be free and the node is fit for it, and
renews what it holds. What it hears becomes a :class:`Word`; ``socket`` is readable when there is a
new one.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from qot.clock import SECOND_NS
from qot.coordination.client import Client, Member
from qot.coordination.election import SeatState
from qot.coordination.errors import CoordinationError, Reason, RefusedError
from qot.coordination.schemas import ReferenceView
from qot.coordination.seat import Seat
from qot.coordination.terms import Held, Terms

ASK_TIMEOUT_S = 0.4
"""Half a lease: time enough to renew with a second coordinator when the first one is gone."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What this node can do for the timeline. epoch: of the reference that bound_ns is against.

    bound_ns: None without a promise. A bound against an older reference is worth nothing.
    accuracy_ns: the tightest demand here, or None for none.
    """

    epoch: int = 0
    bound_ns: int | None = None
    accuracy_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """What was heard last. asked_ns: core time before asking. held: the seat, if it is ours.

    problem: why nobody answered; then the rest is what was heard before.
    """

    asked_ns: int = 0
    epoch: int = 0
    node: str = ""
    address: tuple[str, int] | None = None
    free_in_ns: int = 0
    terms: Terms | None = None
    held: Held | None = None
    problem: str = ""


class CoordinationAgent:
    """Speaks for one node on one timeline. address: where it would answer as the reference."""

    def __init__(
        self,
        client: Client,
        timeline: str,
        node: str,
        address: tuple[str, int],
        core_now_ns: Callable[[], int],
    ) -> None:
        self._client, self._timeline, self._node = client, timeline, node
        self._address = f"{address[0]}:{address[1]}"
        self._core_now_ns = core_now_ns
        self.offer = Offer()
        """Set by the time service; read here."""
        self.declined = 0
        """An epoch that this node got and can't serve; set by the time service."""
        self.word = Word()
        """Set here; read by the time service."""
        self.socket, self._bell = socket.socketpair()
        self.socket.setblocking(False)
        self._bell.setblocking(False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._speak, name="coordination", daemon=True)
        self._thread.start()

    def hear(self) -> Word:
        """The last word; ``socket`` is silent until the next."""
        with suppress(BlockingIOError):
            while self.socket.recv(64):
                continue
        return self.word

    def close(self) -> None:
        """Give the seat up, end the session and the thread: at the latest after two time limits."""
        self._stop.set()
        self._thread.join()
        self._client.close()
        self.socket.close()
        self._bell.close()

    def _speak(self) -> None:
        member: Member | None = None
        pause_s = Seat().lease_ns / 3 / SECOND_NS
        while True:
            try:
                if member is None:
                    member = self._join()
                self.word = self._ask(member)
                if self.word.terms is not None:
                    pause_s = self.word.terms.lease_ns / 3 / SECOND_NS
            except CoordinationError as error:
                held = None if member is None else member.held
                self.word = replace(self.word, problem=str(error), held=held)
            self._ring()
            if self._stop.wait(pause_s):
                break
        if member is not None:
            with suppress(CoordinationError):  # session and lease run out by themselves, too
                member.leave()

    def _join(self) -> Member:
        """Become a member; the first one makes the timeline."""
        try:
            return self._client.join(self._timeline, self._node)
        except RefusedError as unknown:
            if unknown.reason is not Reason.UNKNOWN:
                raise
        try:
            self._client.add_timeline(self._timeline)
        except RefusedError as exists:
            if exists.reason is not Reason.EXISTS:  # another node was faster
                raise
        return self._client.join(self._timeline, self._node)

    def _ask(self, member: Member) -> Word:
        offer, asked_ns = self.offer, self._core_now_ns()
        demand = {} if offer.accuracy_ns is None else {"accuracy": offer.accuracy_ns}
        reference = member.heartbeat(offer.bound_ns, **demand).reference
        if member.held is not None and member.held.epoch == self.declined:
            member.release()
        elif member.held is not None:
            reference = member.renew()
        elif self._is_fit(offer, reference):
            with suppress(RefusedError):  # held, or another is better: the next heartbeat tells
                reference = member.claim(offer.bound_ns, self._address, offer.epoch or None)
        return Word(
            asked_ns=asked_ns,
            epoch=reference.epoch,
            node=reference.node or "",
            address=_parse(reference.address),
            free_in_ns=reference.free_in_ns,
            terms=Terms(reference.lease_ns, reference.silence_ns, reference.handover_ns),
            held=member.held,
        )

    def _is_fit(self, offer: Offer, reference: ReferenceView) -> bool:
        """Only who knows the last reference's time can carry it on; if nobody does, it begins.

        Whose name is on the seat asks again: the answer to its claim may have been lost.
        """
        if reference.node == self._node and offer.epoch + 1 == reference.epoch:
            return True
        if offer.bound_ns is None:
            return reference.state in (SeatState.NEW, SeatState.FREE)
        return (
            offer.epoch == reference.epoch
            and offer.bound_ns <= reference.handover_ns
            and reference.state is not SeatState.HELD
        )

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # it has not been heard yet; one ring is enough
            self._bell.send(b"\0")


def _parse(address: str | None) -> tuple[str, int] | None:
    host, _, port = (address or "").rpartition(":")
    return (host, int(port)) if host and port.isdigit() else None
