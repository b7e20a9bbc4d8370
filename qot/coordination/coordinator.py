"""The coordination service without HTTP: what each request does.

One lock: requests take turns. Leading matters for order alone (:mod:`qot.coordination.store`); when
this coordinator does not lead it refuses, and forgets what it knew, which may be old by the time it
leads again. Changes are published after they are durable.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from qot.clock import SECOND_NS, monotonic_ns
from qot.coordination import schemas
from qot.coordination.catalogue import Catalogue
from qot.coordination.election import Claim, Release, Renew, Tighten
from qot.coordination.errors import Reason, RefusedError
from qot.coordination.presence import Presence
from qot.coordination.publisher import Publisher, events_subject, params_subject
from qot.coordination.records import NodeRecord
from qot.coordination.seats import Seats
from qot.coordination.store import Store
from qot.coordination.terms import DEFAULT_DRIFT_PPB, DEFAULT_TERMS, Terms, handover_for

DEFAULT_SESSION_NS = 3 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a coordinator gives out. drift_ppb: the stated limit of its clock and of the nodes'."""

    terms: Terms = DEFAULT_TERMS
    session_ns: int = DEFAULT_SESSION_NS
    drift_ppb: int = DEFAULT_DRIFT_PPB


class Coordinator:
    """Thread-safe. Every call may raise RefusedError and UnavailableError."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        limits: Limits | None = None,
        clock_ns: Callable[[], int] = monotonic_ns,
        backend: str = "sqlite",
    ) -> None:
        self._store, self._publisher, self._clock_ns = store, publisher, clock_ns
        self._limits = limits or Limits()
        self._backend = backend
        self._turn = threading.Lock()
        self._catalogue = Catalogue(store)
        self._presences: dict[str, Presence] = {}
        self._seats = self._new_seats()

    def health(self) -> schemas.HealthView:
        """Who answers, on what."""
        leader = self._store.leader()
        return schemas.HealthView(
            leads=leader.is_self,
            leader=leader.address,
            backend=self._backend,
            lost_messages=self._publisher.lost,
        )

    def tick(self) -> None:
        """Look after what no request asks for; call it a few times per session."""
        if not self._store.leader().is_self:
            return
        with self._lead():
            for name in self._catalogue.timeline_names():
                self._presence(name).refresh()
                self._sweep(name)
                self._tighten(name)

    def timelines(self) -> schemas.TimelineList:
        with self._lead():
            return schemas.TimelineList(timelines=self._catalogue.timelines())

    def add_timeline(self, new: schemas.NewTimeline) -> schemas.TimelineView:
        with self._lead():
            view = self._catalogue.add_timeline(new)
            # A name that is used again keeps counting epochs; its old demands are history.
            terms = self._limits.terms
            self._seats.ask(new.name, Tighten(terms.handover_ns, raising=True))
            self._presences.pop(new.name, None)
            self._tell(events_subject(new.name), {"event": "created", "timeline": new.name})
            return view

    def timeline(self, name: str) -> schemas.TimelineView:
        with self._lead():
            return self._catalogue.timeline(name)

    def change_timeline(self, name: str, change: schemas.TimelineChange) -> schemas.TimelineView:
        with self._lead():
            self._presence(name)
            view = self._catalogue.change_timeline(name, change)
            if change.handover_ns is not None:
                self._seats.ask(name, Tighten(change.handover_ns, raising=True))
            self._tell(events_subject(name), {"event": "changed", "timeline": name})
            self._tell_params(name)
            return view

    def delete_timeline(self, name: str) -> schemas.Done:
        with self._lead():
            presence = self._presence(name)
            nodes = presence.views()
            if nodes:
                raise RefusedError(
                    Reason.IN_USE,
                    f"{len(nodes)} nodes are on timeline {name}, {nodes[0].name} for one",
                    "let them leave, or wait until their sessions have lapsed",
                )
            self._catalogue.delete_timeline(name)
            self._presences.pop(name, None)
            self._tell(events_subject(name), {"event": "deleted", "timeline": name})
            return schemas.Done(deleted=name)

    def qot(self, timeline: str) -> schemas.QotView:
        with self._lead():
            return self._presence(timeline).qot()

    def nodes(self, timeline: str) -> schemas.NodeList:
        with self._lead():
            nodes = self._presence(timeline).views()
            return schemas.NodeList(num_nodes=len(nodes), nodes=nodes)

    def node(self, timeline: str, name: str) -> schemas.NodeView:
        with self._lead():
            return self._presence(timeline).view(name)

    def join(self, timeline: str, new: schemas.NewNode) -> schemas.MemberView:
        with self._lead():
            session = new.session or uuid.uuid4().hex
            record = NodeRecord(
                name=new.name,
                session=session,
                accuracy_ns=new.accuracy,
                resolution_ns=new.resolution,
            )
            self._presence(timeline).join(record)
            self._tighten(timeline)
            self._tell_node(timeline, "joined", new.name)
            return self._member(timeline, new.name, session)

    def heartbeat(self, timeline: str, name: str, change: schemas.NodeChange) -> schemas.MemberView:
        with self._lead():
            changed = self._presence(timeline).hear(name, change)
            if changed:
                self._tighten(timeline)
                self._tell_node(timeline, "changed", name)
            return self._member(timeline, name, change.session)

    def leave(self, timeline: str, name: str, session: str | None) -> schemas.Done:
        with self._lead():
            self._presence(timeline).leave(name, session)
            self._seats.forget(timeline, name)
            self._tell_node(timeline, "left", name)
            return schemas.Done(deleted=name)

    def servers(self, timeline: str | None) -> schemas.ServerList:
        with self._lead():
            return schemas.ServerList(servers=self._catalogue.servers(timeline))

    def server(self, timeline: str | None, name: str) -> schemas.ServerView:
        with self._lead():
            return self._catalogue.server(timeline, name)

    def add_server(self, timeline: str | None, new: schemas.NewServer) -> schemas.ServerView:
        with self._lead():
            view = self._catalogue.add_server(timeline, new)
            self._tell_servers(timeline, view)
            return view

    def delete_server(self, timeline: str | None, name: str) -> schemas.Done:
        with self._lead():
            view = self._catalogue.delete_server(timeline, name)
            self._tell_servers(timeline, view)
            return schemas.Done(deleted=name)

    def reference(self, timeline: str) -> schemas.ReferenceView:
        with self._lead():
            self._catalogue.timeline(timeline)
            return self._seats.view(timeline)

    def ask_reference(
        self, timeline: str, request: schemas.ReferenceRequest
    ) -> schemas.ReferenceView:
        """Claim the seat, or renew it."""
        with self._lead():
            self._presence(timeline).require(request.node, request.session)
            if request.epoch is not None:
                self._seats.ask(timeline, Renew(request.node, request.session, request.epoch))
                return self._seats.view(timeline)
            claim = Claim(
                request.node,
                request.session,
                request.bound_ns,
                request.address,
                request.bound_epoch,
            )
            self._seats.ask(timeline, claim)
            return self._tell_reference(timeline, "granted", request.node)

    def release(self, timeline: str, node: str, session: str, epoch: int) -> schemas.ReferenceView:
        """Give the seat up; the holder has stopped answering."""
        with self._lead():
            self._presence(timeline).require(node, session)
            self._seats.ask(timeline, Release(node, session, epoch))
            return self._tell_reference(timeline, "released", node)

    @contextmanager
    def _lead(self) -> Iterator[None]:
        """A turn of the leader. Raises RefusedError when another coordinator leads."""
        with self._turn:
            leader = self._store.leader()
            if not leader.is_self:
                self._presences.clear()
                self._seats = self._new_seats()
                raise RefusedError(
                    Reason.STANDBY,
                    "this coordinator is on standby",
                    f"ask {leader.address}" if leader.address else "try again soon",
                    leader=leader.address or None,
                )
            yield

    def _new_seats(self) -> Seats:
        limits = self._limits
        return Seats(self._store, limits.terms, limits.drift_ppb, self._clock_ns)

    def _presence(self, timeline: str) -> Presence:
        """The timeline's members, those that fell silent removed. Raises RefusedError."""
        self._catalogue.timeline(timeline)
        if timeline not in self._presences:
            limits = self._limits
            self._presences[timeline] = Presence(
                self._store, timeline, limits.session_ns, limits.drift_ppb, self._clock_ns
            )
        self._sweep(timeline)
        return self._presences[timeline]

    def _sweep(self, timeline: str) -> None:
        for name in self._presences[timeline].remove_lapsed():
            self._seats.forget(timeline, name)
            self._tell_node(timeline, "gone", name)

    def _tighten(self, timeline: str) -> None:
        """Candidates must fit the tightest demand, unless an operator has said otherwise."""
        accuracies_ns = self._presences[timeline].accuracies_ns()
        if accuracies_ns and self._catalogue.timeline(timeline).handover_ns is None:
            self._seats.ask(timeline, Tighten(handover_for(accuracies_ns)))

    def _member(self, timeline: str, name: str, session: str) -> schemas.MemberView:
        return schemas.MemberView(
            node=self._presences[timeline].view(name),
            session=session,
            session_ns=self._limits.session_ns,
            reference=self._seats.view(timeline),
        )

    def _tell(self, subject: str, message: Mapping[str, object]) -> None:
        self._publisher.publish(subject, message)

    def _tell_node(self, timeline: str, event: str, name: str) -> None:
        count = len(self._presences[timeline].views())
        message = {"event": event, "timeline": timeline, "node": name, "num_nodes": count}
        self._tell(events_subject(timeline, "nodes"), message)
        self._tell_params(timeline)

    def _tell_reference(self, timeline: str, event: str, node: str) -> schemas.ReferenceView:
        view = self._seats.view(timeline)
        message = {"event": event, "timeline": timeline, "node": node, "epoch": view.epoch}
        self._tell(events_subject(timeline, "reference"), message)
        self._tell_params(timeline)
        return view

    def _tell_params(self, timeline: str) -> None:
        """What clocks need to know, without what is true for a moment only."""
        view = self._seats.view(timeline)
        qot = self._presences[timeline].qot()
        message = view.model_dump(exclude={"state", "free_in_ns"})
        message |= {"accuracy": qot.accuracy, "resolution": qot.resolution}
        self._tell(params_subject(timeline), message)

    def _tell_servers(self, timeline: str | None, changed: schemas.ServerView) -> None:
        if timeline is None:
            return
        servers = [view.model_dump() for view in self._catalogue.servers(timeline)]
        same = [server for server in servers if server["server_type"] == changed.server_type]
        self._tell(events_subject(timeline, "servers"), {"timeline": timeline, "servers": servers})
        self._tell(
            events_subject(timeline, changed.server_type), {"timeline": timeline, "servers": same}
        )
