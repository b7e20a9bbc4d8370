"""What happens to bindings, and what a time service does about it: the words of qot.bindings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from qot.demand import Delivered, Pace


class Refusal(StrEnum):
    """Why a request is rejected: on the wire, and one exception each (qot.binding_link)."""

    DEMAND = "demand"
    UNMEETABLE = "unmeetable"
    UNKNOWN_TIMELINE = "unknown_timeline"
    NO_UTC = "no_utc"
    SILENT = "silent"
    NOT_BOUND = "not_bound"
    PROTOCOL = "protocol"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Demand:
    """What a binding asks of a timeline, in ns, each more than 0."""

    accuracy_ns: int
    resolution_ns: int


@dataclass(frozen=True, slots=True)
class Binding:
    """One app's share in one timeline. client: the connection it came by."""

    number: int
    client: int
    timeline: str
    app: str
    demand: Demand


# Events


@dataclass(frozen=True, slots=True)
class Bind:
    """A client wants to join; ``request`` is its number for the answer."""

    client: int
    request: int
    timeline: str
    app: str
    demand: Demand


@dataclass(frozen=True, slots=True)
class Update:
    """A client wants another demand; None leaves that half as it is."""

    client: int
    request: int
    binding: int
    accuracy_ns: int | None = None
    resolution_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Unbind:
    client: int
    request: int
    binding: int


@dataclass(frozen=True, slots=True)
class ClientGone:
    """Its connection closed: it left, died or was killed, which is all the same here."""

    client: int


@dataclass(frozen=True, slots=True)
class Measured:
    """An exchange came in; this is what they give now."""

    timeline: str
    delivered: Delivered


@dataclass(frozen=True, slots=True)
class Refused:
    """The timeline can't be had: the reference or this node's configuration says so."""

    timeline: str
    why: Refusal
    message: str


@dataclass(frozen=True, slots=True)
class Passed:
    """Time went by."""


Event = Bind | Update | Unbind | ClientGone | Measured | Refused | Passed


# Commands


@dataclass(frozen=True, slots=True)
class Create:
    """Make the timeline's page and begin to synchronise."""

    timeline: str


@dataclass(frozen=True, slots=True)
class Destroy:
    """End its synchronisation and remove its page."""

    timeline: str


@dataclass(frozen=True, slots=True)
class SetPace:
    """Exchange so often from now on, so as to hold this accuracy (None: nobody asks for any)."""

    timeline: str
    pace: Pace
    accuracy_ns: int | None


@dataclass(frozen=True, slots=True)
class Accept:
    """``best_ns`` is the tightest accuracy that could be held now."""

    client: int
    request: int
    binding: Binding
    best_ns: int


@dataclass(frozen=True, slots=True)
class Left:
    """The answer to an Unbind."""

    client: int
    request: int


@dataclass(frozen=True, slots=True)
class Reject:
    client: int
    request: int
    why: Refusal
    message: str
    best_ns: int = 0


Command = Create | Destroy | SetPace | Accept | Left | Reject
