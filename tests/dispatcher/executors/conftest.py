"""A bench to run executors on: an app's scripts folder, a host, and calls that are awaited."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.executors.base import Call, Executor, File, Outcome, TaskSpec
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.isolated import IsolatedExecutor
from dispatcher.executors.loop import LoopExecutor
from dispatcher.executors.streaming import StreamingExecutor
from dispatcher.staging import stage_scripts

KINDS = {
    "isolated": IsolatedExecutor,
    "loop": LoopExecutor,
    "streaming": StreamingExecutor,
}
LIMIT_S = 60
"""Far above what any scenario takes: a scenario that hangs fails instead."""


class Bench:
    """What a test needs: ``script`` to write app code, ``outcome(s)`` or ``run`` to execute it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir()

    def script(self, name: str, text: str) -> None:
        path = self.app / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def stage(self) -> Path:
        return stage_scripts(self.app, self.folder / "staged")

    def run(self, scenario: Callable[[ZygoteHost], Awaitable[Any]]) -> Any:
        """Stage the scripts, run the scenario in a loop with a host, stop the host."""
        self.stage()

        async def whole() -> Any:
            host = ZygoteHost(self.folder / "work", log_folder=self.folder / "logs")
            try:
                return await asyncio.wait_for(scenario(host), LIMIT_S)
            finally:
                await host.stop()

        return asyncio.run(whole())

    def spec(self, module: str, kind: str = "isolated", **more: Any) -> TaskSpec:
        return TaskSpec(
            name=more.pop("name", "tool"),
            module=module,
            scripts_folder=str(self.folder / "staged"),
            children=more.pop("children", ("next",)),
            executor=kind,
            **more,
        )

    def executor(self, host: ZygoteHost, module: str, kind: str = "isolated", **more: Any) -> Any:
        return KINDS[kind](self.spec(module, kind, **more), host)

    def outcomes(
        self, module: str, *inputs: dict[str, list[File]], kind: str = "isolated", **more: Any
    ) -> list[Outcome]:
        """Submit one call per item of inputs (parent → files), all at once; their outcomes."""

        async def scenario(host: ZygoteHost) -> list[Outcome]:
            executor = self.executor(host, module, kind, **more)
            await executor.start()
            calls = [
                self.submit(executor, by_parent, job=f"j{i}") for i, by_parent in enumerate(inputs)
            ]
            outcomes = await asyncio.gather(*calls)
            await executor.stop()
            return outcomes

        result: list[Outcome] = self.run(scenario)
        return result

    def outcome(self, module: str, inputs: dict[str, list[File]], **more: Any) -> Outcome:
        return self.outcomes(module, inputs, **more)[0]

    @staticmethod
    def submit(
        executor: Executor, by_parent: dict[str, list[File]], job: str = "j", **more: Any
    ) -> asyncio.Future[Outcome]:
        """Submit a call; the future of its outcome. Fails if ``done`` is called twice or early."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        call = Call(task="tool", job=job, attempt=1, by_parent=list(by_parent.items()), **more)
        returned = False

        def done(told: Call, outcome: Outcome) -> None:
            assert told is call
            assert returned
            future.set_result(outcome)

        executor.submit(call, done)
        returned = True
        return future

    @staticmethod
    def contents(outcome: Outcome) -> dict[str, bytes]:
        """The outputs' contents by name, in order."""
        assert outcome.ok, f"{outcome.reason}\n{outcome.stderr_tail}"
        return {
            file.name: bytes(file.data) if file.data is not None else file.path.read_bytes()  # type: ignore[union-attr]
            for file in outcome.outputs
        }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
