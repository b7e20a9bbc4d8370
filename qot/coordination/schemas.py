"""What goes in and out over REST, as pydantic models; the OpenAPI document is made from them.

``accuracy`` and ``resolution`` are Quartz's names: ns as an integer, or a text with its unit
(``"1ms"``) on the way in. Every other time carries its unit in its name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from jupiter.units import parse_duration_ns
from qot.coordination.election import SeatState
from qot.coordination.errors import Reason
from qot.coordination.terms import DEFAULT_ACCURACY_NS, DEFAULT_RESOLUTION_NS
from qot.instant import Status

LONGEST_NS = 2**60


def _with_unit(value: object) -> object:
    return parse_duration_ns(value) if isinstance(value, str) else value


TIMELINE_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
"""One token of a NATS subject. ``gl_`` in front makes it global (UTC)."""
NAME_PATTERN = "^[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,127}$"

TimelineName = Annotated[str, Field(pattern=TIMELINE_PATTERN, examples=["wall"])]
Name = Annotated[str, Field(pattern=NAME_PATTERN, examples=["node1"])]
SessionId = Annotated[str, Field(pattern=NAME_PATTERN, description="Names one process of a node.")]
Nanoseconds = Annotated[
    int,
    BeforeValidator(_with_unit, json_schema_input_type=int | str),
    Field(strict=True, ge=1, le=LONGEST_NS),
]
Bound = Annotated[
    int, Field(strict=True, ge=0, le=LONGEST_NS, description="Larger side of the hard bound, ns.")
]
Epoch = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
MetaData = Annotated[str, Field(max_length=1024)] | Annotated[int, Field(strict=True)] | None


class Request(BaseModel):
    """A body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class NewTimeline(Request):
    name: TimelineName
    meta_data: MetaData = None


class TimelineChange(Request):
    """What is left out stays; null for handover_ns: let it follow from the demands again."""

    meta_data: MetaData = None
    handover_ns: Annotated[
        Nanoseconds | None,
        Field(
            description="Largest bound of a candidate. Raising it breaks the promise of followers "
            "that can't hear of it."
        ),
    ] = None


class NewNode(Request):
    name: Name
    session: SessionId | None = None
    accuracy: Nanoseconds = DEFAULT_ACCURACY_NS
    resolution: Nanoseconds = DEFAULT_RESOLUTION_NS


class NodeChange(Request):
    """A heartbeat. A demand that is left out stays; bound and status are of this moment."""

    session: SessionId
    accuracy: Nanoseconds | None = None
    resolution: Nanoseconds | None = None
    bound_ns: Bound | None = None
    status: Status | None = None
    epoch: Annotated[Epoch | None, Field(description="The newest epoch that it knows.")] = None


class NewServer(Request):
    name: Name
    stratum: Annotated[int, Field(strict=True, ge=0, le=16)]
    server_type: Literal["global", "local"]


class ReferenceRequest(Request):
    """With epoch: renew. Without: claim the seat."""

    node: Name
    session: SessionId
    epoch: Epoch | None = None
    bound_ns: Annotated[Bound | None, Field(description="Needed but for the first epoch.")] = None
    bound_epoch: Annotated[
        Epoch | None,
        Field(description="Whose time the bound is about: refused unless the last reference's."),
    ] = None
    address: Annotated[
        str, Field(max_length=256, description="Where followers reach it.", examples=["h:4242"])
    ] = ""


class LeaveQuery(Request):
    session: Annotated[
        SessionId | None, Field(description="The node's own; without: an operator removes it.")
    ] = None


class ReleaseQuery(Request):
    """The holder's words: who it is and what it gives up."""

    node: Name
    session: SessionId
    epoch: Annotated[int, Field(ge=0, lt=2**63)]


class TimelineView(BaseModel):
    name: str
    type: Literal["global", "local"]
    meta_data: str | int | None
    handover_ns: Annotated[int | None, Field(description="Set by an operator, if it is.")]


class TimelineList(BaseModel):
    timelines: list[TimelineView]


class QotView(BaseModel):
    """accuracy, resolution: the tightest demand. bound_ns: the worst that a node delivers."""

    accuracy: int
    resolution: int
    bound_ns: int | None


class NodeView(BaseModel):
    name: str
    accuracy: int
    resolution: int
    bound_ns: int | None
    status: Status | None
    epoch: int | None
    silent_ns: Annotated[int, Field(description="Since its last heartbeat.")]


class NodeList(BaseModel):
    num_nodes: int
    nodes: list[NodeView]


class ServerView(BaseModel):
    name: str
    stratum: int
    server_type: Literal["global", "local"]


class ServerList(BaseModel):
    servers: list[ServerView]


class ReferenceView(BaseModel):
    """free_in_ns: nobody else can have the seat before that has passed."""

    timeline: str
    epoch: int
    state: SeatState
    node: str | None
    address: str | None
    bound_ns: int | None
    lease_ns: int
    silence_ns: int
    handover_ns: int
    free_in_ns: int


class MemberView(BaseModel):
    """A node's own view of its membership: renew within ``session_ns`` of sending this."""

    node: NodeView
    session: str
    session_ns: int
    reference: ReferenceView


class HealthView(BaseModel):
    leads: bool
    leader: str
    backend: str
    lost_messages: int


class Done(BaseModel):
    deleted: str


class ErrorView(BaseModel):
    """A refusal. code is for programs, seen and fix for people."""

    code: Reason | Literal["unavailable", "not_found", "wrong_method", "too_large", "failed"]
    seen: str
    fix: str
    field: str | None = None
    retry_ns: int | None = None
    leader: str | None = None
