"""One task process as its executor sees it: launched, ready, given work, lost."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from collections.abc import Callable, Iterator

import msgspec

from dispatcher.executors.base import TaskSpec
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.wire import Ready, Result, Results, Start, Work, decode_from_task, encode
from dispatcher.executors.worker import Exit, Worker
from jupiter.errors import JupiterError

START_TIMEOUT_S = 60.0
"""How long importing a task's module may take."""
STOP_GRACE_S = 2.0
FRAME_BYTES = 64 * 2**20
"""Calls are batched into messages of about this size at most."""


class TaskProcess:
    """A process that imports the task's module once and then takes calls."""

    def __init__(
        self,
        spec: TaskSpec,
        kind: str,
        host: ZygoteHost,
        on_results: Callable[[list[Result]], None],
    ) -> None:
        self._spec = spec
        self._kind = kind
        self._host = host
        self._on_results = on_results
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._worker: Worker | None = None
        self._fault = ""

    @property
    def pid(self) -> int:
        assert self._worker is not None
        return self._worker.pid

    def running(self) -> tuple[int, int]:
        """The call that a resident process is in, or died in, and its start; (0, 0) if none."""
        assert self._worker is not None
        return self._worker.progress.read()

    async def launch(self, on_lost: Callable[[Exit], None]) -> None:
        """Start the process; returns when the module is imported. Raises JupiterError.

        on_lost is called once, when a process that was launched has ended for whatever reason.
        """
        spec = self._spec
        start = Start(
            ident=0,
            kind=self._kind,
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
        self._worker = await self._host.spawn(start, self._on_body)
        self._worker.ended.add_done_callback(self._on_ended)
        try:
            await asyncio.wait_for(self._ready, START_TIMEOUT_S)
        except TimeoutError as error:
            self.kill()
            raise JupiterError(
                f"task {spec.name}: importing {spec.module} took longer than {START_TIMEOUT_S:g} s"
            ) from error
        except asyncio.CancelledError:
            self.kill()
            raise
        self._worker.ended.add_done_callback(lambda _: on_lost(self._end()))

    def send(self, batch: list[Work]) -> None:
        """Hand over calls. Raises ValueError for one of 4 GiB or more."""
        assert self._worker is not None
        for part in _parts(batch):
            self._worker.channel.send(encode(part))

    def kill(self) -> None:
        """SIGKILL to the process and its group; the rest follows."""
        if self._worker is not None:
            self._worker.signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Let the process finish by itself, kill it if it does not; returns when it is gone."""
        if self._worker is None:
            return
        self._worker.channel.finish_sending()
        try:
            await asyncio.wait_for(asyncio.shield(self._worker.ended), STOP_GRACE_S)
        except TimeoutError:
            self.kill()
            await self._worker.ended

    def _on_body(self, body: bytes) -> None:
        if self._fault:
            return
        try:
            message = decode_from_task(body)
        except msgspec.DecodeError as error:
            self._fault = f"it wrote nonsense to the node: {error}"
            self.kill()
            return
        if isinstance(message, Results):
            self._on_results(message.results)
        elif self._ready.done():
            return
        elif isinstance(message, Ready):
            self._ready.set_result(None)
        else:
            text = f"{message.reason}\n{message.trace}".rstrip()
            self._ready.set_exception(JupiterError(text))

    def _end(self) -> Exit:
        assert self._worker is not None
        end = self._worker.ended.result()
        reason = self._fault or f"the process of task {self._spec.name} ended: {end.reason}"
        return dataclasses.replace(end, reason=reason)

    def _on_ended(self, _: asyncio.Future[Exit]) -> None:
        if not self._ready.done():
            end = self._end()
            text = f"{end.reason} (while it imported {self._spec.module})\n{end.stderr_tail}"
            self._ready.set_exception(JupiterError(text.rstrip()))


def _parts(batch: list[Work]) -> Iterator[list[Work]]:
    """The batch, cut so that a part stays near FRAME_BYTES unless one call alone is larger."""
    part: list[Work] = []
    size = 0
    for work in batch:
        for file in work.files:
            size += len(file.data) if file.data is not None else 0
        part.append(work)
        if size >= FRAME_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
