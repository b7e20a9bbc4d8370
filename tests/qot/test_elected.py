"""Timelines whose reference is elected: it dies, another takes over, and no interval ever lies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flask", reason="the extra [coordination] is not installed")

from qot.binding import Timeline
from qot.coordination.terms import same_era
from qot.instant import Status
from qot.params import ClockParams
from qot.service_config import Role
from qot.timeline import TimelineReader

NODES = ("a", "b", "c")
KEY = "a-key-for-tests-only"
NAME = "wall"
PROMISED = (Status.SYNCHRONIZED, Status.HOLDOVER)


@dataclass(frozen=True)
class Seen:
    """One sample of one node's page."""

    node: str
    monotonic_ns: int
    epoch: int
    earliest_ns: int
    latest_ns: int
    status: Status


class Elected:
    """A coordinator, three nodes, and a client bound on each."""

    def __init__(self, cluster: Any, folder: Path, stack: ExitStack) -> None:
        self.cluster = cluster
        self.folder = folder
        self._port = 0
        self.start_coordinator()
        stack.callback(self._stop_coordinator)
        self.services: dict[str, Any] = {}
        self.start_nodes()
        self.readers = {}
        for node in NODES:
            stack.enter_context(
                Timeline.bind(NAME, "test", accuracy="4ms", socket=str(folder / f"{node}.sock"))
            )
            (page,) = (folder / f"{node}.pages").glob("*.page")
            self.readers[node] = stack.enter_context(TimelineReader(page, NAME))
        cluster.wait_for(lambda: self.reference() is not None, "a first reference")

    def start_coordinator(self) -> None:
        """Start it, again on the same port and database."""
        self.coordinator = subprocess.Popen(
            [sys.executable, "-m", "qot.coordination", "--port", str(self._port)],
            cwd=self.folder,
            env={**os.environ, "QOT_COORDINATION_KEY": KEY, "PYTHONPATH": os.getcwd()},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.coordinator.stdout is not None
        self.url = self.coordinator.stdout.readline().split()[1].removesuffix("/api/service/")
        self._port = int(self.url.rpartition(":")[2])

    def start_nodes(self) -> None:
        """Start a time service for each node."""
        for node in NODES:
            pages = self.folder / f"{node}.pages"
            pages.mkdir(exist_ok=True)
            self.services[node] = self.cluster.start(
                node,
                Role.ELECTED,
                timeline="",
                page_path="",
                socket_path=str(self.folder / f"{node}.sock"),
                pages_folder=str(pages),
                coordinators=(self.url,),
                coordination_key=KEY,
            )

    def _stop_coordinator(self) -> None:
        self.coordinator.kill()
        self.coordinator.communicate()

    def sample(self, node: str) -> Seen:
        reader = self.readers[node]
        now_ns = time.monotonic_ns()
        instant = reader.at_monotonic(now_ns)
        return Seen(
            node,
            now_ns,
            reader.params().epoch,
            instant.earliest_ns,
            instant.latest_ns,
            instant.status,
        )

    def wait_until_all_follow(self, *nodes: str) -> None:
        """All (or these) are synchronised under the newest epoch."""

        def follow() -> bool:
            newest = max(reader.params().epoch for reader in self.readers.values())
            return all(
                self.readers[node].params().epoch == newest
                and self.readers[node].status() is Status.SYNCHRONIZED
                for node in nodes or NODES
            )

        self.cluster.wait_for(follow, "every node follows")

    def reference(self, than: str = "") -> str | None:
        """The node whose page is exact, another one than that."""
        for node in NODES:
            params = self.readers[node].params()
            fresh = self.readers[node].status() is Status.SYNCHRONIZED
            if node != than and fresh and params.early_ns == params.late_ns == 0 and params.epoch:
                return node
        return None


@pytest.fixture
def elected(cluster: Any, tmp_path: Path) -> Iterator[Elected]:
    with ExitStack() as stack:
        yield Elected(cluster, tmp_path, stack)


class Sampler:
    """Looks at every page until its block ends."""

    def __init__(self, elected: Elected) -> None:
        self.seen: list[Seen] = []
        self._elected = elected
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def wait_for_more(self) -> None:
        count = len(self.seen)
        self._elected.cluster.wait_for(lambda: len(self.seen) > count + 300, "samples")

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.0005):
            self.seen += [self._elected.sample(node) for node in NODES]


def expect_no_lie(elected: Elected, seen: list[Seen], first: str, second: str) -> int:
    """Hold every promise against the truth: the first's clock, then the second's.

    Gives the moment of the change on CLOCK_MONOTONIC.
    """
    new = elected.readers[second].params()
    epoch = own_epoch(elected.readers[second], new.epoch)
    clock = {node: elected.cluster.clock(node) for node in NODES}
    since_ns = clock[second].to_monotonic_ns(min(params.as_of_ns for params in epoch))
    offset_ns = {first: 0, second: new.timeline_ns - new.as_of_ns}

    def truth_ns(at_ns: int) -> int:
        holder = first if at_ns < since_ns else second
        return clock[holder].from_monotonic_ns(at_ns) + offset_ns[holder]

    promised = [each for each in seen if each.status in PROMISED]
    assert [
        (each, truth_ns(each.monotonic_ns))
        for each in promised
        if not each.earliest_ns <= truth_ns(each.monotonic_ns) <= each.latest_ns
    ] == []
    (third,) = {*NODES} - {first, second}
    for node in (second, third):
        assert any(each.node == node and each.monotonic_ns < since_ns for each in promised)
        assert any(each.node == node and each.monotonic_ns > since_ns for each in promised)
    return since_ns


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_reference_is_replaced_and_no_interval_lies(elected: Elected, number: int):
    first = elected.reference()
    assert first is not None
    elected.wait_until_all_follow()
    with Sampler(elected) as sampler:
        sampler.wait_for_more()
        elected.services[first].process.send_signal(number)
        elected.cluster.wait_for(lambda: elected.reference(first) is not None, "another reference")
        second = elected.reference(first)
        assert second is not None
        if number == signal.SIGSTOP:
            elected.services[first].process.send_signal(signal.SIGCONT)
            elected.wait_until_all_follow()
        (third,) = {*NODES} - {first, second}
        elected.wait_until_all_follow(third)
        sampler.wait_for_more()
    expect_no_lie(elected, sampler.seen, first, second)


def test_without_a_coordinator_the_reference_stops_and_goes_on_when_it_is_back(elected: Elected):
    first = elected.reference()
    assert first is not None
    elected.wait_until_all_follow()
    epoch = elected.readers[first].params().epoch
    with Sampler(elected) as sampler:
        elected.coordinator.kill()
        elected.coordinator.communicate()
        elected.cluster.wait_for(lambda: elected.reference() is None, "the reference stops")
        elected.start_coordinator()
        elected.cluster.wait_for(lambda: elected.reference() is not None, "a reference")
        elected.wait_until_all_follow()
        sampler.wait_for_more()
    second = elected.reference()
    assert second is not None
    assert elected.readers[second].params().epoch >= epoch
    if second != first:
        expect_no_lie(elected, sampler.seen, first, second)


def test_when_nobody_is_left_that_knows_the_time_it_begins_anew(elected: Elected):
    first = elected.reference()
    assert first is not None
    epoch = elected.readers[first].params().epoch
    for service in elected.services.values():
        service.process.kill()
        service.process.wait()
    elected.start_nodes()
    elected.cluster.wait_for(
        lambda: any(reader.params().epoch > epoch for reader in elected.readers.values()),
        "a new era",
    )
    elected.wait_until_all_follow()
    assert not same_era(epoch, elected.readers[first].params().epoch)


def own_epoch(reader: TimelineReader, epoch: int) -> list[ClockParams]:
    """What the page of a reference remembers of its epoch."""
    found, at_ns = [], reader.clock.now_ns()
    while (params := reader.params_at(at_ns)).epoch == epoch:
        found.append(params)
        at_ns = params.as_of_ns - 1
    return found
