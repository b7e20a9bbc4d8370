"""The table of routes: what Flask serves and what the OpenAPI document says, from one place.

Paths and verbs are Quartz's, and ``/timelines/{timeline}/reference`` besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from qot.coordination import schemas
from qot.coordination.coordinator import Coordinator

PREFIX = "/api/service"


@dataclass(frozen=True, slots=True)
class Call:
    """A request, checked: what stood in the path, the body, the query."""

    path: dict[str, str]
    body: Any = None
    query: Any = None

    @property
    def timeline(self) -> str:
        return self.path["timeline"]


@dataclass(frozen=True, slots=True)
class Route:
    """One verb of one path. ``do`` gives an ``answer``; ``name`` is its id in the document."""

    method: str
    path: str
    name: str
    summary: str
    answer: type[BaseModel]
    do: Callable[[Coordinator, Call], BaseModel]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None

    @property
    def writes(self) -> bool:
        """Whether it needs the key."""
        return self.method != "GET"

    @property
    def status(self) -> HTTPStatus:
        made = self.method == "POST" and self.path.endswith("s/")
        return HTTPStatus.CREATED if made else HTTPStatus.OK


_TL = "/timelines/{timeline}"

ROUTES = (
    Route(
        "GET", "/timelines/", "list_timelines", "All timelines",
        schemas.TimelineList, lambda c, _: c.timelines(),
    ),
    Route(
        "POST", "/timelines/", "add_timeline", "Make a timeline",
        schemas.TimelineView, lambda c, call: c.add_timeline(call.body), schemas.NewTimeline,
    ),
    Route(
        "GET", _TL, "get_timeline", "One timeline",
        schemas.TimelineView, lambda c, call: c.timeline(call.timeline),
    ),
    Route(
        "PUT", _TL, "change_timeline", "Change its meta_data or handover_ns",
        schemas.TimelineView, lambda c, call: c.change_timeline(call.timeline, call.body),
        schemas.TimelineChange,
    ),
    Route(
        "DELETE", _TL, "delete_timeline", "Remove a timeline that no node is on",
        schemas.Done, lambda c, call: c.delete_timeline(call.timeline),
    ),
    Route(
        "GET", f"{_TL}/qot", "get_qot", "The tightest demand and the worst delivered bound",
        schemas.QotView, lambda c, call: c.qot(call.timeline),
    ),
    Route(
        "GET", f"{_TL}/nodes/", "list_nodes", "The nodes on a timeline",
        schemas.NodeList, lambda c, call: c.nodes(call.timeline),
    ),
    Route(
        "POST", f"{_TL}/nodes/", "join", "Join: begin a session, with a demand",
        schemas.MemberView, lambda c, call: c.join(call.timeline, call.body), schemas.NewNode,
    ),
    Route(
        "GET", f"{_TL}/nodes/{{node}}", "get_node", "One node",
        schemas.NodeView, lambda c, call: c.node(call.timeline, call.path["node"]),
    ),
    Route(
        "PUT", f"{_TL}/nodes/{{node}}", "heartbeat", "Renew a session; report; change the demand",
        schemas.MemberView,
        lambda c, call: c.heartbeat(call.timeline, call.path["node"], call.body),
        schemas.NodeChange,
    ),
    Route(
        "DELETE", f"{_TL}/nodes/{{node}}", "leave", "Leave",
        schemas.Done,
        lambda c, call: c.leave(call.timeline, call.path["node"], call.query.session),
        query=schemas.LeaveQuery,
    ),
    Route(
        "GET", f"{_TL}/servers/", "list_servers", "The time servers of a timeline",
        schemas.ServerList, lambda c, call: c.servers(call.timeline),
    ),
    Route(
        "POST", f"{_TL}/servers/", "add_server", "Add a time server to a timeline",
        schemas.ServerView, lambda c, call: c.add_server(call.timeline, call.body),
        schemas.NewServer,
    ),
    Route(
        "GET", f"{_TL}/servers/{{server}}", "get_server", "One time server of a timeline",
        schemas.ServerView, lambda c, call: c.server(call.timeline, call.path["server"]),
    ),
    Route(
        "DELETE", f"{_TL}/servers/{{server}}", "delete_server", "Remove it",
        schemas.Done, lambda c, call: c.delete_server(call.timeline, call.path["server"]),
    ),
    Route(
        "GET", f"{_TL}/reference", "get_reference", "Who is the reference, under which terms",
        schemas.ReferenceView, lambda c, call: c.reference(call.timeline),
    ),
    Route(
        "POST", f"{_TL}/reference", "ask_reference", "Claim the seat; with epoch: renew its lease",
        schemas.ReferenceView, lambda c, call: c.ask_reference(call.timeline, call.body),
        schemas.ReferenceRequest,
    ),
    Route(
        "DELETE", f"{_TL}/reference", "release_reference", "Give the seat up",
        schemas.ReferenceView,
        lambda c, call: c.release(
            call.timeline, call.query.node, call.query.session, call.query.epoch
        ),
        query=schemas.ReleaseQuery,
    ),
    Route(
        "GET", "/servers/", "list_all_servers", "Time servers for every timeline",
        schemas.ServerList, lambda c, _: c.servers(None),
    ),
    Route(
        "POST", "/servers/", "add_common_server", "Add one",
        schemas.ServerView, lambda c, call: c.add_server(None, call.body), schemas.NewServer,
    ),
    Route(
        "GET", "/servers/{server}", "get_common_server", "One of them",
        schemas.ServerView, lambda c, call: c.server(None, call.path["server"]),
    ),
    Route(
        "DELETE", "/servers/{server}", "delete_common_server", "Remove it",
        schemas.Done, lambda c, call: c.delete_server(None, call.path["server"]),
    ),
    Route(
        "GET", "/health", "get_health", "Whether this coordinator leads",
        schemas.HealthView, lambda c, _: c.health(),
    ),
)  # fmt: skip
