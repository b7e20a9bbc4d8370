"""What the user asked for when a run or a plan was started: the command line's words, typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONFIG_NAME = "jupiter_config.py"
"""The settings file that is used when it lies in the current folder and none is named."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of ``jupiter run`` and ``jupiter plan``. None means: let the settings decide.

    app is the APP folder; nodes a nodes.txt; config a jupiter_config.py; mapping a placement JSON
    that replaces the scheduler's. jobs is how many jobs to stream, whatever the number of input
    files; seed decides every random choice, emulated clocks included; runs is where the run folder
    is made.
    """

    app: Path
    nodes: Path | None = None
    config: Path | None = None
    scheduler: str | None = None
    mapping: Path | None = None
    jobs: int | None = None
    seed: int | None = None
    runs: Path | None = None


def find_config(path: Path | None) -> Path | None:
    """The settings file to use: the one that was named, else ``./jupiter_config.py``, else none."""
    if path is None and Path(CONFIG_NAME).is_file():
        return Path(CONFIG_NAME)
    return path
