"""What clients may ask of a time service: one JSON line each, checked at the edge."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from qot.binding_events import Bind, Demand, Refusal, Reject, Unbind, Update


@dataclass(frozen=True, slots=True)
class Report:
    """What does it cost and deliver?"""

    client: int
    request: int


Request = Bind | Update | Unbind | Report

_FIELDS: dict[str, dict[str, type]] = {
    "bind": {"timeline": str, "app": str, "accuracy_ns": int, "resolution_ns": int},
    "update": {"binding": int},
    "unbind": {"binding": int},
    "report": {},
}
_OPTIONAL: dict[str, dict[str, type]] = {"update": {"accuracy_ns": int, "resolution_ns": int}}
_LONGEST_APP = 256
_FARTHEST_NS = 1 << 62


def parse_request(client: int, line: bytes) -> Request | Reject:
    """The event that a client's line stands for, or why it can't be one."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _wrong(client, 0, f"a request is not JSON: {error}")
    if not isinstance(data, dict) or not _is_int(data.get("id")):
        return _wrong(client, 0, 'a request is an object with a number "id"')
    request, op = data["id"], data.get("op")
    if not isinstance(op, str) or op not in _FIELDS:
        known = ", ".join(_FIELDS)
        return _wrong(client, request, f"unknown op {str(op)[:40]!r}: use one of {known}")
    optional = _OPTIONAL.get(op, {})
    for name, kind in (_FIELDS[op] | optional).items():
        if name in optional and data.get(name) is None:
            continue
        if not isinstance(data.get(name), kind) or isinstance(data[name], bool):
            seen = str(data.get(name))[:80]
            return _wrong(client, request, f"{name} of {op} is {seen!r}: give a {kind.__name__}")
        if kind is int and abs(data[name]) > _FARTHEST_NS:
            return _wrong(client, request, f"{name} of {op} is beyond 2^62")
    return _make(client, request, op, data)


def _make(client: int, request: int, op: str, data: dict[str, Any]) -> Request:
    if op == "bind":
        demand = Demand(data["accuracy_ns"], data["resolution_ns"])
        return Bind(client, request, data["timeline"], data["app"][:_LONGEST_APP], demand)
    if op == "update":
        return Update(
            client, request, data["binding"], data.get("accuracy_ns"), data.get("resolution_ns")
        )
    if op == "unbind":
        return Unbind(client, request, data["binding"])
    return Report(client, request)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(client: int, request: int, message: str) -> Reject:
    return Reject(client, request, Refusal.PROTOCOL, message)
