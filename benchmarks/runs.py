"""What the benchmarks share: make an app folder, run it as a user would, read its events."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupiter.events import AnyEvent
from jupiter.run_folder import open_run


@dataclass(frozen=True, slots=True)
class Measured:
    """One ``jupiter run``: when it was started (CLOCK_MONOTONIC ns) and what it logged."""

    begun_ns: int
    wall_s: float
    folder: Path
    events: list[AnyEvent]


def write_nodes(path: Path, count: int) -> Path:
    """A nodes.txt with home and ``count`` local nodes."""
    names = ["home", *(f"node{number}" for number in range(1, count + 1))]
    path.write_text("".join(f"{name} localhost\n" for name in names))
    return path


def run_jupiter(
    app: Path, runs: Path, nodes: Path, *options: str, window: int | None = None
) -> Measured:
    """``jupiter run`` in a process of its own. Raises CalledProcessError when a job fails."""
    environment = dict(os.environ)
    if window is not None:
        environment["JUPITER_WINDOW"] = str(window)
    command = [sys.executable, "-m", "orchestrator.cli", "run", str(app), "--quiet"]
    command += ["--runs", str(runs), "--nodes", str(nodes), *options]
    begun_ns = time.monotonic_ns()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall_s = (time.monotonic_ns() - begun_ns) / 1e9
    run = open_run(runs, "latest")
    return Measured(begun_ns, wall_s, run.path, run.read_log().events)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
