"""What a node's brain wants done: the commands that its shell carries out."""

from __future__ import annotations

from typing import Any

import msgspec

from dispatcher.instance import Instance
from dispatcher.messages import Tombstone


class StartCall(msgspec.Struct):
    """Run the task on the instance's inputs; answer with CallSucceeded or CallFailed."""

    instance: Instance


class Send(msgspec.Struct):
    """Make a delivery to ``child``: content, or a tombstone. Answer with DeliveryAcknowledged."""

    instance: Instance
    child: str
    content: Any
    tombstone: Tombstone | None = None


class Retire(msgspec.Struct):
    """Remember in the spool that nothing is owed any more."""

    index: int
    task: str


class RetryLater(msgspec.Struct):
    """Answer with RetryDue after ``delay_ns``."""

    index: int
    task: str
    delay_ns: int


class ReportFailure(msgspec.Struct):
    """Log that the instance failed; when it was the last attempt, keep it as a dead letter."""

    instance: Instance
    reason: str
    retried: bool
    outcome: Any = None


class WatchInstant(msgspec.Struct):
    """Answer with InstantCame at ``at_ns`` of the timeline."""

    task: str
    index: int
    at_ns: int


class Warn(msgspec.Struct):
    """Tell the operator."""

    text: str


Command = StartCall | Send | Retire | RetryLater | ReportFailure | WatchInstant | Warn
