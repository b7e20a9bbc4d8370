"""The process of one call of an isolated ``task()``: runs it, reports, and clears up behind itself.

It ends like a ``multiprocessing.Process``: non-daemon threads and child processes that the task
started with ``multiprocessing`` are waited for; anything else that still runs is killed.
"""

from __future__ import annotations

import atexit
import mmap
import os
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from time import monotonic_ns
from typing import NoReturn

from dispatcher.executors import processes
from dispatcher.executors.task_module import describe

_PAGE_BYTES = 4096
_PAGE = struct.Struct("=qq?i")


class CallPage:
    """Shared memory by which a call tells its template when it ran and what it raised.

    Not a pipe, so that it survives a task that closes descriptors, and a crash.
    """

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, _PAGE_BYTES)

    def clear(self) -> None:
        self.write(0, 0, False, "")

    def write(self, started_ns: int, ended_ns: int, clean: bool, raised: str) -> None:
        """clean: no process of the call is left. raised: the exception in one line, or empty."""
        text = raised.encode("utf-8", "replace")[: _PAGE_BYTES - _PAGE.size]
        _PAGE.pack_into(self._map, 0, started_ns, ended_ns, clean, len(text))
        self._map[_PAGE.size : _PAGE.size + len(text)] = text

    def read(self) -> tuple[int, int, bool, str]:
        started_ns, ended_ns, clean, length = _PAGE.unpack_from(self._map, 0)
        text = self._map[_PAGE.size : _PAGE.size + length].decode("utf-8", "replace")
        return started_ns, ended_ns, clean, text


def run_call(
    *,
    template: int,
    memory_bytes: int | None,
    environment: Mapping[str, str],
    prepare: Callable[[], None],
    task: Callable[[], object],
    page: CallPage,
) -> NoReturn:
    """Be the process of a call, right after the fork. Exit code 0 means that the task returned."""
    code, raised, started_ns, ended_ns, clean = 1, "", 0, 0, False
    try:
        os.setsid()
        processes.die_with_parent(template)
        processes.adopt_orphans()
        _forget_the_import_phase()
        os.environ.update(environment)
        prepare()
        processes.limit_memory(memory_bytes)
        started_ns = monotonic_ns()
        page.write(started_ns, 0, False, "")
        task()
        _wait_for_helpers()
        code = 0
    except SystemExit as error:
        code = _exit_status(error)
    except BaseException as error:
        processes.lift_memory_limit()
        raised = describe(error)
        traceback.print_exception(error)
    try:
        ended_ns = monotonic_ns()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        processes.sweep_all_if_any()
        clean = True
    except BaseException as error:
        # For example a task that closed sys.stdout; what counts is that the process ends.
        raised = raised or f"after the task had returned: {describe(error)}"
    finally:
        page.write(started_ns, ended_ns, clean, raised)
        os._exit(code)


def _forget_the_import_phase() -> None:
    """Exit handlers and multiprocessing children of the import belong to the template alone."""
    atexit._clear()
    module = sys.modules.get("multiprocessing.process")
    if module is not None:
        module._children = set()  # type: ignore[attr-defined]


def _wait_for_helpers() -> None:
    module = sys.modules.get("multiprocessing.util")
    if module is not None:
        module._exit_function()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()


def _exit_status(error: SystemExit) -> int:
    """What Python itself would make of a SystemExit."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1
