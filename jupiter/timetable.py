"""The Timetable: when every time-triggered stage of a periodic app fires."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Slot:
    """One stage's place in the timetable. All in ns; offset counts from the job's release.

    guard_ns is how much earlier than ``offset_ns`` the last input is due, in the worst case the
    stated bounds allow; why names the parent that decides the offset.
    """

    task: str
    node: str
    offset_ns: int
    budget_ns: int
    guard_ns: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Job k is released at ``start + k * period_ns``; each stage fires its ``offset_ns`` later."""

    timeline: str
    period_ns: int
    slots: dict[str, Slot]

    @property
    def latency_ns(self) -> int:
        """From the release of a job to the end of the last budget."""
        return max((slot.offset_ns + slot.budget_ns for slot in self.slots.values()), default=0)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Timetable:
        slots = {name: Slot(**slot) for name, slot in data["slots"].items()}
        return cls(timeline=data["timeline"], period_ns=data["period_ns"], slots=slots)
