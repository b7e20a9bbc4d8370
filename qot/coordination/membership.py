"""Who is on a timeline: sessions that live as long as they are renewed. Decides, does nothing.

A session belongs to one process of a node. It lapses when nothing was heard for ``session_ns`` by
the coordinator's monotonic clock, widened by the drift limits; a node counts from sending, so it
knows first. After a restart of the coordinator every session that the store remembers is as if
heard at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qot.coordination.terms import DEFAULT_DRIFT_PPB, certain_ns


@dataclass(frozen=True, slots=True)
class Report:
    """What a node said of itself with its last heartbeat; kept in memory alone.

    bound_ns: the larger side of its delivered hard bound; None if it has none.
    """

    bound_ns: int | None = None
    status: str | None = None
    epoch: int | None = None


@dataclass(slots=True)
class Session:
    """One process of a node, as far as it was heard of."""

    id: str
    heard_ns: int
    report: Report = field(default_factory=Report)


class Membership:
    """The sessions of one timeline. Not thread-safe; ``now_ns`` never goes back."""

    def __init__(
        self,
        session_ns: int,
        own_ppb: int = DEFAULT_DRIFT_PPB,
        node_ppb: int = DEFAULT_DRIFT_PPB,
    ) -> None:
        self._lapse_ns = certain_ns(session_ns, own_ppb, node_ppb)
        self._sessions: dict[str, Session] = {}

    def reconcile(self, stored: dict[str, str], now_ns: int) -> None:
        """The store's members, name to session id: what it does not hold is no member.

        Sessions that were not known here count as heard now.
        """
        self._sessions = {
            name: known
            if (known := self._sessions.get(name)) is not None and known.id == session
            else Session(session, now_ns)
            for name, session in stored.items()
        }

    def add(self, name: str, session: str, now_ns: int) -> None:
        """A node has joined, and the store knows. A session of that name before it is replaced."""
        self._sessions[name] = Session(session, now_ns)

    def hear(self, name: str, session: str, report: Report | None, now_ns: int) -> bool:
        """A word of a node, with what it reports of itself, if it does.

        False when that session is not a member: it lapsed, or never was.
        """
        known = self.get(name, now_ns)
        if known is None or known.id != session:
            return False
        known.heard_ns = now_ns
        if report is not None:
            known.report = report
        return True

    def get(self, name: str, now_ns: int) -> Session | None:
        """The live session of a node."""
        known = self._sessions.get(name)
        return None if known is None or self._has_lapsed(known, now_ns) else known

    def remove(self, name: str) -> None:
        """The node has left."""
        self._sessions.pop(name, None)

    def lapsed(self, now_ns: int) -> list[str]:
        """The nodes that stopped renewing, by name. They stay listed until :meth:`remove`."""
        return sorted(
            name for name, known in self._sessions.items() if self._has_lapsed(known, now_ns)
        )

    def _has_lapsed(self, session: Session, now_ns: int) -> bool:
        return now_ns - session.heard_ns >= self._lapse_ns
