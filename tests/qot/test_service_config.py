"""The configuration of a time service, checked at the edge."""

from __future__ import annotations

import json

import pytest

from jupiter.errors import InputError
from qot.clock import ClockModel
from qot.service_config import Role, ServiceConfig

CONFIG = ServiceConfig(
    node="node1",
    timeline="wall",
    role=Role.FOLLOWER,
    key_hex="00" * 16,
    page_path="clock.page",
    clock=ClockModel.emulate(1, "node1", 0),
    reference=("127.0.0.1", 4242),
)


def test_json_there_and_back() -> None:
    assert ServiceConfig.from_json(CONFIG.to_json()) == CONFIG
    assert "\n" not in CONFIG.to_json()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nodee": "x"}, "nodee"),
        ({"node": ""}, "node"),
        ({"role": "boss"}, "role"),
        ({"key_hex": "xyz"}, "key_hex"),
        ({"key_hex": "00"}, "key_hex"),
        ({"period_ns": 0}, "period_ns"),
        ({"void_after_ns": "1s"}, "void_after_ns"),
        ({"max_drift_ppb": -1}, "max_drift_ppb"),
        ({"reference": ["127.0.0.1"]}, "reference"),
        ({"bind": ["", 1]}, "bind"),
        ({"bind": ["127.0.0.1", 70_000]}, "bind"),
        ({"clock": {"epoch_ns": 0, "drift_ppb": 10**6}}, "clock"),
        ({"clock": {"speed": 1}}, "clock"),
        ({"sources": []}, "sources"),
        ({"sources": {"gl_utc": {"kind": "sundial"}}}, "sources.gl_utc"),
        ({"coordinators": ["http://127.0.0.1:8502"]}, "coordinators"),
        ({"coordinators": ["host"], "role": "elected"}, "coordinators"),
        ({"role": "elected"}, "coordinators"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], field: str) -> None:
    data = json.loads(CONFIG.to_json()) | change
    with pytest.raises(InputError) as caught:
        ServiceConfig.from_json(json.dumps(data))
    assert caught.value.field == field
    assert caught.value.fix


@pytest.mark.parametrize("line", ["", "{", "[]", "3"])
def test_what_is_not_an_object_is_refused(line: str) -> None:
    with pytest.raises(InputError, match="JSON"):
        ServiceConfig.from_json(line)


def test_a_message_never_shows_the_key() -> None:
    data = json.loads(CONFIG.to_json()) | {"key_hex": "cafe"}
    with pytest.raises(InputError) as caught:
        ServiceConfig.from_json(json.dumps(data))
    assert "cafe" not in str(caught.value)
