"""What a coordinator is told: options, a TOML file, the environment (for the key alone).

Options win over the file. The key is never an option: a command line is there for everyone to read.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from jupiter.errors import InputError
from jupiter.units import parse_duration_ns
from qot.clock import SECOND_NS
from qot.coordination.coordinator import DEFAULT_SESSION_NS, Limits
from qot.coordination.terms import DEFAULT_DRIFT_PPB, DEFAULT_TERMS, Terms

DEFAULT_PORT = 8502
"""Quartz's."""
KEY_VARIABLE = "QOT_COORDINATION_KEY"
SHORTEST_KEY = 16

Duration = Annotated[int, BeforeValidator(parse_duration_ns), Field(gt=0, le=3600 * SECOND_NS)]


class Backend(StrEnum):
    """Where the service keeps what it must not forget."""

    SQLITE = "sqlite"
    ZOOKEEPER = "zookeeper"


class Config(BaseModel):
    """A coordinator's settings; times are texts with units in the file, ns here.

    advertise: where others reach this coordinator, if that is not http://host:port. zookeeper:
    ``host:port,host:port``. nats: ``nats://host:port``; None: changes are published nowhere.
    plain_http: listen on other addresses than this machine's own although keys and answers travel
    unencrypted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    advertise: str | None = None
    backend: Backend = Backend.SQLITE
    database: Path = Path("coordination.sqlite")
    zookeeper: str = "127.0.0.1:2181"
    nats: str | None = None
    key_file: Path | None = None
    plain_http: bool = False
    lease: Duration = DEFAULT_TERMS.lease_ns
    silence: Duration = DEFAULT_TERMS.silence_ns
    session: Duration = DEFAULT_SESSION_NS
    drift_ppb: Annotated[int, Field(ge=0, lt=SECOND_NS // 2)] = DEFAULT_DRIFT_PPB

    @model_validator(mode="after")
    def _lease_is_shorter(self) -> Self:
        if self.lease >= self.silence:
            raise ValueError("lease must be shorter than silence, what followers wait")
        return self

    @model_validator(mode="after")
    def _key_stays_secret(self) -> Self:
        if not self.plain_http and not _is_loopback(self.host):
            raise ValueError(
                f"on {self.host} the key would travel unencrypted: listen on 127.0.0.1 behind a "
                "proxy that speaks https, or set plain_http if the network itself is private"
            )
        return self

    @property
    def limits(self) -> Limits:
        terms = Terms(self.lease, self.silence, DEFAULT_TERMS.handover_ns)
        return Limits(terms, self.session, self.drift_ppb)


def read_config(file: Path | None, options: Mapping[str, object]) -> Config:
    """The settings of a file, and options over them (None: not given). Raises InputError."""
    given = {name: value for name, value in options.items() if value is not None}
    if "@" in str(given.get("nats", "")):
        raise InputError(
            "--nats holds a user or a password, which everyone on this machine could read",
            "write nats = ... in the --config file",
            field="nats",
        )
    settings = {} if file is None else _read_toml(file)
    for name in settings:
        if name not in Config.model_fields:
            near = difflib.get_close_matches(name, Config.model_fields, n=1)
            raise InputError(
                f"unknown setting {name!r}",
                f"did you mean {near[0]!r}?"
                if near
                else f"use one of {', '.join(Config.model_fields)}",
                file=file,
                field=name,
            )
    try:
        return Config.model_validate({**settings, **given})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or None
        raise InputError(
            f"{first['msg']} (found {first['input']!r})" if field else first["msg"],
            "see docs/coordination.md, Settings",
            file=None if field in given else file,
            field=field,
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"can't be read: {error.strerror}", "give a file that exists", file=file
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"is not TOML: {error}", 'write lines like port = 8502, lease = "800ms"', file=file
        ) from None


def read_key(file: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """The key that writers must present. Raises InputError, which never holds the key."""
    if file is not None:
        try:
            key, place = file.read_text("utf-8").strip(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"the key can't be read: {error}", "give a text file with the key", file=file
            ) from None
    else:
        key, place = environment.get(KEY_VARIABLE, "").strip(), KEY_VARIABLE
    if not key:
        raise InputError(
            f"there is no key in {place}",
            f"make one: openssl rand -hex 32 > coordination.key; then --key-file coordination.key, "
            f"or set {KEY_VARIABLE}",
            field="key_file",
        )
    if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(
            f"the key in {place} has {len(key)} characters, or some that a header can't carry",
            f"use at least {SHORTEST_KEY} letters and digits: openssl rand -hex 32",
            field="key_file",
        )
    return key
