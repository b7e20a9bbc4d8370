"""Services: long-lived processes beside the DAG, started again when they die.

They are forked from the node's zygote like tasks, so they end with the node whatever happens.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.wire import Start
from dispatcher.executors.worker import Exit, Worker
from jupiter.errors import JupiterError

STOP_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a node needs to know of a service.

    argv: "python" and "python3" mean the node's own interpreter; a script is named by its path
    below scripts_folder, which is the working directory; ``.py`` runs in Python, other files by
    themselves if executable, else by /bin/sh. memory_bytes limits its address space.
    """

    name: str
    argv: tuple[str, ...]
    scripts_folder: str
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait before a restart, in seconds: doubled each time, from first_s to most_s.

    A service that lived for healthy_s starts again at first_s.
    """

    first_s: float = 0.2
    most_s: float = 30.0
    healthy_s: float = 10.0

    def next_s(self, previous_s: float | None, lived_s: float) -> float:
        """The wait after a life of ``lived_s``. previous_s: the wait before it, None at first."""
        if previous_s is None or lived_s >= self.healthy_s:
            return self.first_s
        return min(previous_s * 2, self.most_s)


class OnStart(Protocol):
    def __call__(self, name: str, pid: int, restarts: int) -> None: ...


class OnExit(Protocol):
    def __call__(self, name: str, exit_code: int | None, stderr_tail: str) -> None: ...


class ServiceRunner:
    """Keeps one service running from ``start()`` to ``stop()``."""

    def __init__(
        self,
        spec: ServiceSpec,
        host: ZygoteHost,
        *,
        on_start: OnStart,
        on_exit: OnExit,
        back_off: BackOff | None = None,
    ) -> None:
        """on_start(name, pid, restarts) and on_exit(name, exit_code, stderr_tail) are called in the
        event loop; exit_code is negative for a signal, None if the zygote was lost.
        """
        self.spec = spec
        self._host = host
        self._on_start = on_start
        self._on_exit = on_exit
        self._back_off = back_off or BackOff()
        self._worker: Worker | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The service's pid while it runs."""
        return None if self._worker is None else self._worker.pid

    async def start(self) -> None:
        """Start the service; returns when its process exists. Raises JupiterError."""
        worker = await self._spawn(0)
        self._keeper = asyncio.create_task(self._keep(worker))

    async def stop(self) -> None:
        """SIGTERM to the service's process group, then SIGKILL to all that is left of it."""
        if self._keeper is None:
            return
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        self._keeper = None
        worker = self._worker
        if worker is None:
            return
        worker.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(worker.ended), STOP_GRACE_S)
        except TimeoutError:
            worker.signal(signal.SIGKILL)
        await worker.ended
        self._worker = None

    async def _spawn(self, restarts: int) -> Worker:
        spec = self.spec
        start = Start(
            ident=0,
            kind="service",
            task=spec.name,
            module="",
            scripts_folder=spec.scripts_folder,
            children=[],
            args=list(spec.argv),
            environment=dict(spec.environment),
            work_folder="",
            log="",
            memory_bytes=spec.memory_bytes,
        )
        self._worker = await self._host.spawn(start, ignore_body)
        self._on_start(spec.name, self._worker.pid, restarts)
        return self._worker

    async def _keep(self, worker: Worker) -> None:
        """Start the service again whenever it has ended."""
        loop = asyncio.get_running_loop()
        wait_s: float | None = None
        for restarts in itertools.count(1):
            began_s = loop.time()
            end = await asyncio.shield(worker.ended)
            self._report(end)
            wait_s = self._back_off.next_s(wait_s, loop.time() - began_s)
            await asyncio.sleep(wait_s)
            try:
                worker = await self._spawn(restarts)
            except JupiterError as error:  # the node is stopping, or can't start processes now
                self._on_exit(self.spec.name, None, str(error))
                return

    def _report(self, end: Exit) -> None:
        self._worker = None
        self._on_exit(self.spec.name, end.exit_code, end.stderr_tail)


def ignore_body(_: bytes) -> None:
    """A service says nothing on its work socket."""
