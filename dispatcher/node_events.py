"""What can happen to a node's stages: the events that its brain takes."""

from __future__ import annotations

from typing import Any

import msgspec

from dispatcher.messages import Delivery
from dispatcher.time_trigger import Woke
from jupiter.events import Stamp


class Delivered(msgspec.Struct):
    """A delivery arrived, from another node, from this one, or from the spool at start."""

    delivery: Delivery
    content: Any
    received: Stamp


class CallSucceeded(msgspec.Struct):
    """outputs: (child, content) for every child, already routed. The shell has logged the call.

    Like CallFailed, it answers one StartCall, even when the job has ended meanwhile.
    """

    index: int
    task: str
    outputs: list[tuple[str, Any]]


class CallFailed(msgspec.Struct):
    """outcome is the executor's, for the report; the brain does not look into it."""

    index: int
    task: str
    reason: str
    outcome: Any = None


class RetryDue(msgspec.Struct):
    index: int
    task: str


class DeliveryAcknowledged(msgspec.Struct):
    index: int
    task: str
    child: str


class OutputsRecovered(msgspec.Struct):
    """The spool holds this stage's outputs of a job from before a restart."""

    job: str
    index: int
    task: str
    release_ns: int | None
    outputs: list[tuple[str, Any]]


class StageRetired(msgspec.Struct):
    """The spool says that this stage owed nothing any more for this job before a restart."""

    index: int
    task: str


class JobsEnded(msgspec.Struct):
    """Every job with an index below ``below`` has ended for the whole app."""

    below: int


class InstantCame(msgspec.Struct):
    """The instant of job ``index`` at a time-triggered stage."""

    task: str
    index: int
    woke: Woke


Event = (
    Delivered
    | CallSucceeded
    | CallFailed
    | RetryDue
    | DeliveryAcknowledged
    | OutputsRecovered
    | StageRetired
    | JobsEnded
    | InstantCame
)
