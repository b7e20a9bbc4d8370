"""How late a wait on a timeline wakes up, beside cyclictest of the same policy in the same run.

    python benchmarks/wake_ups.py [--wakes 2000] [--rounds 7]

Each round measures, one after the other and at 1 ms: ``wait_until`` in a thread that
``prepare_thread`` prepared, cyclictest as it is (a normal process has 50 µs of timer slack), and
cyclictest that inherits our 1 ns of it. Then the same with SCHED_FIFO, if it is granted. "ours" is
stamped where the sleep has ended, as cyclictest does; "ours_returned" when the caller has it. All
figures are medians over the rounds of each round's p50 and p99, so that a burst of other load hits
all three alike. Ratios are ours over cyclictest's; the bar is 1.5 at p50 and p99.

Needs ``cyclictest`` (Debian: rt-tests); without it our own figures are printed, and why the ratios
are not. Prints one JSON line. Quiet machine: run it with nothing else going on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from statistics import median

from runs import percentile

from qot.clock import monotonic_ns
from qot.instant import Status
from qot.realtime import Grant, prepare_thread
from qot.service_config import Role, ServiceConfig
from qot.timeline import TimelineReader
from qot.wait import wait_until

PERIOD_NS = 1_000_000
FIFO_PRIORITY = 80
BAR = 1.5
_DEEPEST_US = 200_000
_START_S = 30


def our_latencies(
    reader: TimelineReader, wakes: int, fifo: int
) -> tuple[Grant, list[int], list[int]]:
    """What the system granted; how late each wake-up was and how late its caller had it, in ns."""
    result: list[tuple[Grant, list[int], list[int]]] = []

    def run() -> None:
        grant = prepare_thread(fifo)
        woken: list[int] = []
        returned: list[int] = []
        target_ns = reader.now().estimate_ns
        for _ in range(wakes):
            target_ns += PERIOD_NS
            wake = wait_until(reader, target_ns, spin=grant.fifo)
            assert wake is not None
            # The reference's core clock is the timeline and CLOCK_MONOTONIC: nothing is estimated.
            returned.append(monotonic_ns() - target_ns)
            woken.append(wake.monotonic_ns - target_ns)
            target_ns = max(target_ns, monotonic_ns() - PERIOD_NS)
        result.append((grant, woken, returned))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


def cyclictest_latencies(wakes: int, fifo: int, *, our_slack: bool) -> list[int]:
    """The same by cyclictest, in ns. Raises CalledProcessError when it is not permitted."""
    policy = [f"--priority={fifo}", "--policy=fifo"] if fifo else ["--policy=other"]
    command = ["cyclictest", "-t1", "-i1000", f"-l{wakes}", "-q", f"-h{_DEEPEST_US}", *policy]
    command.append("--default-system")
    done: list[subprocess.CompletedProcess[str]] = []

    def run() -> None:
        if our_slack:
            prepare_thread()  # A child inherits the slack of the thread that starts it.
        done.append(subprocess.run(command, capture_output=True, text=True, check=False))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    done[0].check_returncode()
    late: list[int] = []
    for line in done[0].stdout.splitlines():
        if line and not line.startswith("#"):
            at_us, count = line.split()
            late += [int(at_us) * 1_000] * int(count)
    return late


def measure(reader: TimelineReader, wakes: int, rounds: int, fifo: int) -> dict[str, object]:
    """Figures of one policy, in µs, and the ratios."""
    kinds: dict[str, list[list[int]]] = {"ours": [], "ours_returned": []}
    peers = {"cyclictest": False, "cyclictest_1ns_slack": True}
    if fifo:
        del peers["cyclictest_1ns_slack"]  # A FIFO thread has no slack.
    why_not = "" if shutil.which("cyclictest") else "no cyclictest here: install rt-tests"
    grant = None
    for _ in range(rounds):
        grant, woken, returned = our_latencies(reader, wakes, fifo)
        kinds["ours"].append(woken)
        kinds["ours_returned"].append(returned)
        for name, our_slack in peers.items():
            if why_not:
                break
            try:
                late = cyclictest_latencies(wakes, fifo, our_slack=our_slack)
            except subprocess.CalledProcessError as error:
                why_not = f"cyclictest failed: {error.stderr.strip()[-200:]}"
                break
            kinds.setdefault(name, []).append(late)
    assert grant is not None
    found: dict[str, object] = {"granted": asdict(grant)}
    for name, runs in kinds.items():
        for share in (0.5, 0.99):
            found[f"{name}_p{share * 100:.0f}_us"] = round(
                median(percentile(run, share) for run in runs) / 1e3, 1
            )
        found[f"{name}_max_us"] = round(max(max(run) for run in runs) / 1e3, 1)
    if why_not:
        found["no_ratios_because"] = why_not
        return found
    for name in peers:
        for share in ("p50", "p99"):
            ours, theirs = found[f"ours_{share}_us"], found[f"{name}_{share}_us"]
            assert isinstance(ours, float)
            assert isinstance(theirs, float)
            found[f"ratio_{share}_to_{name}"] = round(ours / max(1.0, theirs), 2)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wakes", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page"
        config = ServiceConfig(
            node="home",
            timeline="wall",
            role=Role.REFERENCE,
            key_hex="00" * 16,
            page_path=str(page),
        )
        with subprocess.Popen(
            [sys.executable, "-m", "qot.service_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as service:
            assert service.stdin is not None
            assert service.stdout is not None
            service.stdin.write(config.to_json().encode() + b"\n")
            service.stdin.flush()
            service.stdout.readline()
            with TimelineReader(page, "wall") as reader:
                end_ns = monotonic_ns() + _START_S * 10**9
                while reader.status() is not Status.SYNCHRONIZED and monotonic_ns() < end_ns:
                    pass
                if reader.status() is not Status.SYNCHRONIZED:
                    raise SystemExit(f"the time service gave no time within {_START_S} s")
                figures: dict[str, object] = {"bar": BAR}
                for policy, fifo in (("other", 0), ("fifo", FIFO_PRIORITY)):
                    figures[policy] = measure(reader, arguments.wakes, arguments.rounds, fifo)
            service.stdin.close()
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
