"""One stage of one job on one node: what has arrived, how far it is, what it still owes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from dispatcher.messages import Delivery, StagePlan
from jupiter.events import Firing, Stamp


class State(StrEnum):
    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    SENDING = "sending"
    RETIRED = "retired"


class Arrived(msgspec.Struct):
    """One delivery of an instance; content is opaque to the brain."""

    delivery: Delivery
    content: Any
    received: Stamp


class Instance(msgspec.Struct, kw_only=True):
    """One stage of one job on this node.

    arrived may hold an earlier job's delivery of a parent whose own came too late; overtaken says
    which of those have come since.
    """

    job: str
    index: int
    stage: StagePlan
    release_ns: int | None
    state: State = State.WAITING
    attempt: int = 0
    arrived: dict[str, Arrived] = {}
    overtaken: set[str] = set()
    unacknowledged: set[str] = set()
    ready_at: Stamp | None = None
    firing: Firing | None = None

    @property
    def is_complete(self) -> bool:
        return len(self.arrived) == len(self.stage.parents)
