"""What a time service is told: one JSON object, read once, checked at the edge."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from qot.clock import DEFAULT_MAX_DRIFT_PPB, SECOND_NS, ClockModel
from qot.exchange import SHORTEST_KEY_BYTES


class Role(StrEnum):
    """What a node is to a timeline."""

    REFERENCE = "reference"
    """Its core clock *is* the timeline."""
    FOLLOWER = "follower"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """One time service: one node's share in one timeline.

    clock: the node's emulated clock, or None for CLOCK_MONOTONIC. bind: where a reference answers
    (port 0: any; a follower uses the host alone). reference: where a follower asks, or None until
    it is told. key_hex: the cluster's exchange key, at least 16 bytes, the same on all nodes.
    max_drift_ppb: the stated limit of a CLOCK_MONOTONIC core; an emulated clock states its own.
    epoch: the reference's fencing number; a follower never goes back to a lower one.
    """

    node: str
    timeline: str
    role: Role
    key_hex: str
    page_path: str
    clock: ClockModel | None = None
    bind: tuple[str, int] = ("127.0.0.1", 0)
    reference: tuple[str, int] | None = None
    period_ns: int = 250_000_000
    void_after_ns: int = 300 * SECOND_NS
    max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB
    reference_max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB
    epoch: int = 1
    realtime: bool = False
    """Ask for SCHED_FIFO too."""

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.key_hex)

    @property
    def page(self) -> Path:
        return Path(self.page_path)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str | bytes) -> ServiceConfig:
        """The inverse of :meth:`to_json`. Raises InputError with the field and the fix."""
        try:
            data = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"the time service's configuration is not JSON: {error}",
                "send one JSON object on one line",
            ) from None
        if not isinstance(data, dict):
            raise InputError(
                f"the time service's configuration is a {type(data).__name__}",
                "send one JSON object on one line",
            )
        return cls._from_dict(data)

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> ServiceConfig:
        known = {field.name for field in fields(cls)}
        for name in data:
            if name not in known:
                raise InputError(
                    f"unknown setting {name!r}",
                    f"use one of {', '.join(sorted(known))}",
                    field=name,
                )
        for name in ("node", "timeline", "role", "key_hex", "page_path"):
            if not isinstance(data.get(name), str) or not data[name]:
                raise InputError(
                    f"{name} is {data.get(name)!r}", "give a text that is not empty", field=name
                )
        for name in ("period_ns", "void_after_ns"):
            if name in data and (not isinstance(data[name], int) or data[name] <= 0):
                raise InputError(
                    f"{name} is {data[name]!r}", "give nanoseconds, more than 0", field=name
                )
        for name in ("max_drift_ppb", "reference_max_drift_ppb"):
            if name in data and (
                not isinstance(data[name], int) or not 0 <= data[name] < SECOND_NS // 2
            ):
                raise InputError(
                    f"{name} is {data[name]!r}",
                    "give parts per billion, 50000 is usual",
                    field=name,
                )
        if data["role"] not in list(Role):
            raise InputError(
                f"role is {data['role']!r}", f"use one of {', '.join(Role)}", field="role"
            )
        _check_key(data["key_hex"])
        try:
            clock = None if data.get("clock") is None else ClockModel.from_dict(data["clock"])
        except (TypeError, ValueError) as error:
            raise InputError(str(error), "give a ClockModel or null", field="clock") from None
        addresses = {
            name: parse_address(data[name], name)
            for name in ("bind", "reference")
            if data.get(name) is not None
        }
        return cls(**{**data, **addresses, "clock": clock, "role": Role(data["role"])})


def _check_key(key_hex: str) -> None:
    """The message never shows the key."""
    try:
        size_bytes = len(bytes.fromhex(key_hex))
    except ValueError:
        raise InputError(
            "key_hex is not hexadecimal", "give random bytes in hexadecimal", field="key_hex"
        ) from None
    if size_bytes < SHORTEST_KEY_BYTES:
        raise InputError(
            f"key_hex has {size_bytes} bytes",
            f"give at least {SHORTEST_KEY_BYTES} random bytes in hexadecimal",
            field="key_hex",
        )


def parse_address(value: object, field: str) -> tuple[str, int]:
    """``["127.0.0.1", 4242]`` → a socket address. Raises InputError."""
    if isinstance(value, list | tuple) and len(value) == 2:
        host, port = value
        if isinstance(host, str) and host and isinstance(port, int) and 0 <= port < 65536:
            return host, port
    raise InputError(f"{field} is {value!r}", 'write ["host", port]', field=field)
