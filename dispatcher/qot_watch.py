"""Watches whether the delivered quality of time is what the app demanded, and tells of changes.

The app sees the same in every firing: the interval and the status that its call is given. What
follows from it is the verdict ``invalid``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dispatcher.node_clock import NodeClock
from jupiter.events import QotChanged
from qot.instant import Status

_LOOK_EVERY_S = 0.25
"""The time service renews its clock page about that often."""


class QotWatch:
    """Reports each change of status, and each crossing of the demanded accuracy, as an event."""

    def __init__(
        self,
        node: str,
        clock: NodeClock,
        *,
        timeline: str,
        demanded_ns: int,
        report: Callable[[QotChanged], None],
    ) -> None:
        self._node = node
        self._clock = clock
        self._timeline = timeline
        self._demanded_ns = demanded_ns
        self._report = report
        self._last: tuple[str, bool] = (str(Status.SYNCHRONIZED), False)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="quality of time")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """Compare what is delivered now with what was demanded."""
        stamp, status = self._clock.stamp(), self._clock.status()
        delivered_ns = max(
            stamp.latest_ns - stamp.estimate_ns, stamp.estimate_ns - stamp.earliest_ns
        )
        now = (status, delivered_ns > self._demanded_ns)
        if now == self._last:
            return
        self._last = now
        self._report(
            QotChanged(
                node=self._node,
                at=stamp,
                timeline=self._timeline,
                status=status,
                delivered_ns=delivered_ns,
                demanded_ns=self._demanded_ns,
                violated=now[1],
            )
        )
