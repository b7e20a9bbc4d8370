"""The examples of qot/examples, built and run against a real time service."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qot.instant import Status
from qot.service_config import Role

EXAMPLES = Path(__file__).resolve().parents[3] / "qot" / "examples"
LINE = re.compile(
    r"(?P<now>-?\d+) ns  -(?P<early>\d+) \+(?P<late>\d+)  (?P<status>\w+)  "
    r"woke (?P<after>\d+) ns after (?P<target>-?\d+)"
)


@pytest.fixture(params=["py", "c", "cpp"])
def command(request: Any, build: Any) -> list[str]:
    source = EXAMPLES / f"hello_time.{request.param}"
    return [sys.executable, str(source)] if request.param == "py" else [str(build(source))]


def run(command: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)


def test_it_prints_the_time_with_its_uncertainty(cluster: Any, command: list[str]) -> None:
    home = cluster.start("home", Role.REFERENCE)
    cluster.start("node1", reference=home.address)
    reader, truth = cluster.reader("node1"), cluster.clock("home")
    cluster.wait_for_status(reader, Status.SYNCHRONIZED)
    before = truth.now_ns()
    done = run(command, cluster.folder / "node1.page", 20, 3)
    after = truth.now_ns()
    assert done.returncode == 0, done.stderr
    wakes = [LINE.fullmatch(line) for line in done.stdout.splitlines()]
    assert len(wakes) == 3
    last = -(10**15)
    for wake in wakes:
        assert wake is not None
        now, early, late, target = (int(wake[key]) for key in ("now", "early", "late", "target"))
        assert wake["status"] == "synchronized"
        assert before <= now + late
        assert now - early <= after
        assert target % 20_000_000 == 0
        assert last < target <= now
        last = target
    reader.close()


def test_a_page_that_is_not_there_is_said(tmp_path: Path, command: list[str]) -> None:
    done = run(command, tmp_path / "none.page")
    assert done.returncode == 1
    assert "start the time service" in done.stderr
