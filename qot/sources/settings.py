"""The settings of sources as data: ``{"kind": "chrony", "address": ["127.0.0.1", 11324], …}``."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from qot.sources.base import TimeSource
from qot.sources.chrony import ChronySettings, ChronySource
from qot.sources.linuxptp import LinuxptpSettings, LinuxptpSource

Settings = ChronySettings | LinuxptpSettings
KINDS: dict[str, type[ChronySettings] | type[LinuxptpSettings]] = {
    "chrony": ChronySettings,
    "linuxptp": LinuxptpSettings,
}


def parse_source(value: object, field: str) -> Settings:
    """Raises InputError, which names the setting."""
    if not isinstance(value, dict) or value.get("kind") not in KINDS:
        raise InputError(
            f"a source is {value!r}",
            f'write {{"kind": "chrony"}}; the kinds are {", ".join(KINDS)}',
            field=field,
        )
    kind = KINDS[value["kind"]]
    given = {name: setting for name, setting in value.items() if name != "kind"}
    known = {each.name: each.type for each in fields(kind)}
    for name, setting in given.items():
        if name not in known:
            raise InputError(
                f"unknown setting {name!r} of {value['kind']}",
                f"use one of {', '.join(known)}",
                field=f"{field}.{name}",
            )
        given[name] = _checked(name, str(known[name]), setting, f"{field}.{name}")
    return kind(**given)


def _checked(name: str, kind: str, setting: Any, field: str) -> Any:
    """The setting as its type says; JSON knows no paths and no pairs."""
    if "Path" in kind and isinstance(setting, str) and setting:
        return Path(setting)
    if "tuple" in kind and isinstance(setting, list | tuple) and len(setting) == 2:
        host, port = setting
        if isinstance(host, str) and isinstance(port, int) and 0 < port < 65536:
            return host, port
    if kind == "bool" and isinstance(setting, bool):
        return setting
    if kind == "str" and isinstance(setting, str) and setting:
        return setting
    if kind == "int" and type(setting) is int and setting >= 0:
        return setting
    raise InputError(
        f"{name} is {setting!r}",
        "give a number that is not negative, a path, or an address as [host, port], as it says in "
        "docs/clock_sources.md",
        field=field,
    )


def make_source(settings: Settings) -> TimeSource:
    """Raises SourceError when it can't be asked."""
    if isinstance(settings, ChronySettings):
        return ChronySource(settings)
    return LinuxptpSource(settings)
