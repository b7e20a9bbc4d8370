"""Jupiter v5: ``task(q, pathin, pathout, task_name)``, a loop that takes file names from ``q``.

The process side is :mod:`dispatcher.executors.loop_worker`.
"""

from __future__ import annotations

from typing import ClassVar

from dispatcher.executors.base import Call
from dispatcher.executors.hosted import PresentationError, as_input
from dispatcher.executors.resident_executor import ResidentExecutor
from dispatcher.executors.wire import Work
from dispatcher.file_names import is_plain_name


class LoopExecutor(ResidentExecutor):
    """One process per v5 task; one job at a time, in the order of their submission."""

    kind: ClassVar[str] = "loop"

    def _present(self, ident: int, call: Call) -> Work:
        files = []
        for parent, sent in call.by_parent:
            head = f"{parent}_{self.spec.name}_"
            for file in sent:
                name = file.name if file.name.startswith(head) else head + file.name
                if not is_plain_name(file.name) or not is_plain_name(name):
                    raise PresentationError(
                        f"the input file name {file.name!r} is not a plain file name"
                    )
                files.append(as_input(name, file))
        if len({file.name for file in files}) < len(files):
            raise PresentationError(
                "two input files get the same name "
                f"{files[0].name!r} in the form SRC_DST_BASENAME; rename one at its source"
            )
        return Work(ident, call.job, call.attempt, 1, files, call.firing)
