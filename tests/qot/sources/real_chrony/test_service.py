"""A time service that takes UTC from a real chronyd, and an app that is bound to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from qot.binding import Timeline
from qot.errors import QotError, UnmeetableError
from qot.instant import Status
from qot.service_config import Role


def start(cluster: Any, folder: Path, address: tuple[str, int]) -> str:
    socket = str(folder / "qot.sock")
    cluster.start(
        "a",
        Role.FOLLOWER,
        timeline="",
        page_path="",
        socket_path=socket,
        sources={"gl_utc": {"kind": "chrony", "address": address, "slew_ppb": 0}},
    )
    return socket


def test_an_app_binds_to_utc(cluster: Any, network: Any, tmp_path: Path) -> None:
    socket = start(cluster, tmp_path, network.client.address)
    bound: list[Timeline] = []

    def bind() -> bool:
        """A chronyd that has just begun promises little."""
        try:
            bound.append(Timeline.bind("gl_utc", "test", accuracy="200ms", socket=socket))
        except UnmeetableError:
            return False
        return True

    cluster.wait_for(bind, "a chronyd that promises enough")
    with bound[0] as utc:
        for _ in range(200):
            before_ns = time.time_ns()
            instant = utc.now()
            after_ns = time.time_ns()
            assert instant.status is Status.SYNCHRONIZED
            assert instant.earliest_ns <= after_ns
            assert instant.latest_ns >= before_ns


def test_what_it_does_not_deliver_is_refused(cluster: Any, network: Any, tmp_path: Path) -> None:
    socket = start(cluster, tmp_path, network.client.address)
    with pytest.raises(UnmeetableError) as caught:
        Timeline.bind("gl_utc", "test", accuracy="100ns", socket=socket)
    assert caught.value.best_ns > 100


def test_a_daemon_that_is_not_there_is_told(cluster: Any, network: Any, tmp_path: Path) -> None:
    (port,) = network.free_ports(1)
    socket = start(cluster, tmp_path, ("127.0.0.1", port))
    with pytest.raises(QotError, match="gl_utc"):
        Timeline.bind("gl_utc", "test", accuracy="200ms", socket=socket)
