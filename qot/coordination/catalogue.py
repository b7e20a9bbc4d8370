"""Timelines and time servers, as they are stored. Not thread-safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from qot.coordination.errors import Reason, RefusedError
from qot.coordination.records import (
    ServerRecord,
    TimelineRecord,
    servers_path,
    timeline_path,
)
from qot.coordination.schemas import (
    NewServer,
    NewTimeline,
    ServerView,
    TimelineChange,
    TimelineView,
)
from qot.coordination.store import ChangedError, Document, ExistsError, Store

GLOBAL_PREFIX = "gl_"
_TYPES: Mapping[bool, Literal["global", "local"]] = {True: "global", False: "local"}


class Catalogue:
    """Over one store. Every call may raise RefusedError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def timeline_names(self) -> list[str]:
        return self._store.children("/timelines")

    def timelines(self) -> list[TimelineView]:
        found = ((name, self._store.get(timeline_path(name))) for name in self.timeline_names())
        return [_timeline(document) for _, document in found if document is not None]

    def timeline(self, name: str) -> TimelineView:
        return _timeline(self._timeline(name))

    def add_timeline(self, new: NewTimeline) -> TimelineView:
        record = TimelineRecord(name=new.name, meta_data=new.meta_data)
        try:
            return _timeline(self._store.create(timeline_path(new.name), record.to_json()))
        except ExistsError:
            raise RefusedError(
                Reason.EXISTS,
                f"there is a timeline {new.name} already",
                "use it, or another name",
                field="name",
            ) from None

    def change_timeline(self, name: str, change: TimelineChange) -> TimelineView:
        document = self._timeline(name)
        given = {field: getattr(change, field) for field in change.model_fields_set}
        record = msgspec.structs.replace(TimelineRecord.from_json(document.data), **given)
        try:
            return _timeline(
                self._store.swap(timeline_path(name), record.to_json(), document.version)
            )
        except ChangedError:
            raise RefusedError(
                Reason.CHANGED, f"{name} was changed at the same moment", "try again", retry_ns=0
            ) from None

    def delete_timeline(self, name: str) -> None:
        """With its servers and nodes; the seat stays."""
        self._timeline(name)
        self._store.delete(timeline_path(name))

    def servers(self, timeline: str | None) -> list[ServerView]:
        folder = self._servers(timeline)
        found = (self._store.get(f"{folder}/{name}") for name in self._store.children(folder))
        return [_server(document) for document in found if document is not None]

    def server(self, timeline: str | None, name: str) -> ServerView:
        document = self._store.get(f"{self._servers(timeline)}/{name}")
        if document is None:
            where = "" if timeline is None else f" on timeline {timeline}"
            raise RefusedError(
                Reason.UNKNOWN, f"there is no server {name}{where}", "see the list of servers"
            )
        return _server(document)

    def add_server(self, timeline: str | None, new: NewServer) -> ServerView:
        record = ServerRecord(name=new.name, stratum=new.stratum, server_type=new.server_type)
        path = f"{self._servers(timeline)}/{new.name}"
        try:
            return _server(self._store.create(path, record.to_json()))
        except ExistsError:
            raise RefusedError(
                Reason.EXISTS,
                f"there is a server {new.name} already",
                "delete it first, or use another name",
                field="name",
            ) from None

    def delete_server(self, timeline: str | None, name: str) -> ServerView:
        """Gives what was deleted."""
        view = self.server(timeline, name)
        self._store.delete(f"{self._servers(timeline)}/{name}")
        return view

    def _servers(self, timeline: str | None) -> str:
        if timeline is not None:
            self._timeline(timeline)
        return servers_path(timeline)

    def _timeline(self, name: str) -> Document:
        document = self._store.get(timeline_path(name))
        if document is None:
            raise RefusedError(
                Reason.UNKNOWN,
                f"there is no timeline {name}",
                'make it: POST /api/service/timelines/ {"name": ...}',
            )
        return document


def _timeline(document: Document) -> TimelineView:
    record = TimelineRecord.from_json(document.data)
    return TimelineView(
        name=record.name,
        type=_TYPES[record.name.startswith(GLOBAL_PREFIX)],
        meta_data=record.meta_data,
        handover_ns=record.handover_ns,
    )


def _server(document: Document) -> ServerView:
    record = ServerRecord.from_json(document.data)
    return ServerView(
        name=record.name,
        stratum=record.stratum,
        server_type=_TYPES[record.server_type == "global"],
    )
