"""Schedulers by name: built-in ones, and those that other packages bring.

A scheduler is a function from a Problem to a Schedule::

    @scheduler("mine")
    def mine(problem: Problem) -> Schedule: ...

It may have keyword options. Another package brings one as an entry point of the group
``jupiter.schedulers``; its name there is the scheduler's name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, TypeVar

from jupiter.errors import InputError
from scheduler.schedule import Schedule

GROUP = "jupiter.schedulers"


class Scheduler(Protocol):
    """Called with a Problem, and with keyword options where a scheduler has some."""

    __call__: Callable[..., Schedule]


_F = TypeVar("_F", bound=Callable[..., Schedule])
_registered: dict[str, Scheduler] = {}


def scheduler(name: str) -> Callable[[_F], _F]:
    """Register the decorated function under ``name``. Raises ValueError when the name is taken."""

    def register(function: _F) -> _F:
        other = _registered.get(name)
        if other is not None and other is not function:
            raise ValueError(f"there is already a scheduler named {name!r}: {other!r}")
        _registered[name] = function
        return function

    return register


def names() -> list[str]:
    """Every known name, sorted."""
    return sorted(_registered.keys() | _found().keys())


def get(name: str) -> Scheduler:
    """The scheduler of that name. Raises InputError with the nearest name, or why it won't load."""
    if name in _registered:
        return _registered[name]
    entry = _found().get(name)
    if entry is None:
        near = difflib.get_close_matches(name, names(), n=1)
        known = ", ".join(names())
        fix = f"did you mean {near[0]!r}? Known: {known}" if near else f"use one of: {known}"
        raise InputError(f"there is no scheduler {name!r}", fix, field="scheduler")
    try:
        loaded = entry.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the scheduler {name!r} ({entry.value}) can't be loaded: {error}",
            "repair or remove the package that brings it",
            field="scheduler",
        ) from error
    if not callable(loaded):
        raise InputError(
            f"the scheduler {name!r} ({entry.value}) is not a function",
            "let the entry point name a function from Problem to Schedule",
            field="scheduler",
        )
    _registered.setdefault(name, loaded)
    return _registered[name]


def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
