"""What the user asked for when a run or a plan was started: the command line's words, typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_RUNS = Path("runs")
"""Where run folders go when nothing else is said: below the current folder."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of ``jupiter run`` and ``jupiter plan``. None means: let the settings decide.

    app is the APP folder; nodes a nodes.txt; config a jupiter_config.py; mapping a placement JSON
    that replaces the scheduler's. jobs is how many jobs to stream, whatever the number of input
    files; seed decides every random choice, emulated clocks included.
    """

    app: Path
    nodes: Path | None = None
    config: Path | None = None
    scheduler: str | None = None
    mapping: Path | None = None
    jobs: int | None = None
    seed: int | None = None
    runs: Path = DEFAULT_RUNS
