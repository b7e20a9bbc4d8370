"""The election of one timeline's reference: decides, and does nothing.

The caller reads the seat from the store, shows it (:meth:`Election.observe`), asks
(:meth:`Election.handle`) and carries out a :class:`Write` by compare-and-swap; only after that has
succeeded is the new seat given out. A swap that fails means that somebody else was faster: read,
observe and ask again. Nothing here reads a clock or knows of other coordinators; safety rests on
two facts: the swap succeeds only on the seat that was observed, and a seat passes to another node
only when it was seen unrenewed for long enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from qot.coordination.errors import Reason
from qot.coordination.seat import Seat
from qot.coordination.terms import DEFAULT_DRIFT_PPB, Terms, certain_ns, next_era
from qot.instant import UNBOUNDED_NS

FORGOTTEN_NS = 3_000_000_000
"""A free seat that nobody with a bound has claimed for so long: no node is left that could."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A node wants the seat.

    bound_ns: what its bound is now; None if it has none. bound_epoch: the reference whose time that
    bound is about; None: the node has made sure that it is the last one's.
    """

    node: str
    session: str
    bound_ns: int | None = None
    address: str = ""
    bound_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Renew:
    """The holder wants to go on."""

    node: str
    session: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Release:
    """The holder has stopped answering and gives the seat up."""

    node: str
    session: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Tighten:
    """Demands became tighter (or an operator decided): candidates must be better from now on."""

    handover_ns: int
    raising: bool = False
    """An operator's word alone may raise it."""


Event = Claim | Renew | Release | Tighten


@dataclass(frozen=True, slots=True)
class Write:
    """Swap this seat for the observed one."""

    seat: Seat


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not now. ``retry_ns``: when asking again may help; None: never with the same words."""

    reason: Reason
    seen: str
    fix: str
    retry_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is to be changed."""


Decision = Write | Refuse | Keep


class SeatState(StrEnum):
    """What a coordinator can say of a seat."""

    NEW = "new"
    """There never was a reference."""
    HELD = "held"
    """Its lease may be running."""
    SILENT = "silent"
    """The lease is over; followers are given time to notice."""
    FREE = "free"
    """The best candidate gets it."""


class Election:
    """One coordinator's knowledge of one timeline's seat. Not thread-safe.

    terms: for epochs that it will give out (their handover_ns comes from the seat). own_ppb and
    node_ppb: the drift limits of the coordinator's clock and of the nodes'.
    """

    def __init__(
        self, terms: Terms, own_ppb: int = DEFAULT_DRIFT_PPB, node_ppb: int = DEFAULT_DRIFT_PPB
    ) -> None:
        self._terms = terms
        self._own_ppb, self._node_ppb = own_ppb, node_ppb
        self._seat: Seat | None = None
        self._still_since_ns = 0
        self._claims: dict[tuple[str, str], tuple[int, int]] = {}

    @property
    def seat(self) -> Seat:
        """The seat as observed. Raises ValueError before the first time."""
        if self._seat is None:
            raise ValueError("no seat was observed yet: read it from the store and observe it")
        return self._seat

    def observe(self, seat: Seat, now_ns: int) -> None:
        """The store holds this seat. ``now_ns``: read *after* the store answered."""
        known = self._seat
        if known is None or (seat.epoch, seat.renewals) != (known.epoch, known.renewals):
            self._still_since_ns = now_ns
        self._seat = seat

    def free_in_ns(self, now_ns: int) -> int:
        """How long nobody else can have the seat yet; 0 when it is free."""
        if self.seat.epoch == 0:
            return 0
        due_ns = self._still_since_ns + self._certain(self.seat.vacancy_ns)
        return max(0, due_ns - now_ns)

    def state(self, now_ns: int) -> SeatState:
        """What can be said of the seat now."""
        if self.seat.epoch == 0:
            return SeatState.NEW
        if self.free_in_ns(now_ns) == 0:
            return SeatState.FREE
        lease_ns = self._certain(self.seat.lease_ns)
        over = self.seat.released or now_ns - self._still_since_ns >= lease_ns
        return SeatState.SILENT if over else SeatState.HELD

    def forget(self, node: str) -> None:
        """The node is gone: its claims are void."""
        self._claims = {key: claim for key, claim in self._claims.items() if key[0] != node}

    def handle(self, event: Event, now_ns: int) -> Decision:
        """Decide. ``now_ns`` is the coordinator's monotonic clock, and never goes back."""
        match event:
            case Claim():
                return self._claim(event, now_ns)
            case Renew():
                return self._renew(event)
            case Release():
                return self._release(event)
            case Tighten():
                return self._tighten(event)

    def _claim(self, claim: Claim, now_ns: int) -> Decision:
        seat = self.seat
        if seat.is_held_by(claim.node, claim.session):  # it has not heard that it was granted
            return self._renew(Renew(claim.node, claim.session, seat.epoch))
        if seat.epoch and claim.bound_ns is None and self._is_forgotten(now_ns):
            return Write(self._granted(claim, next_era(seat.epoch)))
        if seat.epoch and (claim.bound_ns is None or claim.bound_ns > seat.handover_ns):
            self.forget(claim.node)
            return Refuse(
                Reason.TOO_WIDE,
                f"the bound of {claim.node} is {claim.bound_ns} ns, more than the timeline's "
                f"handover_ns, {seat.handover_ns}",
                "let a node with a smaller bound claim, or raise handover_ns and break the promise",
            )
        if seat.epoch and claim.bound_epoch not in (None, seat.epoch):
            self.forget(claim.node)
            return Refuse(
                Reason.TOO_WIDE,
                f"the bound of {claim.node} is about the time of epoch {claim.bound_epoch}, and "
                f"the last reference had epoch {seat.epoch}",
                "only who has followed the last reference can carry its time on",
            )
        bound_ns = UNBOUNDED_NS if claim.bound_ns is None else claim.bound_ns
        standing = self._claims.get((claim.node, claim.session))
        if standing is not None and standing[1] > now_ns:
            # Bounds grow: if it counted anew each time, whoever claimed before would be better.
            bound_ns = min(bound_ns, standing[0])
        self._claims[claim.node, claim.session] = bound_ns, now_ns + self._terms.lease_ns // 2
        wait_ns = self.free_in_ns(now_ns)
        if wait_ns:
            return Refuse(
                Reason.HELD,
                f"{seat.node or 'nobody'} holds epoch {seat.epoch}, or followers may still "
                "believe so",
                f"claim again in {wait_ns} ns",
                wait_ns,
            )
        best = self._best(now_ns)
        if best != (claim.node, claim.session):
            _, until_ns = self._claims[best]
            return Refuse(
                Reason.OUTBID,
                f"{best[0]} has claimed with a smaller bound, or the same and an earlier name",
                "follow it when it serves, or claim again",
                until_ns - now_ns,
            )
        self._claims.clear()
        return Write(self._granted(claim, seat.epoch + 1))

    def _granted(self, claim: Claim, epoch: int) -> Seat:
        return Seat(
            epoch=epoch,
            renewals=self.seat.renewals + 1,
            node=claim.node,
            session=claim.session,
            address=claim.address,
            bound_ns=claim.bound_ns,
            lease_ns=self._terms.lease_ns,
            silence_ns=self._terms.silence_ns,
            handover_ns=self.seat.handover_ns,
        )

    def _is_forgotten(self, now_ns: int) -> bool:
        """Nobody who knows the timeline's time has wanted the seat for so long: there is none."""
        free_ns = now_ns - self._still_since_ns - self._certain(self.seat.vacancy_ns)
        known = [bound for bound, until in self._claims.values() if until > now_ns - FORGOTTEN_NS]
        return free_ns > FORGOTTEN_NS and all(bound == UNBOUNDED_NS for bound in known)

    def _best(self, now_ns: int) -> tuple[str, str]:
        """Of the claims that are still open: the smallest bound, then the name."""
        self._claims = {key: claim for key, claim in self._claims.items() if claim[1] > now_ns}
        limit_ns = self.seat.handover_ns if self.seat.epoch else UNBOUNDED_NS
        fitting = (key for key, (bound_ns, _) in self._claims.items() if bound_ns <= limit_ns)
        return min(fitting, key=lambda key: (self._claims[key][0], key))

    def _renew(self, renew: Renew) -> Decision:
        refusal = self._foreign(renew.node, renew.session, renew.epoch)
        if refusal is not None:
            return refusal
        return Write(msgspec.structs.replace(self.seat, renewals=self.seat.renewals + 1))

    def _release(self, release: Release) -> Decision:
        refusal = self._foreign(release.node, release.session, release.epoch)
        if refusal is not None:
            return refusal
        self.forget(release.node)
        return Write(
            msgspec.structs.replace(self.seat, renewals=self.seat.renewals + 1, released=True)
        )

    def _tighten(self, event: Tighten) -> Decision:
        if event.handover_ns == self.seat.handover_ns:
            return Keep()
        if event.handover_ns > self.seat.handover_ns and not event.raising:
            return Keep()
        return Write(msgspec.structs.replace(self.seat, handover_ns=event.handover_ns))

    def _foreign(self, node: str, session: str, epoch: int) -> Refuse | None:
        """Why this is not the holder's word, if it is not."""
        seat = self.seat
        if epoch == seat.epoch and seat.is_held_by(node, session):
            return None
        holder = seat.node if seat.epoch and not seat.released else "nobody"
        return Refuse(
            Reason.FENCED,
            f"{node} speaks for epoch {epoch}, and the seat is at epoch {seat.epoch}, "
            f"held by {holder}",
            "stop answering as the reference at once, follow, and claim anew",
        )

    def _certain(self, duration_ns: int) -> int:
        return certain_ns(duration_ns, self._own_ppb, self._node_ppb)
