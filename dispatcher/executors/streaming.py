"""A long-lived object that is called per job with bytes: the fast path.

The process side, and the contract of the app's class Stage, is
:mod:`dispatcher.executors.streaming_worker`.
"""

from __future__ import annotations

from typing import ClassVar

from dispatcher.executors.base import Call
from dispatcher.executors.hosted import PresentationError, as_input
from dispatcher.executors.resident_executor import ResidentExecutor
from dispatcher.executors.wire import Work


def input_key(parent: str, name: str, files: int) -> str:
    """The key of a payload: the parent, or ``parent/file name`` if it sent several files."""
    return parent if files == 1 else f"{parent}/{name}"


class StreamingExecutor(ResidentExecutor):
    """One process per streaming task; calls run in the order they were submitted."""

    kind: ClassVar[str] = "streaming"

    def _present(self, ident: int, call: Call) -> Work:
        files = []
        for parent, sent in call.by_parent:
            count = len(sent)
            for file in sent:
                files.append(as_input(input_key(parent, file.name, count), file))
        if len({file.name for file in files}) < len(files):
            raise PresentationError("a parent sent two files of the same name")
        return Work(ident, call.job, call.attempt, 1, files, call.firing)
