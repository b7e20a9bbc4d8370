"""Reads what linuxptp's `pmc` prints. Pure.

One block per answer: a head ``<clock>-<port> seq <n> RESPONSE MANAGEMENT <data set>``, then one
indented line per field, name and value. Releases differ in spelling (MANAGMENT) and in which
fields there are, so unknown ones are kept as text and only the wanted ones are looked into.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import ceil, floor

from qot.sources.errors import SourceRefusedError, SourceReplyError, SourceUnreachableError

_HEAD = re.compile(r"\s*\S+ seq \d+ (?P<action>\w+) (?P<kind>\w+)(?: (?P<set>\w+))?")
_KINDS = ("MANAGEMENT", "MANAGMENT")

QUERIES = ("TIME_STATUS_NP", "CURRENT_DATA_SET", "PORT_DATA_SET", "PORT_PROPERTIES_NP")
"""What is asked for, one GET each."""
REQUIRED = QUERIES[:3]
"""PORT_PROPERTIES_NP came with linuxptp 2.0."""


@dataclass(frozen=True, slots=True)
class PtpStatus:
    """What ptp4l says of the clock it serves. Times in ns.

    master_offset_ns: local clock - master at the last Sync, which came at ``ingress_ns`` by the
    local clock (0: none since the clock was stepped or a master chosen). path_delay_ns: one-way
    delay, filtered, rounded up. port_states, sync_intervals_ns: one for each port. timestamping:
    SOFTWARE, HARDWARE, LEGACY_HW or "" where ptp4l does not tell.
    """

    master_offset_ns: int
    ingress_ns: int
    master_present: bool
    path_delay_ns: int
    steps_removed: int
    port_states: tuple[str, ...]
    sync_intervals_ns: tuple[int, ...]
    timestamping: str


def commands() -> list[str]:
    """The arguments of `pmc` that ask for all that :func:`parse_status` reads."""
    return [f"GET {query}" for query in QUERIES]


def parse_sets(text: str) -> dict[str, list[dict[str, str]]]:
    """Every data set that was answered: its name → the fields, once for each clock or port."""
    sets: dict[str, list[dict[str, str]]] = {}
    fields: dict[str, str] | None = None
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            fields = None
            if head["action"] == "RESPONSE" and head["kind"] in _KINDS and head["set"]:
                fields = {}
                sets.setdefault(head["set"], []).append(fields)
        elif line.startswith("sending:"):
            continue
        elif fields is not None and line.strip():
            name, _, value = line.strip().partition(" ")
            fields[name] = value.strip()
    return sets


def parse_status(text: str) -> PtpStatus:
    """The status in what `pmc` printed.

    Raises SourceUnreachableError when nothing was answered, SourceRefusedError when a data set is
    missing, SourceReplyError when a field is missing or is not what it should be.
    """
    sets = parse_sets(text)
    if not sets:
        raise SourceUnreachableError(
            "ptp4l answered nothing: see whether it runs, with this uds_address and domain"
        )
    for name in REQUIRED:
        if name not in sets:
            raise SourceRefusedError(
                f"ptp4l did not answer GET {name}: ask at its uds_address as the user it runs as"
            )
    (status, current), ports = (sets[name][0] for name in REQUIRED[:2]), sets["PORT_DATA_SET"]
    properties = sets.get("PORT_PROPERTIES_NP", [])
    return PtpStatus(
        master_offset_ns=_integer(status, "master_offset"),
        ingress_ns=_integer(status, "ingress_time"),
        master_present=_truth(status, "gmPresent"),
        path_delay_ns=ceil(_number(current, "meanPathDelay")),
        steps_removed=_integer(current, "stepsRemoved"),
        port_states=tuple(_text(port, "portState") for port in ports),
        sync_intervals_ns=tuple(_power_ns(port, "logSyncInterval") for port in ports),
        timestamping=_text(properties[0], "timestamping") if properties else "",
    )


def _text(fields: dict[str, str], name: str) -> str:
    value = fields.get(name)
    if not value:
        raise SourceReplyError(
            f"pmc printed no {name}, only {', '.join(sorted(fields)) or 'nothing'}: its release "
            "is not one that this program knows"
        )
    return value


def _number(fields: dict[str, str], name: str) -> Decimal:
    value = _text(fields, name)
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > Decimal(1 << 63):
        raise SourceReplyError(f"pmc printed {name} {value!r}: a number was expected")
    return number


def _integer(fields: dict[str, str], name: str) -> int:
    number = _number(fields, name)
    if number != floor(number):
        raise SourceReplyError(f"pmc printed {name} {fields[name]!r}: an integer was expected")
    return int(number)


def _truth(fields: dict[str, str], name: str) -> bool:
    value = _text(fields, name)
    if value not in ("true", "false"):
        raise SourceReplyError(f"pmc printed {name} {value!r}: true or false was expected")
    return value == "true"


def _power_ns(fields: dict[str, str], name: str) -> int:
    """A logarithmic message interval: 2^n seconds."""
    power = _integer(fields, name)
    if not -30 <= power <= 30:
        raise SourceReplyError(f"pmc printed {name} {power}: -30 to 30 was expected")
    return int(Decimal(2) ** power * 1_000_000_000)
