"""What a time service is told: one JSON object, read once, checked at the edge."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from qot.clock import DEFAULT_MAX_DRIFT_PPB, SECOND_NS, ClockModel
from qot.exchange import SHORTEST_KEY_BYTES

SOCKET_VARIABLE = "QOT_SOCKET"
"""Where a time service's socket is, for programs that are not told otherwise."""
SELF = "self"
"""In ``references``: this node."""
_SHORTEST_PERIOD_NS = 20_000_000
_LONGEST_PERIOD_NS = 64 * SECOND_NS
_DURATIONS = (
    "period_ns",
    "void_after_ns",
    "shortest_period_ns",
    "longest_period_ns",
    "bind_timeout_ns",
    "utc_error_ns",
)
_OPTIONAL = ("utc_error_ns",)


class Role(StrEnum):
    """What a node is to a timeline."""

    REFERENCE = "reference"
    """Its core clock *is* the timeline."""
    FOLLOWER = "follower"
    ELECTED = "elected"
    """Whichever the coordination service gives it, timeline by timeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """One time service: a node's share in one standing timeline, and in those that clients bind.

    timeline, page_path: the standing one; both may be empty when there is a socket_path.
    clock: the node's emulated clock, or None for CLOCK_MONOTONIC. bind: where a reference answers
    (port 0: any; a follower uses the host alone). reference: where a follower asks, or None until
    it is told. key_hex: the cluster's exchange key, at least 16 bytes, the same on all nodes.
    max_drift_ppb: the stated limit of a CLOCK_MONOTONIC core; an emulated clock states its own.
    epoch: the reference's fencing number; a follower never goes back to a lower one.
    socket_path: where clients bind, or None for none; socket_mode: 0o600 or 0o660.
    pages_folder: where the pages of bound timelines go; by default beside the standing page, else
    beside the socket. references: who is the reference of a timeline that differs from the rule, an
    address or "self"; the rule is: this node if its role says so, else the standing reference.
    utc_error_ns: how wrong CLOCK_REALTIME may be here, stated; None: no source of UTC, so that this
    node is the reference of no gl_ timeline. shortest_period_ns, longest_period_ns: what a demand
    may make of the rate of a bound timeline. bind_timeout_ns: how long a first bind may measure.
    sources: timeline → chrony or linuxptp (qot.sources.settings), which this node takes it from.
    coordinators: addresses of the coordination service, for the role "elected"; coordination_key:
    what it wants for writes.
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
    socket_path: str | None = None
    socket_mode: int = 0o600
    pages_folder: str | None = None
    references: dict[str, tuple[str, int] | str] = field(default_factory=dict)
    utc_error_ns: int | None = None
    shortest_period_ns: int = _SHORTEST_PERIOD_NS
    longest_period_ns: int = _LONGEST_PERIOD_NS
    bind_timeout_ns: int = 5 * SECOND_NS
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    coordinators: tuple[str, ...] = ()
    coordination_key: str | None = None

    @property
    def folder(self) -> Path:
        """Where the pages of bound timelines go."""
        if self.pages_folder is not None:
            return Path(self.pages_folder)
        return Path(self.page_path or self.socket_path or ".").parent

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
        known = {each.name for each in fields(cls)}
        for name in data:
            if name not in known:
                raise InputError(
                    f"unknown setting {name!r}",
                    f"use one of {', '.join(sorted(known))}",
                    field=name,
                )
        only_bound = data.get("socket_path") and not data.get("timeline")
        for name in ("node", "timeline", "role", "key_hex", "page_path"):
            if only_bound and name in ("timeline", "page_path") and data.get(name) == "":
                continue
            if not isinstance(data.get(name), str) or not data[name]:
                raise InputError(
                    f"{name} is {data.get(name)!r}", "give a text that is not empty", field=name
                )
        for name in ("socket_path", "pages_folder"):
            if data.get(name) is not None and (not isinstance(data[name], str) or not data[name]):
                raise InputError(
                    f"{name} is {data[name]!r}", "give a path, or null for none", field=name
                )
        if data.get("socket_mode", 0o600) not in (0o600, 0o660):
            raise InputError(
                f"socket_mode is {data['socket_mode']!r}",
                "give 384 (0600, this user) or 432 (0660, this user's group too)",
                field="socket_mode",
            )
        for name in _DURATIONS:
            if name in _OPTIONAL and data.get(name) is None:
                continue
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
        if data.get("shortest_period_ns", _SHORTEST_PERIOD_NS) > data.get(
            "longest_period_ns", _LONGEST_PERIOD_NS
        ):
            raise InputError(
                "shortest_period_ns is more than longest_period_ns",
                "give a shorter one",
                field="shortest_period_ns",
            )
        _check_key(data["key_hex"])
        _check_sources(data.get("sources", {}))
        try:
            clock = None if data.get("clock") is None else ClockModel.from_dict(data["clock"])
        except (TypeError, ValueError) as error:
            raise InputError(str(error), "give a ClockModel or null", field="clock") from None
        addresses = {
            name: parse_address(data[name], name)
            for name in ("bind", "reference")
            if data.get(name) is not None
        }
        made = {
            "clock": clock,
            "role": Role(data["role"]),
            "references": _parse_references(data.get("references", {})),
            "coordinators": _parse_coordinators(data.get("coordinators", []), data["role"]),
        }
        return cls(**{**data, **addresses, **made})


def _check_sources(value: object) -> None:
    """``{"gl_utc": {"kind": "chrony"}}``."""
    if not isinstance(value, dict):
        raise InputError(
            f"sources is {value!r}", 'write {"timeline": {"kind": "chrony"}}', field="sources"
        )
    if value:  # a service without any need not load them
        from qot.sources.settings import parse_source

        for name, source in value.items():
            parse_source(source, f"sources.{name}")


def _parse_coordinators(value: object, role: str) -> tuple[str, ...]:
    """``["http://host:8502"]``."""
    given = isinstance(value, list | tuple) and all(
        isinstance(each, str) and each.startswith(("http://", "https://")) for each in value
    )
    if not given or bool(value) != (role == Role.ELECTED):
        raise InputError(
            f"coordinators is {value!r} and role {role!r}",
            'write ["http://host:8502"] with role "elected", and none with another role',
            field="coordinators",
        )
    assert isinstance(value, list | tuple)
    return tuple(value)


def _parse_references(value: object) -> dict[str, tuple[str, int] | str]:
    """``{"wall": ["node2", 4242], "cell": "self"}``."""
    if not isinstance(value, dict):
        raise InputError(
            f"references is {value!r}",
            'write {"timeline": ["host", port]} or {"timeline": "self"}',
            field="references",
        )
    return {
        str(name): SELF if each == SELF else parse_address(each, "references")
        for name, each in value.items()
    }


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
