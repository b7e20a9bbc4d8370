"""What the three executors share: calls in flight, batching, restarts, and the end.

All calls that are submitted in one turn of the event loop leave in one message. A task process that
dies is started again by the next call that needs it.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, cast

import msgspec

from dispatcher.executors.base import Call, Executor, File, Outcome, TaskSpec
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.wire import (
    InFile,
    Ready,
    Result,
    Start,
    Unready,
    Work,
    decode_from_task,
    encode,
)
from dispatcher.executors.worker import Exit, Worker
from jupiter.errors import JupiterError

STOP_GRACE_S = 2.0
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
        self._worker: Worker | None = None
        self._ready: asyncio.Future[None] | None = None
        self._launching: asyncio.Task[None] | None = None
        self._watching: set[asyncio.Future[Exit]] = set()
        self._stopped = False

    @abstractmethod
    def _present(self, ident: int, call: Call) -> Work:
        """The call as its process gets it. Raises PresentationError."""

    @property
    def pid(self) -> int | None:
        """The task process (the template of an isolated task) while it runs."""
        return None if self._worker is None else self._worker.pid

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
        loop = asyncio.get_running_loop()
        ident = next(self._idents)
        reason = "stopped"
        try:
            work = self._present(ident, call) if not self._stopped else None
        except PresentationError as error:
            work, reason = None, str(error)
        if work is None:
            now_ns = self._now_ns()
            loop.call_soon(done, call, Outcome(False, now_ns, now_ns, reason=reason))
            return
        self._pending[ident] = Pending(call, done, work)
        self._post(work)

    async def stop(self) -> None:
        self._stopped = True
        if self._launching is not None:
            self._launching.cancel()
        self._fail_all("stopped")
        if self._worker is not None:
            self._worker.channel.finish_sending()
            try:
                await asyncio.wait_for(asyncio.shield(self._worker.ended), STOP_GRACE_S)
            except TimeoutError:
                self._worker.signal(signal.SIGKILL)
                await self._worker.ended

    def _now_ns(self) -> int:
        """CLOCK_MONOTONIC, from the event loop."""
        return int(asyncio.get_running_loop().time() * 1e9)

    def _post(self, work: Work) -> None:
        self._outbox.append(work)
        if self._worker is None:
            if self._launching is None:
                self._launching = asyncio.get_running_loop().create_task(self._relaunch())
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._outbox and self._worker is not None and not self._stopped:
            batch, self._outbox = self._outbox, []
            self._worker.channel.send(encode(batch))
            self._on_sent()

    def _on_sent(self) -> None:
        """Calls have been handed to the process."""

    async def _launch(self) -> None:
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        spec = self.spec
        start = Start(
            ident=0,
            kind=self.kind,
            task=spec.name,
            module=spec.module,
            scripts_folder=spec.scripts_folder,
            children=list(spec.children),
            args=list(spec.args),
            environment=dict(spec.environment),
            work_folder=str(self._host.new_folder(spec.name)),
            log="",
            files_per_call=spec.files_per_call,
            timeout_ns=spec.timeout_ns,
            memory_bytes=spec.memory_bytes,
        )
        worker = await self._host.spawn(start, self._on_body)
        worker.ended.add_done_callback(lambda _: self._on_ended(worker))
        try:
            await self._ready
        except asyncio.CancelledError:
            worker.signal(signal.SIGKILL)
            raise
        self._worker = worker
        self._flush()

    async def _relaunch(self) -> None:
        try:
            await self._launch()
        except JupiterError as error:
            self._fail_all(str(error))
        finally:
            self._launching = None

    def _on_body(self, body: bytes) -> None:
        try:
            message = decode_from_task(body)
        except msgspec.DecodeError as error:
            assert self._worker is not None
            self._fail_all(f"task {self.spec.name} wrote nonsense to the node: {error}")
            self._worker.signal(signal.SIGKILL)
            return
        if isinstance(message, Ready | Unready):
            self._on_readiness(message)
            return
        for result in message.results:
            pending = self._pending.pop(result.ident, None)
            if pending is not None:  # else it was failed here meanwhile
                self._end(pending, as_outcome(result))

    def _on_readiness(self, message: Ready | Unready) -> None:
        if self._ready is None or self._ready.done():
            return
        if isinstance(message, Ready):
            self._ready.set_result(None)
        else:
            text = f"{message.reason}\n{message.trace}".rstrip()
            self._ready.set_exception(JupiterError(text))

    def _on_ended(self, worker: Worker) -> None:
        end = worker.ended.result()
        if self._ready is not None and not self._ready.done():
            text = f"the process of task {self.spec.name} ended at its start: {end.reason}"
            self._ready.set_exception(JupiterError(f"{text}\n{end.stderr_tail}".rstrip()))
        if worker is self._worker:
            self._worker = None
            self._on_lost(worker, end)

    def _on_lost(self, worker: Worker, end: Exit) -> None:  # noqa: ARG002
        """The process ended while calls may be in flight: here, all of them fail."""
        self._fail_all(
            f"the process of task {self.spec.name} ended: {end.reason}",
            end.exit_code,
            end.stderr_tail,
        )

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


def is_plain_name(name: str) -> bool:
    """Whether a file of that name can be made inside a folder, and nowhere else."""
    return bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name
