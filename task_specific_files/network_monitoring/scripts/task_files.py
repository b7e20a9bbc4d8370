"""What every task of this app does with its files: names, JSON, and the profiling entry.

A task never learns from a file's name what the file is. The name of the window's input file
travels inside each file as ``input``, the branch as ``slice``; names only follow Jupiter's habit
(``1botnet.ipsum.gz`` → ``1split_0.csv`` → ``1merged_file0.json`` → …), for people to recognise.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ENDINGS = (".gz", ".ipsum", ".csv")
Files = str | list[str]


def as_list(files: Files) -> list[str]:
    """Jupiter hands over a str when NUM_INPUTS is 1 and a list when it is more."""
    return [files] if isinstance(files, str) else list(files)


def output_name(input_name: str, suffix: str) -> str:
    """``("1botnet.ipsum.gz", "split_0.csv")`` → ``"1split_0.csv"``."""
    stem = input_name
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    return stem.removesuffix("botnet") + suffix


def read_json(folder: str, name: str) -> dict[str, Any]:
    """One JSON object from ``folder/name``."""
    data: dict[str, Any] = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
    return data


def write_json(folder: str, name: str, data: dict[str, Any]) -> list[str]:
    """Write one file, the same bytes for the same data; return its path as a task does."""
    path = Path(folder) / name
    path.write_text(json.dumps(data, sort_keys=True) + "\n", encoding="utf-8")
    return [str(path)]


def same_window(reports: list[dict[str, Any]]) -> str:
    """The input name that all reports share. Raises ValueError if windows were mixed up."""
    names = {report["input"] for report in reports}
    if len(names) != 1:
        raise ValueError(f"files of different windows in one call: {', '.join(sorted(names))}")
    return str(names.pop())


def run_on_sample(task: Callable[[Files, str, str], list[str]], *patterns: str) -> list[str]:
    """Call ``task`` once on sample files; what ``main()`` of each module does for a profiler.

    Every pattern contributes its first match in ``generated_files`` or ``sample_input`` (beside the
    scripts or one folder up). Raises FileNotFoundError if an earlier task's files are not there.
    """
    here = Path(__file__).resolve().parent
    roots = [
        base / folder
        for folder in ("generated_files", "sample_input")
        for base in (here, here.parent)
    ]
    folder = next((root for root in roots if all(any(root.glob(p)) for p in patterns)), None)
    if folder is None:
        raise FileNotFoundError(
            f"no {' and '.join(patterns)} in generated_files or sample_input: "
            "run main() of the tasks before this one and move their outputs to generated_files"
        )
    names = [min(path.name for path in folder.glob(pattern)) for pattern in patterns]
    target = tempfile.mkdtemp(prefix="network_monitoring_")
    return task(names[0] if len(names) == 1 else names, str(folder), target)
