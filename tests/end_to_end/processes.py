"""Which processes of a run there are, read from /proc, and waiting for them to end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MARKER = "E2E_MARKER"
"""Environment variable that every process below a test's ``jupiter`` inherits."""
LIMIT_S = 30.0


def processes_of(folder: Path) -> dict[int, str]:
    """pid → command line of every living process that was started for runs below ``folder``.

    Told by the inherited environment, by a command line or working folder that names the folder, or
    by an ancestor that is such a process.
    """
    facts = {pid: found for pid in _pids() if (found := _facts(pid)) is not None}
    name = str(folder)
    ours = {
        pid
        for pid, (_, command, environment, cwd) in facts.items()
        if f"{MARKER}={name}" in environment or name in command or cwd.startswith(name)
    }
    ours.discard(os.getpid())
    grown = True
    while grown:
        children = {pid for pid, found in facts.items() if found[0] in ours} - ours
        grown = bool(children)
        ours |= children
    return {pid: facts[pid][1] for pid in sorted(ours)}


def child(parent: int, fragment: str) -> int:
    """The pid of the child of ``parent`` whose command line contains ``fragment``."""
    found = [
        pid
        for pid in _pids()
        if (facts := _facts(pid)) is not None and facts[0] == parent and fragment in facts[1]
    ]
    assert len(found) == 1, f"{parent} has the children {found} with {fragment!r}"
    return found[0]


def parent_of(pid: int) -> int:
    """The pid of a living process's parent."""
    found = _facts(pid)
    assert found is not None, f"{pid} has ended"
    return found[0]


def wait_until_gone(find: Callable[[], dict[int, str]], limit_s: float = LIMIT_S) -> dict[int, str]:
    """Wait until ``find`` finds no process; gives those that are left at the deadline."""
    deadline = time.monotonic() + limit_s
    while True:
        left = find()
        if not left:
            return {}
        for pid in left:
            if not wait_for_end(pid, deadline):
                return find()


def wait_for_end(pid: int, deadline: float) -> bool:
    """Wait until a process has ended; False if it has not by then (CLOCK_MONOTONIC, seconds)."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], max(0.0, deadline - time.monotonic()))[0])
    finally:
        os.close(pidfd)


def kill_all(pids: dict[int, str]) -> None:
    """SIGKILL to each: for the end of a failed test."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _facts(pid: int) -> tuple[int, str, str, str] | None:
    """(parent, command line, environment, working folder); None for a zombie or one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state == "Z":
            return None
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        return int(parent), command, environment, os.readlink(f"/proc/{pid}/cwd")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
