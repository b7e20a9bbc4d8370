"""What is stored of timelines, their nodes and servers. The seat is in :mod:`.seat`."""

from __future__ import annotations

from typing import Self

import msgspec

from qot.coordination.terms import DEFAULT_ACCURACY_NS, DEFAULT_RESOLUTION_NS


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A document as JSON. A field that this version does not know is skipped."""

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Raises msgspec.ValidationError when it is something else."""
        return msgspec.json.decode(data, type=cls)


class TimelineRecord(Record, frozen=True, kw_only=True):
    """A timeline. ``meta_data`` is its users' own (Quartz: the PTP domain).

    handover_ns: set by an operator; None: it follows from what nodes demand.
    """

    name: str
    meta_data: str | int | None = None
    handover_ns: int | None = None


class NodeRecord(Record, frozen=True, kw_only=True):
    """A node on a timeline, and what it demands. ``session`` names the process."""

    name: str
    session: str
    accuracy_ns: int = DEFAULT_ACCURACY_NS
    resolution_ns: int = DEFAULT_RESOLUTION_NS


class ServerRecord(Record, frozen=True, kw_only=True):
    """A time server that nodes may use. It stays until it is deleted."""

    name: str
    stratum: int
    server_type: str


def timeline_path(timeline: str) -> str:
    return f"/timelines/{timeline}"


def nodes_path(timeline: str) -> str:
    return f"/timelines/{timeline}/nodes"


def servers_path(timeline: str | None) -> str:
    """Of a timeline; None: of all."""
    return "/servers" if timeline is None else f"/timelines/{timeline}/servers"


def seat_path(timeline: str) -> str:
    """Not below the timeline, which may be deleted: epochs never begin anew."""
    return f"/seats/{timeline}"
