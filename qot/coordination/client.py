"""The coordination service, from a node: requests in, answers as the schemas say.

One :class:`Client` belongs to one thread. It goes to the coordinator that leads by itself, when it
knows several; it tries nothing twice that may have been done, but what can be repeated (every call
here but the adding of timelines and servers).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import requests
from pydantic import BaseModel, ValidationError

from qot.coordination import schemas
from qot.coordination.errors import Reason, RefusedError, UnavailableError
from qot.coordination.routes import PREFIX
from qot.coordination.terms import Held

DEFAULT_TIMEOUT_S = 2.0
"""For connecting, and for each wait for bytes of an answer."""

_Answer = TypeVar("_Answer", bound=BaseModel)


def lease_clock_ns() -> int:
    """The clock on which a reference counts its lease: it goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Client:
    """Calls the service. Blocking; a context manager.

    urls: ``http://host:8502``, one or several coordinators on one store. key: needed for writes.
    verify: a CA file for https, as requests takes it. Every call may raise RefusedError (the
    service said no; see its ``reason``) and UnavailableError (nobody answered).
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        key: str | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        verify: bool | str = True,
    ) -> None:
        self._urls = [urls] if isinstance(urls, str) else list(urls)
        if not self._urls:
            raise ValueError("no coordinator: give at least one url")
        self._timeout_s = timeout_s
        self._http = requests.Session()
        self._http.verify = verify
        self._http.trust_env = False  # a proxy between nodes and their coordinator is never meant
        if key is not None:
            self._http.headers["Authorization"] = f"Bearer {key}"

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def health(self) -> schemas.HealthView:
        """Of the coordinator that is asked first; it need not lead."""
        return self.request("GET", "/health", schemas.HealthView)

    def timelines(self) -> list[schemas.TimelineView]:
        return self.request("GET", "/timelines/", schemas.TimelineList).timelines

    def add_timeline(self, name: str, meta_data: str | int | None = None) -> schemas.TimelineView:
        body = {"name": name, "meta_data": meta_data}
        return self.request("POST", "/timelines/", schemas.TimelineView, body)

    def change_timeline(self, name: str, **changes: object) -> schemas.TimelineView:
        """``meta_data``, ``handover_ns``."""
        return self.request("PUT", _path(name), schemas.TimelineView, changes)

    def delete_timeline(self, name: str) -> None:
        self.request("DELETE", _path(name), schemas.Done)

    def qot(self, timeline: str) -> schemas.QotView:
        return self.request("GET", _path(timeline, "qot"), schemas.QotView)

    def nodes(self, timeline: str) -> list[schemas.NodeView]:
        return self.request("GET", _path(timeline, "nodes", ""), schemas.NodeList).nodes

    def servers(self, timeline: str | None = None) -> list[schemas.ServerView]:
        """None: those for every timeline."""
        return self.request("GET", _servers(timeline), schemas.ServerList).servers

    def add_server(
        self, name: str, stratum: int, server_type: str, timeline: str | None = None
    ) -> schemas.ServerView:
        body = {"name": name, "stratum": stratum, "server_type": server_type}
        return self.request("POST", _servers(timeline), schemas.ServerView, body)

    def delete_server(self, name: str, timeline: str | None = None) -> None:
        self.request("DELETE", _servers(timeline) + quote(name, safe=""), schemas.Done)

    def reference(self, timeline: str) -> schemas.ReferenceView:
        return self.request("GET", _path(timeline, "reference"), schemas.ReferenceView)

    def join(
        self, timeline: str, node: str, *, session: str | None = None, **demand: object
    ) -> Member:
        """Begin a session; ``accuracy`` and ``resolution`` are the demand (ns, or with a unit)."""
        member = Member(self, timeline, node, session or uuid.uuid4().hex, demand)
        member.join()
        return member

    def request(
        self,
        method: str,
        path: str,
        answer: type[_Answer],
        body: Mapping[str, object] | None = None,
    ) -> _Answer:
        """Any call, by path below the prefix: asks in turn until one that leads answers."""
        last: RefusedError | UnavailableError | None = None
        for url in tuple(self._urls):
            try:
                return self._ask(url, method, path, answer, body)
            except UnavailableError as error:
                last = error
            except RefusedError as error:
                if error.reason is not Reason.STANDBY:
                    raise
                last = error
            self._urls.append(self._urls.pop(0))  # the next call begins with another one
        assert last is not None
        raise last

    def _ask(
        self,
        url: str,
        method: str,
        path: str,
        answer: type[_Answer],
        body: Mapping[str, object] | None,
    ) -> _Answer:
        whole = url.rstrip("/") + PREFIX + path
        try:
            response = self._http.request(
                method, whole, json=body, timeout=self._timeout_s, allow_redirects=False
            )
        except requests.RequestException as error:
            raise UnavailableError(
                f"no coordinator at {url}: {error}; see that it runs, and that the address is right"
            ) from error
        try:
            data = response.json()
            if response.ok:
                return answer.model_validate(data)
            refusal = schemas.ErrorView.model_validate(data)
        except (requests.JSONDecodeError, ValidationError) as error:
            raise UnavailableError(
                f"{whole} answered {response.status_code} with {response.content[:80]!r}, which is "
                "not the coordination service's; see that the address is right"
            ) from error
        if not isinstance(refusal.code, Reason):
            raise UnavailableError(f"{refusal.seen}; {refusal.fix}")
        raise RefusedError(
            refusal.code,
            refusal.seen,
            refusal.fix,
            retry_ns=refusal.retry_ns,
            field=refusal.field,
            leader=refusal.leader,
        )


class Member:
    """A node's session on a timeline. Made by :meth:`Client.join`; not thread-safe.

    ``held`` is the seat if this node is the reference; whether it still may serve is for the caller
    to ask, before each answer: ``member.held.may_serve(lease_clock_ns())``.
    """

    def __init__(
        self, client: Client, timeline: str, node: str, session: str, demand: Mapping[str, object]
    ) -> None:
        self._client = client
        self.timeline, self.node, self.session = timeline, node, session
        self._demand: dict[str, object] = dict(demand)
        self.held: Held | None = None
        self.epoch = 0
        """The newest that was heard of."""

    def join(self) -> schemas.MemberView:
        """Begin the session again, under the same id: a seat that it holds stays its own."""
        body = {"name": self.node, "session": self.session, **self._demand}
        view = self._client.request(
            "POST", _path(self.timeline, "nodes", ""), schemas.MemberView, body
        )
        self._hear(view.reference)
        return view

    def heartbeat(self, bound_ns: int | None = None, **changes: object) -> schemas.MemberView:
        """Renew the session, report the bound; ``accuracy``, ``resolution`` change the demand.

        Joins again when the service has lost the session.
        """
        for name in ("accuracy", "resolution"):
            if name in changes:
                self._demand[name] = changes[name]
        body = {"session": self.session, "bound_ns": bound_ns, "epoch": self.epoch, **changes}
        path = _path(self.timeline, "nodes", self.node)
        try:
            view = self._client.request("PUT", path, schemas.MemberView, body)
        except RefusedError as error:
            if error.reason is not Reason.NO_SESSION:
                raise
            self.join()
            view = self._client.request("PUT", path, schemas.MemberView, body)
        self._hear(view.reference)
        return view

    def claim(
        self, bound_ns: int | None = None, address: str = "", bound_epoch: int | None = None
    ) -> schemas.ReferenceView:
        """Ask for the seat.

        bound_epoch: the epoch of the exchanges that the bound comes from; a bound about an older
        reference's time says nothing about the last one's, and is refused. The bound must still
        be at most ``handover_ns`` when the seat is granted; if it has grown past it meanwhile,
        release the seat before serving.
        """
        return self._seat({"bound_ns": bound_ns, "address": address, "bound_epoch": bound_epoch})

    def renew(self) -> schemas.ReferenceView:
        """Go on as the reference. Raises RefusedError (FENCED): stop serving at once."""
        if self.held is None:
            raise RefusedError(
                Reason.FENCED, f"{self.node} does not hold {self.timeline}", "claim the seat first"
            )
        return self._seat({"epoch": self.held.epoch})

    def release(self) -> None:
        """Give the seat up, having stopped serving. Nothing happens when it is not held."""
        held, self.held = self.held, None
        if held is not None:
            query = f"?node={quote(self.node)}&session={quote(self.session)}&epoch={held.epoch}"
            path = _path(self.timeline, "reference") + query
            self._client.request("DELETE", path, schemas.ReferenceView)

    def leave(self) -> None:
        """Release what is held, and end the session."""
        self.release()
        path = _path(self.timeline, "nodes", self.node) + f"?session={quote(self.session)}"
        self._client.request("DELETE", path, schemas.Done)

    def _seat(self, words: Mapping[str, object]) -> schemas.ReferenceView:
        body = {"node": self.node, "session": self.session, **words}
        path = _path(self.timeline, "reference")
        sent_ns = lease_clock_ns()
        try:
            try:
                view = self._client.request("POST", path, schemas.ReferenceView, body)
            except RefusedError as error:
                if error.reason is not Reason.NO_SESSION:
                    raise
                self.join()
                sent_ns = lease_clock_ns()
                view = self._client.request("POST", path, schemas.ReferenceView, body)
        except RefusedError as error:
            if error.reason is Reason.FENCED:
                self.held = None
            raise
        self._hear(view)
        self.held = Held(view.epoch, sent_ns, view.lease_ns)
        return view

    def _hear(self, reference: schemas.ReferenceView) -> None:
        """An epoch that is newer than the one that is held ends that."""
        self.epoch = max(self.epoch, reference.epoch)
        if self.held is not None and self.held.epoch < self.epoch:
            self.held = None


def _path(timeline: str, *parts: str) -> str:
    return "/timelines/" + "/".join(quote(part, safe="") for part in (timeline, *parts))


def _servers(timeline: str | None) -> str:
    return "/servers/" if timeline is None else _path(timeline, "servers", "")
