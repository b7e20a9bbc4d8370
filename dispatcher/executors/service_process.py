"""The process of a service: takes on environment and folder, then becomes the service's program."""

from __future__ import annotations

import os
import shutil
import socket
import sys

from dispatcher.executors import processes
from dispatcher.executors.path_guard import Redirection
from dispatcher.executors.wire import Start


def program_of(argv: list[str], folder: str) -> list[str]:
    """argv as exec needs it: Python is the node's own, a script's name is a path below ``folder``.

    Raises FileNotFoundError for a program that is neither a script nor on PATH.
    """
    first = Redirection(folder).path(argv[0])
    rest = [Redirection(folder).text(item) for item in argv[1:]]
    if first in ("python", "python3"):
        return [sys.executable, *rest]
    script = os.path.join(folder, first)
    if os.path.exists(script):
        if script.endswith(".py"):
            return [sys.executable, "-u", script, *rest]
        return [script, *rest] if os.access(script, os.X_OK) else ["/bin/sh", script, *rest]
    found = shutil.which(first)
    if found is None:
        raise FileNotFoundError(
            f"{first!r} is neither a file in the app's scripts nor a program on PATH"
        )
    return [found, *rest]


def run_service(start: Start, connection: socket.socket, _page: memoryview) -> None:
    """Be the service ``start.task``, in a fresh fork of the zygote; returns only to raise."""
    connection.close()
    os.environ.update(start.environment)
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.chdir(start.scripts_folder)
    argv = program_of(start.args, start.scripts_folder)
    processes.limit_memory(start.memory_bytes)
    processes.restore_signals()
    os.execv(argv[0], argv)
