"""What it costs to read the time with its bounds, from Python and from C.

    python benchmarks/clock_reads.py [--rounds 1000]

All are read in turn, in one run, and the best round counts: ``time.monotonic_ns()``, the native
reader's ``now()`` (thrown away, as after a comparison, and kept in a list beside a list of plain
readings), the pure-Python ``now()``; ``clock_gettime`` and ``qot_now`` in a C program. The page is
renewed every few milliseconds, as a busy time service would. Without a compiler only pure Python is
measured, the rest is null. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

from compile import build, compiler, use_native

from qot.clock import ClockModel
from qot.instant import Status
from qot.page import PageWriter
from qot.params import ClockParams
from qot.timeline import TimelineReader

CALLS = 500


def renew(writer: PageWriter, core_ns: int) -> None:
    """Publish what a follower of a quiet link would."""
    writer.write(
        ClockParams(
            Status.SYNCHRONIZED,
            as_of_ns=core_ns,
            timeline_ns=10**18 + core_ns,
            rate_ppb=12_345,
            early_ns=45_678,
            late_ns=56_789,
            early_growth_ppb=112_345,
            late_growth_ppb=87_655,
            sigma_ns=3_000,
            sigma_growth_ppb=900,
            fresh_until_ns=core_ns + 10**15,
            void_after_ns=core_ns + 10**15,
        )
    )


def thrown_away(call: Callable[[], object]) -> float:
    """ns per call."""
    begin = time.perf_counter_ns()
    for _ in repeat(None, CALLS):
        call()
    return (time.perf_counter_ns() - begin) / CALLS


def kept(call: Callable[[], object]) -> float:
    """ns per call whose result stays."""
    begin = time.perf_counter_ns()
    results = [call() for _ in repeat(None, CALLS)]
    taken = time.perf_counter_ns() - begin
    assert len(results) == CALLS
    return taken / CALLS


def measure(path: Path, model: ClockModel | None, rounds: int, native: bool) -> dict[str, float]:
    """Best ns of each way to read."""
    best: dict[str, float] = {}
    writer = PageWriter(path, "bench", model)
    renew(writer, 0)
    with TimelineReader(path) as quick, TimelineReader(path, native=False) as slow:
        ways = {"monotonic": (thrown_away, time.monotonic_ns), "pure": (thrown_away, slow.now)}
        if native:
            ways |= {
                "native": (thrown_away, quick.now),
                "monotonic_kept": (kept, time.monotonic_ns),
                "native_kept": (kept, quick.now),
            }
        for _ in range(rounds):
            for name, (way, call) in ways.items():
                renew(writer, slow.clock.now_ns())
                best[name] = min(best.get(name, 1e9), way(call))
    writer.close()
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native = compiler() is not None
        if native:
            use_native(folder)
        model = ClockModel.emulate(1, "bench", time.monotonic_ns(), wander_ppb=5_000)
        plain = measure(folder / "plain.page", None, rounds, native)
        emulated = measure(folder / "emulated.page", model, rounds, native)
        c: dict[str, float] = {}
        if native:
            program = build(Path(__file__).with_suffix(".c"), folder)
            command = [str(program), str(folder / "plain.page"), str(rounds)]
            c = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    found = {
        "monotonic_ns_ns": plain["monotonic"],
        "python_native_ns": plain.get("native"),
        "python_native_ratio": _ratio(plain, "native", "monotonic"),
        "python_native_kept_ratio": _ratio(plain, "native_kept", "monotonic_kept"),
        "python_native_emulated_ratio": _ratio(emulated, "native", "monotonic"),
        "pure_python_ns": plain["pure"],
        "pure_python_emulated_ns": emulated["pure"],
        "clock_gettime_ns": c.get("clock_gettime_ns"),
        "c_ns": c.get("c_ns"),
        "c_ratio": _ratio(c, "c_ns", "clock_gettime_ns"),
    }
    print(json.dumps({name: value and round(value, 2) for name, value in found.items()}))


def _ratio(figures: dict[str, float], name: str, base: str) -> float | None:
    return figures[name] / figures[base] if name in figures else None


if __name__ == "__main__":
    main()
