"""What the three executors share: calls in flight, batching, restarts, and the end.

All calls that are submitted in one turn of the event loop leave in one message. A task process that
dies is started again by the next call that needs it.
"""

from __future__ import annotations

import asyncio
import itertools
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, cast

import msgspec

from dispatcher.executors.base import Call, Executor, File, Outcome, TaskSpec
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.task_process import TaskProcess
from dispatcher.executors.wire import InFile, Result, Work
from dispatcher.executors.worker import Exit
from jupiter.errors import JupiterError

INLINE_LIMIT_BYTES = 2**31
Done = Callable[[Call, Outcome], None]


class PresentationError(Exception):
    """A call's files can't be handed to the task as its contract demands; says why."""


class Pending(msgspec.Struct):
    """A call that has not ended."""

    call: Call
    done: Done
    work: Work


class HostedExecutor(Executor):
    """Runs the calls of one task in processes that a ZygoteHost starts."""

    kind: ClassVar[str]

    def __init__(self, spec: TaskSpec, host: ZygoteHost) -> None:
        self.spec = spec
        self._host = host
        self._idents = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._outbox: list[Work] = []
        self._flush_scheduled = False
        self._process: TaskProcess | None = None
        """The present process once it is ready."""
        self._launching: asyncio.Task[None] | None = None
        self._stopped = False

    @abstractmethod
    def _present(self, ident: int, call: Call) -> Work:
        """The call as its process gets it. Raises PresentationError."""

    @property
    def pid(self) -> int | None:
        """The task process (the template of an isolated task) while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def in_flight(self) -> int:
        """How many calls have not ended."""
        return len(self._pending)

    async def start(self) -> None:
        """Import the task's module in its process.

        Raises JupiterError with the reason, and the traceback if the module raised.
        """
        await self._launch()

    def submit(self, call: Call, done: Done) -> None:
        try:
            if self._stopped:
                raise PresentationError("stopped")
            work = self._present(next(self._idents), call)
            if sum(len(file.data) for file in work.files if file.data) > INLINE_LIMIT_BYTES:
                raise PresentationError("more than 2 GiB of inputs in memory; give them as paths")
        except PresentationError as error:
            now_ns = self._now_ns()
            outcome = Outcome(False, now_ns, now_ns, reason=str(error))
            asyncio.get_running_loop().call_soon(done, call, outcome)
            return
        self._pending[work.ident] = Pending(call, done, work)
        self._post(work)

    async def stop(self) -> None:
        self._stopped = True
        self._fail_all("stopped")
        if self._launching is not None:
            self._launching.cancel()
            await asyncio.gather(self._launching, return_exceptions=True)
        if self._process is not None:
            await self._process.stop()

    def _now_ns(self) -> int:
        """CLOCK_MONOTONIC, from the event loop."""
        return int(asyncio.get_running_loop().time() * 1e9)

    def _post(self, work: Work) -> None:
        self._outbox.append(work)
        if self._process is None:
            if self._launching is None:
                self._launching = asyncio.get_running_loop().create_task(self._relaunch())
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._outbox and self._process is not None:
            batch, self._outbox = self._outbox, []
            self._process.send(batch)
            self._on_sent()

    def _on_sent(self) -> None:
        """Calls have been handed to the process."""

    async def _launch(self) -> None:
        process = TaskProcess(self.spec, self.kind, self._host, self._on_results)
        try:
            await process.launch(lambda end: self._on_process_end(process, end))
        except (JupiterError, asyncio.CancelledError):
            await process.stop()
            raise
        self._process = process
        self._flush()

    async def _relaunch(self) -> None:
        try:
            await self._launch()
        except JupiterError as error:
            self._fail_all(str(error))
        finally:
            self._launching = None

    def _on_results(self, results: list[Result]) -> None:
        for result in results:
            result.outputs = self._host.close_order.sort(result.watch, result.outputs)
            pending = self._pending.pop(result.ident, None)
            if pending is not None:  # else it was failed here meanwhile
                self._end(pending, as_outcome(result))

    def _on_process_end(self, process: TaskProcess, end: Exit) -> None:
        self._process = None
        self._on_lost(process, end)

    def _on_lost(self, process: TaskProcess, end: Exit) -> None:
        """The process ended while calls may be in flight: here, all of them fail."""
        self._fail_all(end.reason, end.exit_code, end.stderr_tail)

    def _fail_all(self, reason: str, exit_code: int | None = None, stderr_tail: str = "") -> None:
        pending, self._pending = self._pending, {}
        self._outbox.clear()
        now_ns = self._now_ns()
        for one in pending.values():
            self._end(
                one,
                Outcome(
                    False,
                    now_ns,
                    now_ns,
                    reason=reason,
                    exit_code=exit_code,
                    stderr_tail=stderr_tail,
                ),
            )

    def _end(self, pending: Pending, outcome: Outcome) -> None:
        """Tell the node. An error in its callback is the loop's to report, not these calls' end."""
        try:
            pending.done(pending.call, outcome)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {
                    "message": f"the callback of a call of {self.spec.name} failed",
                    "exception": error,
                }
            )


def as_outcome(result: Result) -> Outcome:
    """A task process's result in the words of the node."""
    return Outcome(
        ok=result.ok,
        started_ns=result.started_ns,
        ended_ns=result.ended_ns,
        outputs=[
            File(out.name, out.data, None if out.path is None else Path(out.path), out.child)
            for out in result.outputs
        ],
        reason=result.reason,
        exit_code=result.exit_code,
        stderr_tail=result.stderr_tail,
        peak_memory_bytes=result.peak_memory_bytes,
        folder=None if result.folder is None else Path(result.folder),
    )


def as_input(name: str, file: File, group: int = 0) -> InFile:
    """A file of a call as its process gets it, under the name it is presented by."""
    path = None if file.path is None else str(file.path.absolute())
    data = cast("bytes | None", file.data)  # a memoryview is encoded without a copy
    return InFile(name, data, path, group)
