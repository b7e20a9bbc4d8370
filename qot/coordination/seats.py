"""The seats of all timelines: shows them to their elections and carries out what these decide.

Read, observe, decide, swap; a swap that fails is begun anew. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable

from qot.coordination.election import Election, Event, Refuse, Write
from qot.coordination.errors import Reason, RefusedError
from qot.coordination.records import seat_path
from qot.coordination.schemas import ReferenceView
from qot.coordination.seat import Seat
from qot.coordination.store import ChangedError, Document, ExistsError, Store
from qot.coordination.terms import Terms

_TRIES = 5
"""Somebody else changes a seat a few times a second at most."""


class Seats:
    """Elections by timeline, over one store. ``clock_ns`` is this machine's monotonic clock."""

    def __init__(self, store: Store, terms: Terms, ppb: int, clock_ns: Callable[[], int]) -> None:
        self._store, self._terms, self._ppb, self._clock_ns = store, terms, ppb, clock_ns
        self._elections: dict[str, Election] = {}

    def ask(self, timeline: str, event: Event) -> Seat:
        """The seat after the event, durable. Raises RefusedError."""
        for _ in range(_TRIES):
            election, document = self._read(timeline)
            decision = election.handle(event, self._clock_ns())
            if isinstance(decision, Refuse):
                raise RefusedError(
                    decision.reason, decision.seen, decision.fix, retry_ns=decision.retry_ns
                )
            if not isinstance(decision, Write):
                return election.seat
            try:
                self._store.swap(seat_path(timeline), decision.seat.to_json(), document.version)
            except ChangedError:
                continue
            election.observe(decision.seat, self._clock_ns())
            return decision.seat
        raise RefusedError(
            Reason.CHANGED,
            f"the seat of {timeline} was changed by others {_TRIES} times in a row",
            "try again",
            retry_ns=self._terms.lease_ns // 10,
        )

    def forget(self, timeline: str, node: str) -> None:
        """The node is no member any more: what it claimed is void."""
        if timeline in self._elections:
            self._elections[timeline].forget(node)

    def view(self, timeline: str) -> ReferenceView:
        """What can be said of the seat now."""
        election, _ = self._read(timeline)
        seat, now_ns = election.seat, self._clock_ns()
        known = seat.epoch > 0 and not seat.released
        return ReferenceView(
            timeline=timeline,
            epoch=seat.epoch,
            state=election.state(now_ns),
            node=seat.node if known else None,
            address=seat.address if known else None,
            bound_ns=seat.bound_ns if known else None,
            lease_ns=seat.lease_ns,
            silence_ns=seat.silence_ns,
            handover_ns=seat.handover_ns,
            free_in_ns=election.free_in_ns(now_ns),
        )

    def _read(self, timeline: str) -> tuple[Election, Document]:
        election = self._elections.get(timeline)
        if election is None:
            election = self._elections[timeline] = Election(self._terms, self._ppb, self._ppb)
        document = self._store.get(seat_path(timeline)) or self._make(timeline)
        election.observe(Seat.from_json(document.data), self._clock_ns())
        return election, document

    def _make(self, timeline: str) -> Document:
        """The seat of a timeline that never had one."""
        seat = Seat(
            lease_ns=self._terms.lease_ns,
            silence_ns=self._terms.silence_ns,
            handover_ns=self._terms.handover_ns,
        )
        try:
            return self._store.create(seat_path(timeline), seat.to_json())
        except ExistsError:
            document = self._store.get(seat_path(timeline))
            if document is None:
                raise  # seats are never deleted
            return document
