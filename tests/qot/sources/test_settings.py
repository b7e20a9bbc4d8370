"""Sources as data: what is taken, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupiter.errors import InputError
from qot.sources.chrony import ChronySettings
from qot.sources.linuxptp import LinuxptpSettings
from qot.sources.settings import parse_source


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"kind": "chrony"}, ChronySettings()),
        (
            {"kind": "chrony", "address": ["127.0.0.1", 11324], "slew_ppb": 0},
            ChronySettings(address=("127.0.0.1", 11324), slew_ppb=0),
        ),
        (
            {"kind": "chrony", "address": "/run/chronyd.sock", "local_is_truth": True},
            ChronySettings(address=Path("/run/chronyd.sock"), local_is_truth=True),
        ),
        (
            {"kind": "linuxptp", "uds_address": "/run/ptp4l", "domain": 3, "pmc": "/opt/pmc"},
            LinuxptpSettings(uds_address=Path("/run/ptp4l"), domain=3, pmc="/opt/pmc"),
        ),
    ],
)
def test_what_is_taken(value: dict[str, Any], expected: object) -> None:
    assert parse_source(value, "sources.gl_utc") == expected


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("chrony", "sources.gl_utc"),
        ({}, "sources.gl_utc"),
        ({"kind": "ntpd"}, "sources.gl_utc"),
        ({"kind": "chrony", "port": 323}, "sources.gl_utc.port"),
        ({"kind": "chrony", "address": ["127.0.0.1", 0]}, "sources.gl_utc.address"),
        ({"kind": "chrony", "address": 323}, "sources.gl_utc.address"),
        ({"kind": "chrony", "slew_ppb": -1}, "sources.gl_utc.slew_ppb"),
        ({"kind": "chrony", "slew_ppb": True}, "sources.gl_utc.slew_ppb"),
        ({"kind": "chrony", "local_is_truth": 1}, "sources.gl_utc.local_is_truth"),
        ({"kind": "linuxptp", "pmc": ""}, "sources.gl_utc.pmc"),
    ],
)
def test_what_is_refused(value: object, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(value, "sources.gl_utc")
    assert caught.value.field == field
    assert caught.value.fix
