"""Every error that Jupiter raises on purpose, one small tree.

    JupiterError                 exit code 1: something went wrong while working
    ├── InputError               exit code 2: what the user gave can't be used; nothing was started
    │   └── InputErrors          several of them, found in one pass, shown together
    └── ClusterError             a node can't be started, reached or stopped

A message says what was seen, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class JupiterError(Exception):
    """Root of the tree. ``exit_code`` is what the command line ends with."""

    exit_code = 1


class InputError(JupiterError):
    """Something the user wrote can't be used.

    seen: what is wrong, with the value that was found.
    fix: what to write instead.
    file, line, field: where it is; each may be absent when it does not apply.
    """

    exit_code = 2

    def __init__(
        self,
        seen: str,
        fix: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        self.seen = seen
        self.fix = fix
        self.file = None if file is None else str(file)
        self.line = line
        self.field = field
        super().__init__(seen)

    @property
    def place(self) -> str:
        """``file:line: field``, as far as known."""
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}"
        if self.field is not None:
            place += f": {self.field}" if place else self.field
        return place

    def __str__(self) -> str:
        head = f"{self.place}: {self.seen}" if self.place else self.seen
        return f"{head}\n  fix: {self.fix}"

    def as_dict(self) -> dict[str, object]:
        """The same as data, for ``--json``."""
        return {
            "file": self.file,
            "line": self.line,
            "field": self.field,
            "seen": self.seen,
            "fix": self.fix,
        }


class InputErrors(InputError):
    """Several input errors that one pass over a folder found."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.seen, first.fix, file=first.file, line=first.line, field=first.field)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def raise_input_errors(errors: Sequence[InputError]) -> None:
    """Raise what was collected: nothing, the one error, or all of them together."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise InputErrors(errors)


class ClusterError(JupiterError):
    """A node can't be started, reached or stopped."""
