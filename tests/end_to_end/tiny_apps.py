"""Writes small APP folders, of every dialect."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

COPY = """
from pathlib import Path


def task(files, pathin, pathout):
    for name in [files] if isinstance(files, str) else files:
        (Path(pathout) / name).write_bytes((Path(pathin) / name).read_bytes())
"""
"""A task that hands on what it gets."""


def write_app(
    folder: Path,
    files: Mapping[str, str],
    *,
    inputs: Mapping[str, str] | None = None,
    sample_input: str = "sample_input",
) -> Path:
    """An APP folder with these files (path → text, dedented) and input files."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
    for name, text in (inputs or {}).items():
        path = folder / sample_input / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def numbered_inputs(count: int) -> dict[str, str]:
    """``1.txt`` with "1", ``2.txt`` with "2", and so on: job i gets file i + 1."""
    return {f"{number}.txt": str(number) for number in range(1, count + 1)}
