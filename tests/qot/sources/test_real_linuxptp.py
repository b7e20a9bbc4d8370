"""Real ptp4l: a grandmaster and a free-running follower, over a cable of a namespace of its own.

Both read the same CLOCK_REALTIME and neither touches it, so that the truth is known: UTC on the
page is CLOCK_REALTIME.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from qot.clock import MonotonicClock
from qot.instant import Status
from qot.page import PageWriter
from qot.sources.errors import SourceError, SourceUnreachableError
from qot.sources.linuxptp import LinuxptpSettings, LinuxptpSource
from qot.sources.role import SourceConfig, SourceRole
from qot.timeline import TimelineReader

SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
MISSING = [
    program
    for program in ("ptp4l", "pmc", "ip", "unshare", "nsenter")
    if shutil.which(program, path=SBIN) is None
]
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"{', '.join(MISSING)} not installed (Debian: linuxptp, iproute2, util-linux)",
)

CONFIG = """\
[global]
time_stamping software
network_transport L2
free_running 1
logSyncInterval -4
logMinDelayReqInterval -4
logAnnounceInterval -2
slaveOnly {follower}
priority1 {priority}
uds_address {socket}
"""
LINK = (
    "ip link add q0 type veth peer name q1 && ip link set q0 up && ip link set q1 up "
    "&& echo ready && exec cat"
)


class Network:
    """A network namespace with a cable of two ends, and a ptp4l on each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        self._root = os.geteuid() == 0
        user = [] if self._root else ["--map-root-user"]
        self.namespace = self._run(["unshare", *user, "--net", "sh", "-c", LINK], pipes=True)
        assert self.namespace.stdout is not None
        if self.namespace.stdout.readline() != b"ready\n":
            self.stop()
            pytest.skip("no network namespace with a veth pair is permitted here")
        self.master = self.start("master", "q0")
        self.follower = self.start("follower", "q1")

    def start(self, name: str, interface: str) -> subprocess.Popen[bytes]:
        """A ptp4l at one end of the cable."""
        follower = name != "master"
        config = self.folder / f"{name}.cfg"
        config.write_text(
            CONFIG.format(
                follower=int(follower), priority=200 if follower else 1, socket=self.address(name)
            )
        )
        enter = ["nsenter", "-t", str(self.namespace.pid), "-n"]
        if not self._root:
            enter += ["-U", "--preserve-credentials"]
        return self._run([*enter, "ptp4l", "-f", str(config), "-i", interface, "-m"], name)

    def address(self, name: str) -> Path:
        return self.folder / f"{name}.sock"

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-500:]

    def _run(
        self, command: list[str], name: str = "namespace", *, pipes: bool = False
    ) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("ab")
        self._logs.append(log)
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else log,
            stderr=log,
            env={**os.environ, "PATH": SBIN},
        )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        for log in self._logs:
            log.close()


@pytest.fixture
def network(tmp_path: Path, wait_until: Callable[..., None]) -> Iterator[Network]:
    made = Network(tmp_path)
    source = LinuxptpSource(LinuxptpSettings(uds_address=made.address("follower")))

    def answers() -> bool:
        for name, process in (("master", made.master), ("follower", made.follower)):
            if process.poll() is not None:
                pytest.skip(f"ptp4l does not run here: {made.log(name)}")
        try:
            source.status()
        except SourceError:
            return False
        return True

    try:
        wait_until(answers, "an answer of ptp4l")
        yield made
    finally:
        made.stop()


class Node:
    """A role that follows a real ptp4l, driven as the time service drives it."""

    def __init__(self, path: Path, settings: LinuxptpSettings) -> None:
        self.page = PageWriter(path, "gl_utc")
        config = SourceConfig(period_ns=150_000_000)
        self.role = SourceRole(config, LinuxptpSource(settings), MonotonicClock(), self.page)
        self.reader = TimelineReader(path, "gl_utc")

    def serve_until(self, state: Callable[[], bool], what: str) -> None:
        end_ns = time.monotonic_ns() + 90 * 10**9
        while not state():
            now_ns = time.monotonic_ns()
            assert now_ns < end_ns, f"{what} did not come; the last failure: {self.role.failure}"
            if now_ns >= self.role.due_ns:
                self.role.tick(now_ns)
            elif select.select([self.role.socket], [], [], (self.role.due_ns - now_ns) / 1e9)[0]:
                self.role.readable()

    def holds(self) -> None:
        """UTC is inside."""
        before_ns = time.time_ns()
        instant = self.reader.now()
        after_ns = time.time_ns()
        assert instant.promised
        assert instant.earliest_ns <= after_ns
        assert before_ns <= instant.latest_ns

    def close(self) -> None:
        self.role.close()
        self.reader.close()
        self.page.close()


@pytest.fixture
def node(network: Network, tmp_path: Path) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(name: str = "follower", *, local_is_truth: bool = False) -> Node:
        settings = LinuxptpSettings(
            uds_address=network.address(name), slew_ppb=0, local_is_truth=local_is_truth
        )
        made.append(Node(tmp_path / f"{name}.page", settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_page_holds_the_masters_truth_and_is_holdover_when_it_dies(
    network: Network, node: Callable[..., Node]
) -> None:
    made = node()
    assert made.reader.status() is Status.UNSYNCHRONIZED
    made.serve_until(lambda: made.reader.status() is Status.SYNCHRONIZED, "synchronized")
    enough = made.role.counters.accepted + 12

    def audited() -> bool:
        made.holds()
        return made.role.counters.accepted >= enough

    made.serve_until(audited, "12 readings")
    assert made.reader.now().error_ns < 200_000_000
    assert made.role.filter.contradictions == 0

    network.master.kill()
    made.serve_until(lambda: made.role.counters.stale > 0, "its word that there is no master")
    made.serve_until(lambda: made.reader.status() is Status.HOLDOVER, "holdover")
    made.holds()

    network.follower.kill()
    made.serve_until(lambda: made.role.failure is not None, "the end of ptp4l")
    assert isinstance(made.role.failure, SourceUnreachableError)
    made.holds()


def test_the_grandmaster_is_the_timeline_if_it_is_said_to_be(node: Callable[..., Node]) -> None:
    made = node("master", local_is_truth=True)
    made.serve_until(lambda: made.role.counters.accepted >= 5, "5 readings")
    made.holds()
    assert made.reader.now().error_ns < 200_000_000


def test_without_such_a_word_a_grandmaster_has_no_time(node: Callable[..., Node]) -> None:
    made = node("master")
    made.serve_until(lambda: made.role.counters.stale >= 3, "3 answers")
    assert made.reader.status() is Status.UNSYNCHRONIZED
