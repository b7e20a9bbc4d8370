"""How long until a timeline has another reference after its own was killed, and was anybody wrong?

    python benchmarks/fail_over.py [--nodes 5] [--rounds 5]

A coordinator (SQLite) and a time service per node, each on an emulated clock of its own. In each
round the reference is killed with SIGKILL and started again later. Every page is sampled all the
time and held against the truth: what the reference's clock showed, until its successor's first
word, and that one's from then on. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from qot.binding import Timeline
from qot.clock import ClockModel
from qot.instant import Instant
from qot.service_config import Role, ServiceConfig
from qot.timeline import TimelineReader

NAME = "wall"
DEADLINE_S = 60.0


class Node:
    """One time service, and a client bound at it."""

    def __init__(self, name: str, folder: Path, urls: tuple[str, ...], key: str) -> None:
        self.name, self.folder = name, folder / name
        (self.folder / "pages").mkdir(parents=True)
        self.config = ServiceConfig(
            node=name,
            timeline="",
            role=Role.ELECTED,
            key_hex=key,
            page_path="",
            clock=ClockModel.emulate(7, name, time.monotonic_ns()),
            socket_path=str(self.folder / "qot.sock"),
            pages_folder=str(self.folder / "pages"),
            coordinators=urls,
            coordination_key=key,
        )
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qot.service_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(self.config.to_json().encode() + b"\n")
        self.process.stdin.flush()
        assert json.loads(self.process.stdout.readline())["ready"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def open(self, stack: ExitStack) -> None:
        """Bind, and read the page by ourselves."""
        stack.enter_context(
            Timeline.bind(NAME, "benchmark", accuracy="4ms", socket=self.config.socket_path)
        )
        self.look(stack)

    def look(self, stack: ExitStack) -> None:
        """Read the page; again after a restart of the service, which makes a new one."""
        (page,) = (self.folder / "pages").glob("*.page")
        self.reader = stack.enter_context(TimelineReader(page, NAME))

    @property
    def reigns(self) -> bool:
        params = self.reader.params()
        return params.early_ns == params.late_ns == 0 and self.reader.now().promised


Sample = tuple[str, int, Instant]


def sample_all(nodes: list[Node], samples: list[Sample], done: threading.Event) -> None:
    while not done.wait(0.0005):
        for node in nodes:
            at_ns = time.monotonic_ns()
            samples.append((node.name, at_ns, node.reader.at_monotonic(at_ns)))


def wait_for_reference(nodes: list[Node], epoch: int) -> tuple[Node, int]:
    """The node that reigns under a later epoch than that, and when it was seen to."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        for node in nodes:
            if node.reigns and node.reader.params().epoch > epoch:
                return node, time.monotonic_ns()
        time.sleep(0.001)
    raise TimeoutError("no node became the reference")


def wait_for_page(node: Node, stack: ExitStack) -> None:
    """The client has bound again at the restarted service."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        node.look(stack)
        if node.reader.now().promised:
            return
        time.sleep(0.01)
    raise TimeoutError(f"{node.name} did not come back")


def wait_until_all_follow(nodes: list[Node], epoch: int) -> None:
    end = time.monotonic() + DEADLINE_S
    while not all(n.reader.params().epoch == epoch and n.reader.now().promised for n in nodes):
        if time.monotonic() > end:
            raise TimeoutError("not every node follows")
        time.sleep(0.01)


def begin_of(node: Node, epoch: int) -> int:
    """CLOCK_MONOTONIC of the first word of a reference under its epoch."""
    at_ns = node.reader.clock.now_ns()
    begin_ns = at_ns
    while (params := node.reader.params_at(at_ns)).epoch == epoch:
        begin_ns, at_ns = params.as_of_ns, params.as_of_ns - 1
    return node.reader.clock.to_monotonic_ns(begin_ns)


def measure(count: int, rounds: int, folder: Path, stack: ExitStack) -> dict[str, object]:
    key = secrets.token_hex(16)
    coordinator = subprocess.Popen(
        [sys.executable, "-m", "qot.coordination", "--port", "0"],
        cwd=folder,
        env={**os.environ, "QOT_COORDINATION_KEY": key, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(coordinator.communicate)
    stack.callback(coordinator.kill)
    assert coordinator.stdout is not None
    url = coordinator.stdout.readline().split()[1].removesuffix("/api/service/")
    nodes = [Node(f"node{number}", folder, (url,), key) for number in range(1, count + 1)]
    stack.callback(lambda: [node.kill() for node in nodes])
    for node in nodes:
        node.open(stack)
    reference, _ = wait_for_reference(nodes, 0)
    took_s, judged, outside = [], 0, 0
    for _ in range(rounds):
        epoch = reference.reader.params().epoch
        wait_until_all_follow(nodes, epoch)
        before = reference.reader.params()
        samples: list[Sample] = []
        done = threading.Event()
        sampler = threading.Thread(target=sample_all, args=(nodes, samples, done))
        sampler.start()
        killed_ns = time.monotonic_ns()
        reference.kill()
        others = [node for node in nodes if node is not reference]
        successor, seen_ns = wait_for_reference(others, epoch)
        took_s.append((seen_ns - killed_ns) / 1e9)
        after = successor.reader.params()
        wait_until_all_follow(others, after.epoch)
        done.set()
        sampler.join()
        since_ns = begin_of(successor, after.epoch)
        for _, at_ns, instant in samples:
            holder, params = (reference, before) if at_ns < since_ns else (successor, after)
            truth_ns = holder.reader.clock.from_monotonic_ns(at_ns)
            truth_ns += params.timeline_ns - params.as_of_ns
            judged += instant.promised
            outside += instant.promised and not instant.contains(truth_ns)
        reference.start()
        wait_for_page(reference, stack)
        reference = successor
        wait_until_all_follow(nodes, after.epoch)
    return {
        "nodes": count,
        "rounds": rounds,
        "fail_over_s_median": round(sorted(took_s)[len(took_s) // 2], 2),
        "fail_over_s_worst": round(max(took_s), 2),
        "samples": judged,
        "outside": outside,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        print(json.dumps(measure(options.nodes, options.rounds, Path(folder), stack)))


if __name__ == "__main__":
    main()
