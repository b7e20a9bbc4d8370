"""The nodes of one timeline: their records in the store, their sessions in memory.

Who is a member is decided in :mod:`qot.coordination.membership`; what is seen here is who the store
says they are. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from qot.coordination.errors import Reason, RefusedError
from qot.coordination.membership import Membership, Report
from qot.coordination.records import NodeRecord, nodes_path
from qot.coordination.schemas import NodeChange, NodeView, QotView
from qot.coordination.store import ChangedError, Store
from qot.coordination.terms import DEFAULT_ACCURACY_NS, DEFAULT_RESOLUTION_NS
from qot.instant import Status


class Presence:
    """One timeline's nodes. The store is read when it is made, and by :meth:`refresh`."""

    def __init__(
        self, store: Store, timeline: str, session_ns: int, ppb: int, clock_ns: Callable[[], int]
    ) -> None:
        self._store, self._timeline, self._clock_ns = store, timeline, clock_ns
        self._session_ns = session_ns
        self._members = Membership(session_ns, ppb, ppb)
        self._records: dict[str, NodeRecord] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what the store holds; somebody else may have changed it."""
        records = {}
        for name in self._store.children(nodes_path(self._timeline)):
            document = self._store.get(self._path(name))
            if document is not None:
                records[name] = NodeRecord.from_json(document.data)
        self._records = records
        sessions = {name: record.session for name, record in records.items()}
        self._members.reconcile(sessions, self._clock_ns())

    def remove_lapsed(self) -> list[str]:
        """Remove the nodes that stopped renewing; gives their names."""
        gone = self._members.lapsed(self._clock_ns())
        for name in gone:
            self._remove(name)
        return gone

    def join(self, record: NodeRecord) -> None:
        """Become a member, or go on being one with another demand. Raises RefusedError."""
        known = self._members.get(record.name, self._clock_ns())
        if known is not None and known.id != record.session:
            raise RefusedError(
                Reason.EXISTS,
                f"{record.name} is on timeline {self._timeline} already, in another process",
                "stop that one and wait until its session has lapsed, or use another name",
                retry_ns=max(0, self._session_ns - (self._clock_ns() - known.heard_ns)),
                field="name",
            )
        if known is not None:
            self._members.hear(record.name, record.session, None, self._clock_ns())
            if self._records[record.name] == record:
                return
        self._store.delete(self._path(record.name))  # of a session that lapsed, or its old demand
        self._store.create(self._path(record.name), record.to_json(), fleeting=True)
        self._records[record.name] = record
        if known is None:
            self._members.add(record.name, record.session, self._clock_ns())

    def hear(self, name: str, change: NodeChange) -> bool:
        """A heartbeat; gives whether the demand changed. Raises RefusedError without a session."""
        report = Report(change.bound_ns, change.status, change.epoch)
        path = self._path(name)
        document = self._store.get(path)
        if document is None:
            self._forget(name)
        if document is None or not self._members.hear(
            name, change.session, report, self._clock_ns()
        ):
            raise self.no_session(name)
        old = NodeRecord.from_json(document.data)
        demand = {"accuracy_ns": change.accuracy, "resolution_ns": change.resolution}
        new = msgspec.structs.replace(
            old, **{key: value for key, value in demand.items() if value is not None}
        )
        if new == old:
            return False
        try:
            self._store.swap(path, new.to_json(), document.version)
        except ChangedError:
            raise RefusedError(
                Reason.CHANGED, f"{name} was changed at the same moment", "try again", retry_ns=0
            ) from None
        self._records[name] = new
        return True

    def require(self, name: str, session: str) -> None:
        """That this session is alive; it counts as heard. Raises RefusedError."""
        if not self._members.hear(name, session, None, self._clock_ns()):
            raise self.no_session(name)

    def leave(self, name: str, session: str | None) -> None:
        """Stop being a member; None: an operator removes it. Raises RefusedError."""
        known = self._members.get(name, self._clock_ns())
        if known is None:
            raise self._unknown(name)
        if session is not None and known.id != session:
            raise self.no_session(name)
        self._remove(name)

    def view(self, name: str) -> NodeView:
        """One node. Raises RefusedError when it is no member."""
        now_ns = self._clock_ns()
        known = self._members.get(name, now_ns)
        if known is None:
            raise self._unknown(name)
        record, report = self._records[name], known.report
        return NodeView(
            name=name,
            accuracy=record.accuracy_ns,
            resolution=record.resolution_ns,
            bound_ns=report.bound_ns,
            status=None if report.status is None else Status(report.status),
            epoch=report.epoch,
            silent_ns=now_ns - known.heard_ns,
        )

    def views(self) -> list[NodeView]:
        """All members, by name."""
        now_ns = self._clock_ns()
        return [
            self.view(name)
            for name in sorted(self._records)
            if self._members.get(name, now_ns) is not None
        ]

    def qot(self) -> QotView:
        """The tightest demand, and the worst that is delivered."""
        nodes = self.views()
        return QotView(
            accuracy=min((node.accuracy for node in nodes), default=DEFAULT_ACCURACY_NS),
            resolution=min((node.resolution for node in nodes), default=DEFAULT_RESOLUTION_NS),
            bound_ns=max(
                (node.bound_ns for node in nodes if node.bound_ns is not None), default=None
            ),
        )

    def accuracies_ns(self) -> list[int]:
        """What the members demand."""
        return [node.accuracy for node in self.views()]

    def no_session(self, name: str) -> RefusedError:
        return RefusedError(
            Reason.NO_SESSION,
            f"{name} has no such session on timeline {self._timeline}: it lapsed, or never was",
            f"join again: POST /api/service/timelines/{self._timeline}/nodes",
            field="session",
        )

    def _unknown(self, name: str) -> RefusedError:
        return RefusedError(
            Reason.UNKNOWN,
            f"there is no node {name} on timeline {self._timeline}",
            f"see GET /api/service/timelines/{self._timeline}/nodes",
        )

    def _remove(self, name: str) -> None:
        self._store.delete(self._path(name))
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._records.pop(name, None)
        self._members.remove(name)

    def _path(self, name: str) -> str:
        return f"{nodes_path(self._timeline)}/{name}"
