"""The failures of a run as a person reads them: alike ones together, tracebacks cut to the task."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from orchestrator.failure_kinds import Kind, kind_of
from orchestrator.text_parts import bullet, cut_note, heading, shorten, unbroken

MOST_FAILURES = 6
MOST_STDERR_LINES = 8
MOST_NAMED_JOBS = 3
MOST_NAMED_KINDS = 3

_FRAME = re.compile(r'  File "(?P<file>.+)", line \d+, in .+')

Failure = Mapping[str, Any]
"""An entry of ``failures`` of the report."""


def failure_text(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Failed jobs, then calls that failed and were tried again; nothing when there are none."""
    groups = alike(report["failures"])
    if groups:
        yield heading("Failed jobs")
    for group in groups[:MOST_FAILURES]:
        yield from _group(group, report)
    yield from cut_note(len(groups) - MOST_FAILURES, "kinds of failures")
    retried = [group for group in report["failed_calls"] if group["retried"]]
    if retried:
        yield heading("Retried calls")
    for group in retried[:MOST_FAILURES]:
        words = Text(f"{group['task']}: {group['reason']}")
        yield bullet("↻", "yellow", words.append(f"  × {group['retried']}", style="dim"))
    yield from cut_note(len(retried) - MOST_FAILURES, "reasons")


def in_short(report: Mapping[str, Any]) -> str:
    """Why a run did not succeed and where to read more, on one line."""
    jobs = report["jobs"]
    expected = jobs["expected"] or jobs["released"]
    if not report["failures"]:
        short = f"{jobs['done']} of {expected} jobs done"
    else:
        kinds = alike(report["failures"])
        named = [f"{kind[0]['task']}: {kind[0]['reason']} × {len(kind)}" for kind in kinds]
        if len(kinds) > MOST_NAMED_KINDS:
            named[MOST_NAMED_KINDS:] = [f"and {len(kinds) - MOST_NAMED_KINDS} more kinds"]
        short = f"{jobs['failed']} of {expected} jobs failed: {'; '.join(named)}"
    return " ".join(short.split()) + f"; more: jupiter report {shorten(report['folder'])}"


def alike(failures: Sequence[Failure]) -> list[list[Failure]]:
    """Failures of one kind together, the most frequent kind first."""
    groups: dict[Kind, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(kind_of(failure["task"], failure["reason"]), []).append(failure)
    return sorted(groups.values(), key=len, reverse=True)


def _group(group: Sequence[Failure], report: Mapping[str, Any]) -> Iterator[RenderableType]:
    first = group[0]
    nodes = sorted({failure["node"] for failure in group if failure["node"]})
    where = f"{first['task']} on {', '.join(nodes)}" if nodes else first["task"]
    jobs = ", ".join(failure["job"] for failure in group[:MOST_NAMED_JOBS])
    more = ", …" if len(group) > MOST_NAMED_JOBS else ""
    words = Text(f"{where}: {first['reason']}")
    count = f"× {len(group)}: " if len(group) > 1 else ""
    yield bullet("✗", "red", words.append(f"  {count}{jobs}{more}", style="dim"))
    roots = (Path(report["folder"]), Path(report["app"]["folder"]).absolute())
    tail = trim(first["stderr_tail"], roots, first["reason"])[-MOST_STDERR_LINES:]
    if tail:
        yield Padding(Text("\n".join(tail), style="dim"), (0, 0, 0, 6))
    if first["dead_letter"]:
        yield unbroken(f"      inputs of {first['job']}: {shorten(first['dead_letter'])}", "dim")


def trim(stderr: str, roots: Sequence[Path], reason: str) -> list[str]:
    """The lines of a task's stderr without its reason, and without the frames of other code.

    A frame is the task's own if its file is below one of ``roots``; if none is, all are kept.
    """
    lines = stderr.strip().splitlines()
    if lines and lines[-1] == reason:
        lines.pop()
    if not any(_is_own(line, roots) for line in lines):
        return [] if lines == ["Traceback (most recent call last):"] else lines
    kept = []
    inside = own = False
    for line in lines:
        if _FRAME.fullmatch(line):
            inside, own = True, _is_own(line, roots)
        elif not line.startswith("    "):
            inside = False
        if own or not inside:
            kept.append(_shown(line))
    return kept


def _is_own(line: str, roots: Sequence[Path]) -> bool:
    frame = _FRAME.fullmatch(line)
    return frame is not None and any(Path(frame["file"]).is_relative_to(root) for root in roots)


def _shown(line: str) -> str:
    """A frame's line without the folder that the run keeps the script in."""
    frame = _FRAME.fullmatch(line)
    return line if frame is None else line.replace(frame["file"], Path(frame["file"]).name)
