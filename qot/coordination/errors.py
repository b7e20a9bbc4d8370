"""What the coordination service refuses, and why.

    QotError
    └── CoordinationError
        ├── RefusedError        a request that can't be done: has a Reason, which names the status
        └── UnavailableError    the store or the service can't be reached now; try again

``code`` is what a program looks at, ``seen`` and ``fix`` are for people.
"""

from __future__ import annotations

from enum import StrEnum

from qot.errors import QotError


class CoordinationError(QotError):
    """Something about coordination went wrong."""


class Reason(StrEnum):
    """Why a request was refused."""

    INVALID = "invalid"
    """The request itself is wrong."""
    UNAUTHORIZED = "unauthorized"
    """No key, or a wrong one."""
    UNKNOWN = "unknown"
    """No such timeline, node or server."""
    NO_SESSION = "no_session"
    """The session has lapsed or was never known: join again."""
    EXISTS = "exists"
    """The name is taken."""
    IN_USE = "in_use"
    """It can't be removed while others depend on it."""
    FENCED = "fenced"
    """The epoch is older than the seat's: somebody else is the reference now."""
    HELD = "held"
    """The seat's lease has not certainly expired."""
    OUTBID = "outbid"
    """Another candidate has a smaller bound."""
    TOO_WIDE = "too_wide"
    """The candidate's bound is larger than handover_ns."""
    CHANGED = "changed"
    """Somebody else changed it at the same moment: try again."""
    STANDBY = "standby"
    """Another coordinator leads: ask it."""


class RefusedError(CoordinationError):
    """A request that can't be done.

    retry_ns: when trying again makes sense, from now; None when it does not. field: what of the
    request is meant. leader: the address of the coordinator to ask (STANDBY).
    """

    def __init__(
        self,
        reason: Reason,
        seen: str,
        fix: str,
        *,
        retry_ns: int | None = None,
        field: str | None = None,
        leader: str | None = None,
    ) -> None:
        self.reason = reason
        self.seen = seen
        self.fix = fix
        self.retry_ns = retry_ns
        self.field = field
        self.leader = leader
        super().__init__(f"{seen}; {fix}")

    def as_dict(self) -> dict[str, object]:
        """The same as data; what does not apply is left out."""
        data: dict[str, object] = {"code": self.reason, "seen": self.seen, "fix": self.fix}
        for name in ("retry_ns", "field", "leader"):
            if getattr(self, name) is not None:
                data[name] = getattr(self, name)
        return data


class UnavailableError(CoordinationError):
    """The store, or the service, can't be reached now."""
