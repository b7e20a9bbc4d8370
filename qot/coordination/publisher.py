"""Who is told of changes. What is told is a hint to look; the service itself is what holds.

Subjects, as Quartz's: ``qot.timeline.<name>.params`` for what clocks need to know, and
``coordination.timelines.<name>`` with ``.nodes``, ``.reference``, ``.servers``, ``.global`` and
``.local`` below it. Each message is a JSON object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Publisher(Protocol):
    """Thread-safe; never blocks for long and never raises: what can't be sent is counted."""

    @property
    def lost(self) -> int:
        """Messages that could not be sent."""

    def publish(self, subject: str, message: Mapping[str, object]) -> None:
        """Send it, as soon as may be."""

    def close(self) -> None:
        """Send what is waiting, within a few seconds, and let go. May be called twice."""


class Silent:
    """Tells nobody."""

    lost = 0

    def publish(self, subject: str, message: Mapping[str, object]) -> None:
        pass

    def close(self) -> None:
        pass


def params_subject(timeline: str) -> str:
    return f"qot.timeline.{timeline}.params"


def events_subject(timeline: str, kind: str = "") -> str:
    """kind: empty for the timeline itself, or nodes, reference, servers, global, local."""
    base = f"coordination.timelines.{timeline}"
    return f"{base}.{kind}" if kind else base
