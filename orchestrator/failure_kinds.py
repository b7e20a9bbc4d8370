"""Which failures are the same one again: those of one task whose reasons differ in numbers only."""

from __future__ import annotations

import re

Kind = tuple[str, str]
"""A task, and the reason with every number replaced."""


def kind_of(task: str, reason: str) -> Kind:
    """Equal for failures that a person would call the same."""
    return task, re.sub(r"\d+", "0", reason)
