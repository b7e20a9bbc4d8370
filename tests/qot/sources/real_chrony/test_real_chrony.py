"""The chrony source against real chronyds, whose truth is known: conftest.py says why."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qot.clock import ClockModel, EmulatedClock
from qot.faults.link import both_ways
from qot.faults.relay import Relay
from qot.instant import Status
from qot.sources.chrony import ChronySettings, ChronySource
from qot.sources.errors import SourceRefusedError, SourceUnreachableError


def test_what_we_read_is_what_chronyc_prints(network: Any) -> None:
    chronyc = shutil.which("chronyc")
    if chronyc is None:
        pytest.skip("chronyc is not installed")
    host, port = network.server.address
    printed = subprocess.run(
        [chronyc, "-c", "-n", "-h", host, "-p", str(port), "tracking"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.strip()
    source = ChronySource(ChronySettings(address=network.server.address))
    tracking = source.tracking()
    source.close()
    fields = printed.split(",")
    assert int(fields[0], 16) == tracking.reference_id
    assert int(fields[2]) == tracking.stratum
    assert (fields[-1] == "Normal") == (tracking.leap == 0)
    named = (tracking.root_delay, tracking.root_dispersion, tracking.update_interval)
    for text, number in zip(fields[10:13], named, strict=True):
        low, high = number.nanoseconds
        assert low - 1_000_000 <= float(text) * 1e9 <= high + 1_000_000


@pytest.mark.parametrize("slew_ppb", [0, 100_000])
def test_the_page_holds_the_servers_truth(node: Callable[..., Any], slew_ppb: int) -> None:
    made = node(slew_ppb=slew_ppb)
    made.serve_to_status(Status.SYNCHRONIZED)
    error_ns = made.audit(150)
    assert error_ns < 100_000_000
    assert made.role.filter.contradictions == 0
    assert made.role.filter.steps == 0
    assert made.reader.status() is Status.SYNCHRONIZED


def test_a_delay_on_one_way_only_is_inside_the_bound(
    network: Any, node: Callable[..., Any]
) -> None:
    """No two-way method can see it: the estimate is wrong by half of it, and the bound says so."""
    round_trip_ns = 8_000_000
    (port,) = network.free_ports(1)
    ways = both_ways(round_trip_ns, asymmetry=1, loss=0.1)
    with Relay(("127.0.0.1", network.port), *ways) as relay:
        daemon = network.start(
            "far",
            port,
            "port 0",
            f"server 127.0.0.1 port {relay.address[1]} iburst {network.QUICK}",
        )
        made = node(address=daemon.address)
        made.serve_to_status(Status.SYNCHRONIZED)
        made.audit(150)
        assert made.reader.now().error_ns >= round_trip_ns // 2
        assert made.role.filter.contradictions == 0


def test_an_emulated_clock_that_is_far_off_is_set_right(node: Callable[..., Any]) -> None:
    model = ClockModel.emulate(3, "node", time.monotonic_ns(), wander_ppb=1_000)
    made = node(EmulatedClock(model))
    made.serve_to_status(Status.SYNCHRONIZED)
    assert made.audit(100) < 100_000_000


def test_the_unix_socket_serves_too_and_nothing_is_left(
    node: Callable[..., Any], tmp_path: Path
) -> None:
    before = set(tmp_path.glob("*.sock"))
    if not before:
        pytest.skip("this chronyd made no Unix socket in a folder of ours")
    made = node(address=tmp_path / "chronyd.sock")
    assert len(set(tmp_path.glob("*.sock"))) == len(before) + 1
    made.serve_to_status(Status.SYNCHRONIZED)
    made.audit(20)
    made.close()
    assert set(tmp_path.glob("*.sock")) == before


def test_a_server_that_dies_is_holdover_though_the_client_answers(
    network: Any, node: Callable[..., Any]
) -> None:
    made = node()
    made.serve_to_status(Status.SYNCHRONIZED)
    made.audit(20)
    network.server.stop()
    made.serve_to_status(Status.HOLDOVER)
    assert made.role.failure is None
    assert made.role.counters.stale > 0
    made.serve_until(lambda: made.role.counters.stale >= 20, "20 stale answers")
    before_ns = time.time_ns()
    instant = made.reader.now()
    assert instant.promised
    assert instant.earliest_ns <= time.time_ns()
    assert before_ns <= instant.latest_ns


def test_a_client_that_dies_is_holdover_and_one_that_comes_back_is_believed(
    network: Any, node: Callable[..., Any]
) -> None:
    made = node()
    made.serve_to_status(Status.SYNCHRONIZED)
    network.client.stop()
    made.serve_to_status(Status.HOLDOVER)
    assert isinstance(made.role.failure, SourceUnreachableError)
    network.start(
        "again",
        network.client.address[1],
        "port 0",
        f"server 127.0.0.1 port {network.port} {network.QUICK}",
    )
    made.serve_to_status(Status.SYNCHRONIZED)
    made.audit(20)


def test_a_client_that_is_stopped_answers_late_and_is_not_misread(
    network: Any, node: Callable[..., Any]
) -> None:
    made = node(timeout_ns=50_000_000)
    made.serve_to_status(Status.SYNCHRONIZED)
    network.client.process.send_signal(signal.SIGSTOP)
    made.serve_to_status(Status.HOLDOVER)
    made.serve_until(lambda: made.role.counters.unreachable >= 5, "5 questions without answer")
    network.client.process.send_signal(signal.SIGCONT)
    made.serve_to_status(Status.SYNCHRONIZED)
    made.audit(50)
    assert made.role.counters.malformed == 0
    assert made.role.filter.contradictions == 0


def test_a_client_without_a_server_is_unsynchronized(
    network: Any, node: Callable[..., Any]
) -> None:
    (lonely,) = network.free_ports(1)
    daemon = network.start("lonely", lonely, "port 0")
    made = node(address=daemon.address)
    made.serve_until(lambda: made.role.counters.lost >= 3, "its word that it knows nothing")
    assert made.reader.status() is Status.UNSYNCHRONIZED


def test_the_server_itself_is_the_timeline_only_if_it_is_said_to_be(
    network: Any, node: Callable[..., Any]
) -> None:
    lost = node(address=network.server.address)
    lost.serve_until(lambda: lost.role.counters.lost >= 3, "its word that it has no server")
    made = node(address=network.server.address, local_is_truth=True)
    made.serve_to_status(Status.SYNCHRONIZED)
    assert made.audit(50) < 10_000_000


def test_a_port_of_another_protocol_gives_no_time(network: Any) -> None:
    source = ChronySource(
        ChronySettings(address=("127.0.0.1", network.port), timeout_ns=100_000_000)
    )
    with pytest.raises((SourceUnreachableError, SourceRefusedError)):
        source.tracking()
    source.close()
