"""Turns a fresh fork of the zygote into the home of one task: folder, environment, code."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from dispatcher.executors import path_guard
from dispatcher.executors.wire import TAIL_BYTES, Start

LOG_LIMIT_BYTES = 8 * 2**20


class LoadError(Exception):
    """The task's code can't be used. reason in one line; trace: the traceback, if there is one."""

    def __init__(self, reason: str, trace: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.trace = trace


def open_log(log: str) -> None:
    """Make ``log`` this process's stdout (nothing if empty). Past its limit it becomes ``.1``."""
    if log and os.path.exists(log) and os.stat(log).st_size > LOG_LIMIT_BYTES:
        os.replace(log, log + ".1")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(log or os.devnull, flags, 0o644)
    os.dup2(descriptor, 1)
    os.close(descriptor)


def rotate_log(log: str) -> None:
    """Begin a new log if stdout's has grown past its limit. Cheap enough to do per call."""
    with contextlib.suppress(OSError):  # as in write_log: go on with the log there is
        if log and os.fstat(1).st_size > LOG_LIMIT_BYTES:
            open_log(log)


def write_log(data: bytes) -> None:
    """Append to stdout's log. A log that can't be written (disk full) must not fail a task."""
    with contextlib.suppress(OSError):
        os.write(1, data)


def settle(start: Start) -> None:
    """Set working directory, environment, argv, sys.path and the path redirection of a task.

    Our own modules are taken out of sys.modules (they keep working), so that an app may have
    modules of the same names.
    """
    os.environ.update(start.environment)
    os.chdir(start.scripts_folder)
    sys.argv = [start.module, *start.args]
    sys.path.insert(0, start.scripts_folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "dispatcher"]:
        del sys.modules[name]
    sys.modules["__main__"] = ModuleType("__main__")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    path_guard.install(start.scripts_folder)


def load(start: Start, attribute: str, contract: str) -> Any:
    """Import the task's module and return ``attribute`` of it. Raises LoadError.

    contract: how the attribute must look, for the message.
    """
    relative = start.module.replace(".", "/").strip("/")
    file = os.path.join(start.scripts_folder, relative + ".py")
    package = os.path.join(start.scripts_folder, relative, "__init__.py")
    path = file if os.path.exists(file) else package
    if not os.path.exists(path):
        raise LoadError(f"task {start.task}: there is no script {relative}.py in the app's scripts")
    name = relative.replace("/", ".")
    try:
        module = _import(name, path)
    except BaseException as error:  # a module may raise anything, SystemExit included
        raise LoadError(
            f"task {start.task}: importing {relative}.py failed: {describe(error)}", trace(error)
        ) from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise LoadError(f"task {start.task}: {relative}.py has no {contract}")
    return found


def construct(start: Start, make: Callable[[Any], Any], context: object) -> Any:
    """``make(context)``, for a class of the app's. Raises LoadError."""
    try:
        made = make(context)
    except BaseException as error:
        raise LoadError(
            f"task {start.task}: Stage(context) failed: {describe(error)}", trace(error)
        ) from error
    if not callable(getattr(made, "process", None)):
        raise LoadError(f"task {start.task}: class Stage has no method process(job, inputs)")
    return made


def _import(name: str, path: str) -> ModuleType:
    top = name.partition(".")[0]
    if top not in sys.modules and top not in sys.stdlib_module_names:
        return importlib.import_module(name)
    # A script may be called like a standard module ("select.py"): load it beside that.
    spec = importlib.util.spec_from_file_location("task_" + name.replace(".", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def describe(error: BaseException) -> str:
    """``"ValueError: what it said"``, in one line of at most 500 characters."""
    return " ".join("".join(traceback.format_exception_only(error)).split())[:500]


def trace(error: BaseException) -> str:
    """The end of the traceback, without the frames of ours and of import that lead to the task."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_NOT_THE_TASK):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames or error.__traceback__)
    return "".join(lines)[-TAIL_BYTES:]


_NOT_THE_TASK = (
    os.path.dirname(__file__),
    os.path.dirname(importlib.__file__),
    "<frozen importlib",
)
