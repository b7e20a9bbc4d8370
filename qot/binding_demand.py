"""Durations and demands as users write them, and the objects that a binding hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupiter.units import parse_duration_ns
from qot.errors import AlreadyBoundError, DemandError
from qot.instant import Instant
from qot.timeline import WaitMode

Duration = str | int
"""``"250us"``, or ns as an int."""


def duration_ns(value: Duration, what: str, *, least_ns: int = 0) -> int:
    """A duration in ns. Raises DemandError for what is no duration or is below ``least_ns``."""
    if isinstance(value, str):
        try:
            found = parse_duration_ns(value)
        except ValueError as error:
            raise DemandError(f"{what}: {error}") from None
    elif isinstance(value, int) and not isinstance(value, bool):
        found = value
    else:
        raise DemandError(
            f"{what} is {value!r}: write a text with a unit, for example '1ms', or ns as an int"
        )
    if found < least_ns:
        raise DemandError(f"{what} is {value!r}: give {least_ns} ns or more")
    return found


@dataclass(frozen=True, slots=True)
class StatisticalInterval:
    """Holds the true time with ``confidence``, and promises nothing: never mixed with an Instant's.

    Never wider than the hard interval of the same moment.
    """

    estimate_ns: int
    earliest_ns: int
    latest_ns: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Violation:
    """The delivered error left the demanded accuracy, or came back (``recovered``).

    error_ns: None when there is no promise at all at present.
    """

    timeline: str
    recovered: bool
    accuracy_ns: int
    error_ns: int | None
    instant: Instant


def already_bound(binding: object) -> AlreadyBoundError:
    """For who binds with an object that is bound."""
    return AlreadyBoundError(
        f"{binding!r} is bound already: use its set_accuracy and set_resolution, or Timeline.bind "
        "for another binding"
    )


def wait_mode(mode: WaitMode | str) -> WaitMode:
    """Raises DemandError for a mode that there is not."""
    try:
        return WaitMode(mode)
    except ValueError:
        known = ", ".join(repr(str(each)) for each in WaitMode)
        raise DemandError(f"the mode is {mode!r}: use one of {known}") from None


class ClassOnly(classmethod):  # type: ignore[type-arg]
    """A class method that an object refuses: who has a binding must not bind it again."""

    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., Any]:
        if instance is not None:
            raise already_bound(instance)
        return super().__get__(instance, owner)
