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

from qot.clock import Clock, EmulatedClock, MonotonicClock
from qot.instant import Status
from qot.page import PageWriter
from qot.sources.chrony import ChronySettings, ChronySource
from qot.sources.errors import SourceUnreachableError
from qot.sources.role import SourceConfig, SourceRole
from qot.timeline import TimelineReader

CHRONYD = shutil.which("chronyd") or shutil.which("chronyd", path="/usr/sbin:/usr/local/sbin")
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

    QUICK = QUICK
    free_ports = staticmethod(free_ports)

    def __init__(self, folder: Path, wait_until: Callable[..., None]) -> None:
        self.folder = folder
        self._wait_until = wait_until
        self._daemons: list[Chronyd] = []

    def begin(self) -> None:
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
            f"bindcmdaddress {self.folder}/chronyd.sock",
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
    if CHRONYD is None:
        pytest.skip("chronyd is not installed (Debian: chrony)")
    made = Network(tmp_path, wait_until)
    try:
        made.begin()
        yield made
    finally:
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
