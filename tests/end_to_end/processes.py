"""Which processes of a run there are, read from /proc, and waiting for them to end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

MARKER = "E2E_MARKER"
"""Environment variable that every process below a test's ``jupiter`` inherits."""
LIMIT_S = 30.0
LOOK_AGAIN_S = 0.005

Found = TypeVar("Found")


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


def children(parent: int, fragment: str) -> set[int]:
    """The pids of the children of ``parent`` whose command line contains ``fragment``."""
    return {
        pid
        for pid in _pids()
        if (facts := _facts(pid)) is not None and facts[0] == parent and fragment in facts[1]
    }


def child(parent: int, fragment: str) -> int:
    """The pid of the one child of ``parent`` whose command line contains ``fragment``."""
    (found,) = children(parent, fragment)
    return found


def new_child(parent: int, fragment: str, known: set[int]) -> int:
    """Wait for a child of ``parent`` that is not among those that are known; its pid."""
    found = eventually(lambda: children(parent, fragment) - known)
    return found.pop()


def eventually(look: Callable[[], Found]) -> Found:
    """Look until something is there. For what tells nobody that it changed, as /proc."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing was found in {LIMIT_S:.0f} s"
        time.sleep(LOOK_AGAIN_S)
    return found


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
            if not wait_for_end(pid, deadline - time.monotonic()):
                return find()


def wait_for_end(pid: int, limit_s: float = LIMIT_S) -> bool:
    """Wait until a process has ended; False if it has not after ``limit_s``."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], max(0.0, limit_s))[0])
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
    """(parent, command line, environment, working folder); None for what has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state == "Z":
            return None
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        return int(parent), command, environment, os.readlink(f"/proc/{pid}/cwd")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
