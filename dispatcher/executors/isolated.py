"""Jupiter v1-v4: ``task(files, pathin, pathout)`` in a fresh process per call.

The process side is :mod:`dispatcher.executors.template`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from dispatcher.executors.base import Call, File
from dispatcher.executors.hosted import HostedExecutor, PresentationError, as_input
from dispatcher.executors.wire import Work
from dispatcher.file_names import is_plain_name


def present_names(by_parent: Sequence[tuple[str, Sequence[File]]]) -> list[tuple[str, File]]:
    """Each file of a job with the name that the task sees it by, in parent order.

    That is its own name, unless two of the job's files have the same one: then every one of these
    is ``<parent>_<name>``, and where even that is taken, ``<parent>_<n>_<name>``. All are distinct.
    """
    count = Counter(file.name for _, files in by_parent for file in files)
    taken = {name for name, times in count.items() if times == 1}
    named = []
    for parent, files in by_parent:
        for file in files:
            name = file.name
            if count[name] > 1:
                name = f"{parent}_{file.name}"
                number = 2
                while name in taken:
                    name = f"{parent}_{number}_{file.name}"
                    number += 1
                taken.add(name)
            named.append((name, file))
    return named


def groups_of(files: int, files_per_call: int | None, task: str) -> int:
    """How many calls of task() a job's files make. Raises PresentationError for a remainder."""
    if files_per_call is None:
        return 1
    if files == 0 or files % files_per_call:
        raise PresentationError(
            f"task {task} takes {files_per_call} files per call (NUM_INPUTS), but the job brought "
            f"{files}: that is no multiple of it"
        )
    return files // files_per_call


class IsolatedExecutor(HostedExecutor):
    """A process per call; as many calls at once as are submitted (the node decides how many)."""

    kind: ClassVar[str] = "isolated"

    def _present(self, ident: int, call: Call) -> Work:
        named = present_names(call.by_parent)
        per_call = self.spec.files_per_call
        groups = groups_of(len(named), per_call, self.spec.name)
        files = []
        for index, (name, file) in enumerate(named):
            if not is_plain_name(name):
                raise PresentationError(f"the input file name {name!r} is not a plain file name")
            files.append(as_input(name, file, index // per_call if per_call else 0))
        return Work(ident, call.job, call.attempt, groups, files, call.firing)
