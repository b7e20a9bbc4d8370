"""All executors and services of one node: started on demand, kept, and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dispatcher.executors.base import Executor, TaskSpec
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.isolated import IsolatedExecutor
from dispatcher.executors.loop import LoopExecutor
from dispatcher.executors.service import ServiceRunner, ServiceSpec
from dispatcher.executors.streaming import StreamingExecutor
from dispatcher.messages import Deploy, Prepare, StagePlan
from dispatcher.staging import stage_scripts
from jupiter.app import Executor as ExecutorKind
from jupiter.app import OutputPolicy
from jupiter.events import ServiceExited, ServiceStarted

KINDS: Mapping[str, Callable[[TaskSpec, ZygoteHost], Executor]] = {
    ExecutorKind.ISOLATED: IsolatedExecutor,
    ExecutorKind.STREAMING: StreamingExecutor,
    ExecutorKind.LOOP: LoopExecutor,
}

ServiceEvent = ServiceStarted | ServiceExited


class ExecutorPool:
    """Executors by task. Lives in the node's event loop."""

    def __init__(self, node: str, folder: Path) -> None:
        self._node = node
        self._folder = folder
        self._host = ZygoteHost(folder / "work", log_folder=folder / "logs")
        self._plans: dict[str, StagePlan] = {}
        self._environment: dict[str, str] = {}
        self._scripts = ""
        self._executors: dict[str, Executor] = {}
        self._starting: dict[str, asyncio.Lock] = {}
        self._services: list[ServiceRunner] = []

    async def prepare(self, request: Prepare) -> None:
        """Stage the app's scripts. Raises InputError."""
        self._plans = {plan.name: plan for plan in request.stages}
        app_folder = Path(request.app_folder)
        beside = [
            app_folder / name
            for name in ("configuration.txt", "app_config.ini", "name_convert.txt")
        ]
        staged = stage_scripts(
            Path(request.scripts), self._folder.absolute() / "centralized_scheduler", beside
        )
        self._scripts = str(staged)
        ips = {peer.name: peer.host for peer in request.peers}
        self._environment = {"NODE_NAME": self._node, "OWN_IP": ips.get(self._node, "")}

    async def started(self, task: str) -> Executor:
        """The task's executor, ready. Raises JupiterError with the reason why it can't be."""
        lock = self._starting.setdefault(task, asyncio.Lock())
        async with lock:
            executor = self._executors.get(task)
            if executor is None:
                plan = self._plans[task]
                executor = KINDS[plan.executor](self._spec(plan), self._host)
                await executor.start()
                self._executors[task] = executor
            return executor

    def __getitem__(self, task: str) -> Executor:
        """The executor of a task that was deployed here."""
        return self._executors[task]

    async def deploy(
        self,
        tasks: Iterable[StagePlan],
        request: Deploy,
        report: Callable[[ServiceEvent], None],
    ) -> None:
        """Have ready what runs here and stop what was only tried here. Raises JupiterError."""
        self._environment |= request.environment
        names = {plan.name for plan in tasks}
        await asyncio.gather(
            *(executor.stop() for task, executor in self._executors.items() if task not in names)
        )
        self._executors = {
            task: executor for task, executor in self._executors.items() if task in names
        }
        results = await asyncio.gather(*map(self.started, names), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        for service in request.services:
            runner = ServiceRunner(
                ServiceSpec(
                    service.name,
                    service.argv,
                    self._scripts,
                    {**self._environment, "TASK": service.name},
                ),
                self._host,
                on_start=lambda name, pid, restarts: report(
                    ServiceStarted(node=self._node, service=name, pid=pid, restarts=restarts)
                ),
                on_exit=lambda name, exit_code, stderr_tail: report(
                    ServiceExited(
                        node=self._node,
                        service=name,
                        exit_code=exit_code,
                        stderr_tail=stderr_tail,
                    )
                ),
            )
            self._services.append(runner)
            await runner.start()

    def _spec(self, plan: StagePlan) -> TaskSpec:
        per_call = plan.files_per_call
        environment = {
            **self._environment,
            "TASK": plan.name,
            "FLAG": "true" if plan.output_policy == OutputPolicy.BROADCAST else "false",
            "INPUTNUM": str(len(plan.parents) if per_call is None else per_call),
            "CHILD_NODES": ":".join(plan.children),
        }
        return TaskSpec(
            name=plan.name,
            module=plan.module,
            scripts_folder=self._scripts,
            children=plan.children,
            executor=plan.executor,
            files_per_call=per_call,
            args=plan.args,
            timeout_ns=plan.timeout_ns,
            memory_bytes=plan.memory_bytes,
            environment=environment,
        )

    async def stop(self) -> None:
        """End all; no process is left."""
        await asyncio.gather(*(service.stop() for service in self._services))
        await asyncio.gather(*(executor.stop() for executor in self._executors.values()))
        await self._host.stop()
