"""Names that would fail much later: as a file name, as a DNS label, or by meaning two things."""

from __future__ import annotations

import re

from jupiter.app import App, Service, Task
from jupiter.app_schema import NAME_PATTERN
from jupiter.errors import InputError

_LONGEST = 63
"""A DNS label's limit, which names of pods and services have to keep."""


def check_names(app: App) -> list[InputError]:
    """Names of tasks and services that can't be names everywhere, and clashes among them."""
    errors = []
    owners: list[Task | Service] = [*app.tasks.values(), *app.services.values()]
    for owner in owners:
        name = owner.name
        if not re.fullmatch(NAME_PATTERN, name) or len(name) > _LONGEST:
            errors.append(
                InputError(
                    f"{name!r} can't be the name of a task",
                    f"use up to {_LONGEST} letters, digits, '_', '-' and '.', and start with a "
                    "letter or digit",
                    file=app.config,
                    line=owner.line,
                    field="task",
                )
            )
        if owner is app.services.get(name) and name in app.tasks:
            errors.append(
                InputError(
                    f"{name!r} is both a task and a service",
                    "rename one of them",
                    file=app.config,
                    line=owner.line,
                    field="task",
                )
            )
    return errors
