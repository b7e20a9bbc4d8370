"""Linux process handling for the child side: ties to the parent, leftovers, words for an exit.

Standard library alone, because every task process carries this module. Every function acts on the
calling process and must be called from its main thread.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Container

CLEAN_EXIT = 113
"""Exit code by which a task process tells the zygote that it ended in order and swept itself.

Spares the zygote a scan of /proc per task when a node stops. No code of Python's or a shell's.
"""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with_parent(parent: int) -> None:
    """Get SIGKILL when the parent dies, and at once if it is already dead. parent: its pid."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def outlive_parent() -> None:
    """Undo :func:`die_with_parent`, for a process that watches its parent and tidies up itself."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (a "child subreaper")."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """The pids of all children, those of every thread and zombies included.

    By a scan of /proc: ``/proc/<pid>/task/<tid>/children`` is not in every kernel and may be
    incomplete while children come and go.
    """
    me = os.getpid()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                stat = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended since the folder was listed
        # The command in parentheses may itself contain spaces and parentheses.
        if int(stat[stat.rindex(b")") + 2 :].split(None, 2)[1]) == me:
            found.append(int(entry))
    return found


def sweep(keep: Container[int] = ()) -> int:
    """Kill and reap every descendant that is not below a child in ``keep``; return how many.

    Works because the caller adopts orphans: what a killed process leaves behind becomes a child
    and is met in the next round. Blocks for the time the kernel needs to end a killed process.
    """
    swept = 0
    while True:
        unwanted = [pid for pid in children() if pid not in keep]
        if not unwanted:
            return swept
        for pid in unwanted:
            os.kill(pid, signal.SIGKILL)
        for pid in unwanted:
            os.waitpid(pid, 0)
        swept += len(unwanted)


def has_children() -> bool:
    """Whether there is any child, zombies included; costs one system call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def sweep_all_if_any() -> int:
    """Like ``sweep()``, but next to free when no child runs; reaps those that have ended."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid == 0:
            return sweep()


def signal_group(child: int, signum: int) -> None:
    """Signal a child that is not yet reaped, and the process group that it leads, if it does."""
    try:
        os.killpg(child, signum)
    except ProcessLookupError:  # it was forked this moment and leads no group yet
        os.kill(child, signum)


def exit_code(status: int) -> int:
    """A wait status as an exit code; negative for a signal, as ``subprocess`` has it."""
    return os.waitstatus_to_exitcode(status)


def describe_exit(code: int) -> str:
    """``"exit code 3"``, ``"killed by SIGSEGV"``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}"


def limit_memory(extra_bytes: int | None) -> None:
    """Let this process map at most ``extra_bytes`` beyond what it has mapped now (RLIMIT_AS).

    Counting from now makes the limit a statement about the task, not about how much address space
    an interpreter and its libraries take.
    """
    if extra_bytes is None:
        return
    with open("/proc/self/statm", "rb") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = mapped + extra_bytes
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def lift_memory_limit() -> None:
    """Undo :func:`limit_memory`, so that a report about running out of memory finds some."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def restore_signals() -> None:
    """Default handling of every signal that Python or the zygote ignores, as a program expects."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signum, signal.SIG_DFL)
