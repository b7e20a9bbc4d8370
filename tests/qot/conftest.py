"""A timeline of real time services, and pages that a test writes itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qot.clock import ClockModel, EmulatedClock
from qot.instant import Status
from qot.page import PageWriter
from qot.params import ClockParams
from qot.service_config import Role, ServiceConfig
from qot.timeline import TimelineReader

DEADLINE_S = 30


class Service:
    """A time service process."""

    def __init__(self, config: ServiceConfig | str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qot.service_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.send(config if isinstance(config, str) else config.to_json())
        self.ready = self.receive()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.ready["udp_port"]

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def end(self) -> int:
        """Close its stdin; gives its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        return code


class Cluster:
    """One reference, any number of followers, each with an emulated clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epoch_ns = time.monotonic_ns()
        self.key = os.urandom(16)
        self.services: list[Service] = []

    def model(self, node: str) -> ClockModel:
        return ClockModel.emulate(11, node, self.epoch_ns, wander_ppb=5_000)

    def config(self, node: str, role: Role = Role.FOLLOWER, **settings: Any) -> ServiceConfig:
        config = ServiceConfig(
            node=node,
            timeline="wall",
            role=role,
            key_hex=self.key.hex(),
            page_path=str(self.folder / f"{node}.page"),
            clock=self.model(node),
            period_ns=50_000_000,
        )
        return replace(config, **settings)

    def start(self, node: str, role: Role = Role.FOLLOWER, **settings: Any) -> Service:
        service = Service(self.config(node, role, **settings))
        self.services.append(service)
        return service

    def clock(self, node: str) -> EmulatedClock:
        return EmulatedClock(self.model(node))

    def reader(self, node: str) -> TimelineReader:
        return TimelineReader(self.folder / f"{node}.page", "wall")

    def wait_for(self, state: Callable[[], bool], what: str) -> None:
        """Poll until ``state()`` holds; fails after a deadline that only a bug reaches."""
        end = time.monotonic() + DEADLINE_S
        while not state():
            assert time.monotonic() < end, f"{what} did not come within {DEADLINE_S} s"
            time.sleep(0.002)

    def wait_for_status(self, reader: TimelineReader, status: Status) -> None:
        self.wait_for(lambda: reader.status() is status, status)

    def stop(self) -> None:
        for service in self.services:
            if service.process.poll() is None:
                service.process.kill()
            service.process.wait()
            for pipe in (service.process.stdin, service.process.stdout):
                assert pipe is not None
                pipe.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.stop()


class OwnPage:
    """A page that the test writes, on CLOCK_MONOTONIC."""

    def __init__(self, path: Path) -> None:
        self.writer = PageWriter(path, "wall")
        self.write(0)
        self.reader = TimelineReader(path, "wall")

    def write(self, offset_ns: int, *, error_ns: int = 0, **settings: Any) -> None:
        """Timeline = CLOCK_MONOTONIC + offset, ± error."""
        now_ns = time.monotonic_ns()
        params = ClockParams(
            Status.SYNCHRONIZED,
            as_of_ns=now_ns,
            timeline_ns=now_ns + offset_ns,
            early_ns=error_ns,
            late_ns=error_ns,
            fresh_until_ns=now_ns + 10**12,
            void_after_ns=now_ns + 10**12,
        )
        self.writer.write(replace(params, **settings))

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


@pytest.fixture
def own_page(tmp_path: Path) -> Iterator[OwnPage]:
    made = OwnPage(tmp_path / "own.page")
    yield made
    made.close()
