"""What the executors of long-lived task processes add: a time limit per call, and fair blame.

A resident process works on one call after the other. When it dies or hangs, its progress page says
which call it was in: that one fails. The others, which had no part in it, go to the next process.
"""

from __future__ import annotations

import asyncio

from dispatcher.executors.base import Outcome, TaskSpec
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.hosted import HostedExecutor
from dispatcher.executors.task_process import TaskProcess
from dispatcher.executors.worker import Exit


class ResidentExecutor(HostedExecutor):
    """A task process that stays; a call may be executed again if another one killed the process."""

    def __init__(self, spec: TaskSpec, host: ZygoteHost) -> None:
        super().__init__(spec, host)
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: int | None = None

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await super().stop()

    def _on_sent(self) -> None:
        if self.spec.timeout_ns is not None and self._timer is None:
            self._arm(self.spec.timeout_ns)

    def _arm(self, wait_ns: int) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0, wait_ns) / 1e9, self._check)

    def _check(self) -> None:
        """Kill the process if its call is overdue, else look again when that could be so.

        Exact without polling: a call that begins after one look is met, running, by the next.
        """
        self._timer = None
        timeout_ns = self.spec.timeout_ns
        if self._process is None or timeout_ns is None or not self._pending:
            return
        ident, started_ns = self._process.running()
        left_ns = timeout_ns
        if ident in self._pending:
            left_ns = started_ns + timeout_ns - self._now_ns()
            if left_ns <= 0:
                self._overdue = ident
                self._process.kill()
                return
        self._arm(left_ns)

    def _on_lost(self, process: TaskProcess, end: Exit) -> None:
        running, started_ns = process.running()
        overdue, self._overdue = self._overdue, None
        if running not in self._pending:
            super()._on_lost(process, end)
            return
        culprit = self._pending.pop(running)
        reason = end.reason
        if overdue == running and self.spec.timeout_ns is not None:
            reason = f"timed out after {self.spec.timeout_ns / 1e9:g} s"
        self._end(
            culprit,
            Outcome(
                False,
                started_ns,
                self._now_ns(),
                reason=reason,
                exit_code=end.exit_code,
                stderr_tail=end.stderr_tail,
            ),
        )
        self._outbox.clear()
        for pending in list(self._pending.values()):
            self._post(pending.work)
