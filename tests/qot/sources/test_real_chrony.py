"""Real chronyds: a server of its own clock and a free-running client, on one machine.

Both read the same CLOCK_REALTIME, so that the truth is known: the client's offset is 0, and UTC on
its page is CLOCK_REALTIME.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qot.clock import Clock, ClockModel, EmulatedClock, MonotonicClock
from qot.faults.link import both_ways
from qot.faults.relay import Relay
from qot.instant import Status
from qot.page import PageWriter
from qot.sources.chrony import ChronySettings, ChronySource
from qot.sources.errors import SourceRefusedError, SourceUnreachableError
from qot.sources.role import SourceConfig, SourceRole
from qot.timeline import TimelineReader

CHRONYD = shutil.which("chronyd") or shutil.which("chronyd", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(CHRONYD is None, reason="chronyd is not installed (Debian: chrony)")

QUICK = "minpoll -4 maxpoll -4 xleave"


def free_ports(count: int) -> list[int]:
    """UDP ports that nobody has."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Chronyd:
    """A chronyd that never touches the clock, with its own command port, in the foreground."""

    def __init__(self, folder: Path, name: str, command_port: int, *directives: str) -> None:
        self.address = ("127.0.0.1", command_port)
        config = folder / f"{name}.conf"
        lines = [
            f"cmdport {command_port}",
            "bindcmdaddress 127.0.0.1",
            f"pidfile {folder / name}.pid",
            *directives,
        ]
        config.write_text("\n".join(lines) + "\n")
        self.log = folder / f"{name}.log"
        assert CHRONYD is not None
        user = ["-u", "root"] if os.geteuid() == 0 else ["-U"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [CHRONYD, "-x", "-d", *user, "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Network:
    """A server and clients of it, in one folder."""

    def __init__(self, folder: Path, wait_until: Callable[..., None]) -> None:
        self.folder = folder
        self._wait_until = wait_until
        self._daemons: list[Chronyd] = []
        self.port, server, client = free_ports(3)
        self.server = self.start(
            "server",
            server,
            f"port {self.port}",
            "bindaddress 127.0.0.1",
            "local stratum 1",
            "allow 127.0.0.1",
        )
        self.client = self.start(
            "client",
            client,
            "port 0",
            f"server 127.0.0.1 port {self.port} {QUICK}",
            "maxclockerror 50",
            f"bindcmdaddress {folder}/chronyd.sock",
        )

    def start(self, name: str, command_port: int, *directives: str) -> Chronyd:
        """Start one; skips the test where this machine does not let it run."""
        daemon = Chronyd(self.folder, name, command_port, *directives)
        self._daemons.append(daemon)
        source = ChronySource(ChronySettings(address=daemon.address, timeout_ns=10**9))

        def answers() -> bool:
            if daemon.process.poll() is not None:
                pytest.skip(f"chronyd does not run here: {daemon.log.read_text()[-300:]}")
            try:
                source.tracking()
            except SourceUnreachableError:
                return False
            return True

        self._wait_until(answers, f"chronyd {name}")
        source.close()
        return daemon

    def stop(self) -> None:
        for daemon in self._daemons:
            daemon.stop()


@pytest.fixture
def network(tmp_path: Path, wait_until: Callable[..., None]) -> Iterator[Network]:
    made = Network(tmp_path, wait_until)
    yield made
    made.stop()


class Node:
    """A role that follows a real chronyd, driven as the time service drives it."""

    def __init__(self, path: Path, settings: ChronySettings, clock: Clock) -> None:
        self.clock = clock
        model = clock.model if isinstance(clock, EmulatedClock) else None
        self._open = True
        self.page = PageWriter(path, "gl_utc", model)
        config = SourceConfig(period_ns=20_000_000, stale_after_ns=10**9)
        self.role = SourceRole(config, ChronySource(settings), clock, self.page)
        self.reader = TimelineReader(path, "gl_utc")

    def serve_until(self, state: Callable[[], bool], what: str) -> None:
        end_ns = time.monotonic_ns() + 60 * 10**9
        while not state():
            now_ns = time.monotonic_ns()
            assert now_ns < end_ns, f"{what} did not come; the last failure: {self.role.failure}"
            if now_ns >= self.role.due_ns:
                self.role.tick(now_ns)
            elif select.select([self.role.socket], [], [], (self.role.due_ns - now_ns) / 1e9)[0]:
                self.role.readable()

    def serve_to_status(self, status: Status) -> None:
        self.serve_until(lambda: self.reader.status() is status, status)

    def audit(self, readings: int) -> int:
        """Serve for so many readings; UTC is inside at every turn. Gives the last error."""
        done = self.role.counters.accepted + readings

        def holds() -> bool:
            before_ns = time.time_ns()
            instant = self.reader.now()
            after_ns = time.time_ns()
            assert instant.earliest_ns <= after_ns
            assert before_ns <= instant.latest_ns
            return self.role.counters.accepted >= done

        self.serve_until(holds, f"{readings} readings")
        return self.reader.now().error_ns

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self.role.close()
        self.reader.close()
        self.page.close()


@pytest.fixture
def node(network: Network, tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """A node that follows the network's client, which is free-running."""
    made: list[Node] = []

    def make(clock: Clock | None = None, **settings: Any) -> Node:
        usual = {"address": network.client.address, "slew_ppb": 0}
        chosen = ChronySettings(**{**usual, **settings})
        made.append(Node(tmp_path / f"{len(made)}.page", chosen, clock or MonotonicClock()))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_what_we_read_is_what_chronyc_prints(network: Network) -> None:
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
def test_the_page_holds_the_servers_truth(node: Callable[..., Node], slew_ppb: int) -> None:
    made = node(slew_ppb=slew_ppb)
    made.serve_to_status(Status.SYNCHRONIZED)
    error_ns = made.audit(150)
    assert error_ns < 100_000_000
    assert made.role.filter.contradictions == 0
    assert made.role.filter.steps == 0
    assert made.reader.status() is Status.SYNCHRONIZED


def test_a_delay_on_one_way_only_is_inside_the_bound(
    network: Network, node: Callable[..., Node]
) -> None:
    """No two-way method can see it: the estimate is wrong by half of it, and the bound says so."""
    round_trip_ns = 8_000_000
    (port,) = free_ports(1)
    ways = both_ways(round_trip_ns, asymmetry=1, loss=0.1)
    with Relay(("127.0.0.1", network.port), *ways) as relay:
        daemon = network.start(
            "far", port, "port 0", f"server 127.0.0.1 port {relay.address[1]} iburst {QUICK}"
        )
        made = node(address=daemon.address)
        made.serve_to_status(Status.SYNCHRONIZED)
        made.audit(150)
        assert made.reader.now().error_ns >= round_trip_ns // 2
        assert made.role.filter.contradictions == 0


def test_an_emulated_clock_that_is_far_off_is_set_right(node: Callable[..., Node]) -> None:
    model = ClockModel.emulate(3, "node", time.monotonic_ns(), wander_ppb=1_000)
    made = node(EmulatedClock(model))
    made.serve_to_status(Status.SYNCHRONIZED)
    assert made.audit(100) < 100_000_000


def test_the_unix_socket_serves_too_and_nothing_is_left(
    node: Callable[..., Node], tmp_path: Path
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
    network: Network, node: Callable[..., Node]
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
    network: Network, node: Callable[..., Node]
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
        f"server 127.0.0.1 port {network.port} {QUICK}",
    )
    made.serve_to_status(Status.SYNCHRONIZED)
    made.audit(20)


def test_a_client_without_a_server_is_unsynchronized(
    network: Network, node: Callable[..., Node]
) -> None:
    (lonely,) = free_ports(1)
    daemon = network.start("lonely", lonely, "port 0")
    made = node(address=daemon.address)
    made.serve_until(lambda: made.role.counters.lost >= 3, "its word that it knows nothing")
    assert made.reader.status() is Status.UNSYNCHRONIZED


def test_the_server_itself_is_the_timeline_only_if_it_is_said_to_be(
    network: Network, node: Callable[..., Node]
) -> None:
    lost = node(address=network.server.address)
    lost.serve_until(lambda: lost.role.counters.lost >= 3, "its word that it has no server")
    made = node(address=network.server.address, local_is_truth=True)
    made.serve_to_status(Status.SYNCHRONIZED)
    assert made.audit(50) < 10_000_000


def test_a_port_of_another_protocol_gives_no_time(network: Network) -> None:
    source = ChronySource(
        ChronySettings(address=("127.0.0.1", network.port), timeout_ns=100_000_000)
    )
    with pytest.raises((SourceUnreachableError, SourceRefusedError)):
        source.tracking()
    source.close()
