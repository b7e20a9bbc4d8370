"""Replies of chronyd and ptp4l, built field by field, and sources that a test scripts."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from qot.instant import Status
from qot.sources.base import Report

SEQUENCE = 0x01020304


def wire_float(value: float) -> int:
    """The 32 bits that stand for a number, rounded down: coefficient × 2^(exponent - 25)."""
    if value == 0:
        return 0
    fraction, exponent = math.frexp(value)  # 0.5 <= |fraction| < 1
    coefficient = math.floor(fraction * 2**24)
    return ((exponent + 1) & 0x7F) << 25 | (coefficient & 0x1FFFFFF)


class TrackingPacket:
    """A tracking reply, each field of which a test may change by name before ``bytes``."""

    FLOATS = (
        "correction",
        "last_offset",
        "rms_offset",
        "frequency",
        "residual_frequency",
        "skew",
        "root_delay",
        "root_dispersion",
        "update_interval",
    )

    def __init__(self, **fields: Any) -> None:
        self.version, self.kind, self.command, self.reply, self.status = 6, 2, 33, 5, 0
        self.sequence = SEQUENCE
        self.reference_id, self.address, self.family = 0x0A090001, bytes([10, 9, 0, 1]), 1
        self.stratum, self.leap = 2, 0
        self.reference_time = (0, 1_700_000_000, 123_456_789)
        self.floats = dict.fromkeys(self.FLOATS, 0.0)
        for name, value in fields.items():
            if name in self.floats:
                self.floats[name] = value
            else:
                assert hasattr(self, name), name
                setattr(self, name, value)

    def __bytes__(self) -> bytes:
        data = struct.pack(">BBBB", self.version, self.kind, 0, 0)
        data += struct.pack(">HHHHHH", self.command, self.reply, self.status, 0, 0, 0)
        data += struct.pack(">III", self.sequence, 0, 0)
        data += struct.pack(">I", self.reference_id)
        data += self.address.ljust(16, b"\0") + struct.pack(">HH", self.family, 0)
        data += struct.pack(">HH", self.stratum, self.leap)
        data += struct.pack(">III", *self.reference_time)
        for value in self.floats.values():
            data += struct.pack(">I", wire_float(value))
        return data


@pytest.fixture(scope="session")
def tracking_packet() -> type[TrackingPacket]:
    return TrackingPacket


PMC_OUTPUT = """\
sending: GET TIME_STATUS_NP
sending: GET CURRENT_DATA_SET
\t5a0af5.fffe.c01d11-0 seq 0 RESPONSE MANAGEMENT TIME_STATUS_NP 
\t\tmaster_offset              {master_offset}
\t\tingress_time               {ingress_time}
\t\tcumulativeScaledRateOffset +0.000000000
\t\tscaledLastGmPhaseChange    0
\t\tgmTimeBaseIndicator        0
\t\tlastGmPhaseChange          0x0000'0000000000000000.0000
\t\tgmPresent                  {gm_present}
\t\tgmIdentity                 b2179f.fffe.da9cfa
sending: GET PORT_DATA_SET
\t5a0af5.fffe.c01d11-0 seq 1 RESPONSE MANAGEMENT CURRENT_DATA_SET 
\t\tstepsRemoved     1
\t\toffsetFromMaster {master_offset}.0
\t\tmeanPathDelay    {path_delay}
sending: GET PORT_PROPERTIES_NP
\t5a0af5.fffe.c01d11-1 seq 2 RESPONSE MANAGEMENT PORT_DATA_SET 
\t\tportIdentity            5a0af5.fffe.c01d11-1
\t\tportState               {port_state}
\t\tlogSyncInterval         {log_sync_interval}
\t\tversionNumber           2
\t5a0af5.fffe.c01d11-1 seq 3 RESPONSE MANAGEMENT PORT_PROPERTIES_NP 
\t\tportIdentity            5a0af5.fffe.c01d11-1
\t\tportState               {port_state}
\t\ttimestamping            {timestamping}
\t\tinterface               eth0
"""


def print_pmc(**fields: object) -> str:
    """What pmc prints about a follower, with some fields changed."""
    usual: dict[str, object] = {
        "master_offset": -260,
        "ingress_time": 1_700_000_000_123_456_789,
        "gm_present": "true",
        "path_delay": "1703.0",
        "port_state": "SLAVE",
        "log_sync_interval": -3,
        "timestamping": "SOFTWARE",
    }
    assert set(fields) <= set(usual)
    return PMC_OUTPUT.format(**{**usual, **fields})


@pytest.fixture(scope="session")
def pmc_output() -> Callable[..., str]:
    return print_pmc


class ScriptedSource:
    """A source that says what a test tells it to; an exception is raised, a function called."""

    name = "a script"

    def __init__(self, *script: Any, slew_ppb: int = 0, settle_updates: int = 3) -> None:
        self.script = list(script)
        self.slew_ppb = slew_ppb
        self.settle_updates = settle_updates
        self.asked: list[tuple[int, int]] = []
        self.closed = False

    def ask(self, realtime_ns: int, drift_ppb: int) -> Report:
        self.asked.append((realtime_ns, drift_ppb))
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(said):
            said = said()
        if isinstance(said, Exception):
            raise said
        assert isinstance(said, Report)
        return said

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="session")
def scripted_source() -> type[ScriptedSource]:
    return ScriptedSource


@pytest.fixture(scope="session")
def report() -> Callable[..., Report]:
    """A synchronized report of a fresh measurement."""

    def make(correction_ns: int = 0, error_ns: int = 1_000, **fields: Any) -> Report:
        return Report(
            **{
                "status": Status.SYNCHRONIZED,
                "correction_ns": correction_ns,
                "error_ns": error_ns,
                "update": 1,
                **fields,
            }
        )

    return make


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool], str], None]:
    """Polls until a state holds; fails after a deadline that only a defect reaches."""

    def wait(state: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 60
        while not state():
            assert time.monotonic() < end, f"{what} did not come"
            time.sleep(0.005)

    return wait
