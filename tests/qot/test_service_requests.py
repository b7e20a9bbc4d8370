"""What clients may say, and what the service makes of anything else."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qot.binding_events import Bind, Demand, Refusal, Reject, Unbind, Update
from qot.binding_link import ServiceLink
from qot.errors import ProtocolError
from qot.service_clients import ClientDoor
from qot.service_config import Role
from qot.service_requests import Report, parse_request

BIND = {
    "id": 1,
    "op": "bind",
    "timeline": "cell",
    "app": "test",
    "accuracy_ns": 1000,
    "resolution_ns": 1,
}


def parse(data: Any) -> Any:
    return parse_request(7, json.dumps(data).encode())


def test_every_request() -> None:
    assert parse(BIND) == Bind(7, 1, "cell", "test", Demand(1000, 1))
    assert parse({"id": 2, "op": "update", "binding": 3, "accuracy_ns": 4}) == Update(7, 2, 3, 4)
    assert parse({"id": 2, "op": "update", "binding": 3}) == Update(7, 2, 3, None, None)
    assert parse({"id": 3, "op": "unbind", "binding": 3}) == Unbind(7, 3, 3)
    assert parse({"id": 4, "op": "report"}) == Report(7, 4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "an object"),
        ({"op": "bind"}, "number"),
        ({"id": True, "op": "bind"}, "number"),
        ({"id": 1, "op": "dance"}, "unknown op 'dance'"),
        ({"id": 1, "op": ["bind"]}, "unknown op"),
        (BIND | {"accuracy_ns": "1ms"}, "accuracy_ns of bind is '1ms'"),
        (BIND | {"accuracy_ns": 1.5}, "accuracy_ns"),
        (BIND | {"accuracy_ns": True}, "accuracy_ns"),
        (BIND | {"timeline": None}, "timeline"),
        ({"id": 1, "op": "update", "binding": 1, "resolution_ns": "x"}, "resolution_ns"),
        ({"id": 1, "op": "unbind"}, "binding"),
        (BIND | {"accuracy_ns": 10**4000}, "beyond"),
    ],
)
def test_what_is_no_request_is_refused_by_name(data: Any, message: str) -> None:
    refused = parse(data)
    assert isinstance(refused, Reject)
    assert refused.why is Refusal.PROTOCOL
    assert message in refused.message


def test_a_deep_nest_is_refused() -> None:
    assert isinstance(parse_request(1, b"[" * 60_000), Reject)


@given(st.binary(max_size=200))
def test_noise_never_raises(line: bytes) -> None:
    assert isinstance(parse_request(1, line), Reject)


def test_a_service_survives_its_clients(cluster: Any) -> None:
    path = cluster.folder / "s"
    cluster.start("home", Role.REFERENCE, socket_path=str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as noisy:
        noisy.connect(str(path))
        noisy.sendall(b"noise\n\xff\xfe\n" + json.dumps(BIND).encode() + b"\n")
        lines = noisy.makefile("rb")
        answers = [json.loads(lines.readline()) for _ in range(3)]
        assert [each.get("error", {}).get("kind") for each in answers] == [
            "protocol",
            "protocol",
            None,
        ]
        assert answers[2]["ok"]["role"] == "reference"
        noisy.sendall(b"x" * 200_000)  # a line without an end
        with suppress(ConnectionResetError):  # what it did not read is thrown back
            assert lines.readline() == b""
        lines.close()
    link = ServiceLink(path)
    future = link.ask("bind", timeline=5)
    link.wait(future, 30)
    with pytest.raises(ProtocolError, match="timeline of bind"):
        future.result()
    link.close()


def test_a_socket_path_may_be_long(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    door = ClientDoor(folder / "time.sock", 0o600)
    link = ServiceLink(folder / "time.sock")
    client = door.accept(0)
    assert client is not None
    client.answer(1, {})
    link.close()
    client.socket.close()
    door.close()
    assert not (folder / "time.sock").exists()
