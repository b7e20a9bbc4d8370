"""All executors and services of one node: started on demand, kept, and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dispatcher.executors.base import Executor, TaskSpec
from dispatcher.executors.environment import task_environment
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.isolated import IsolatedExecutor
from dispatcher.executors.loop import LoopExecutor
from dispatcher.executors.service import ServiceRunner, ServiceSpec
from dispatcher.executors.streaming import StreamingExecutor
from dispatcher.messages import Deploy, Prepare, StagePlan
from dispatcher.staging import stage_scripts
from jupiter.app import HOME, OutputPolicy
from jupiter.app import Executor as ExecutorKind
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
        self._addresses: dict[str, str] = {}
        self._placement: dict[str, str] = {}
        self._services_at: dict[str, str] = {}
        self._scripts = ""
        self._executors: dict[str, Executor] = {}
        self._specs: dict[str, TaskSpec] = {}
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
        self._addresses = {peer.name: peer.host for peer in request.peers}

    async def started(self, task: str) -> Executor:
        """The task's executor, ready. Raises JupiterError with the reason why it can't be."""
        lock = self._starting.setdefault(task, asyncio.Lock())
        async with lock:
            executor = self._executors.get(task)
            if executor is None:
                plan = self._plans[task]
                spec = self._specs[task] = self._spec(plan)
                executor = KINDS[plan.executor](spec, self._host)
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
        """Have ready what runs here and stop what was only tried here. Raises JupiterError.

        A resident task that was tried starts again: its trials may be in what it remembers.
        """
        self._placement = request.placement
        self._services_at = request.service_placement
        wanted = {plan.name: self._spec(plan) for plan in tasks}
        unwanted = [
            task
            for task in self._executors
            if self._specs[task] != wanted.get(task)
            or self._specs[task].executor != ExecutorKind.ISOLATED
        ]
        await asyncio.gather(*(self._executors.pop(task).stop() for task in unwanted))
        results = await asyncio.gather(*map(self.started, wanted), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        for service in request.services:
            runner = ServiceRunner(
                ServiceSpec(
                    service.name,
                    service.argv,
                    self._scripts,
                    self._environment(service.name, service.children, True, None),
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
        environment = self._environment(
            plan.name,
            plan.children,
            plan.output_policy == OutputPolicy.BROADCAST,
            plan.files_per_call,
        )
        return TaskSpec(
            name=plan.name,
            module=plan.module,
            scripts_folder=self._scripts,
            children=plan.children,
            executor=plan.executor,
            files_per_call=plan.files_per_call,
            args=plan.args,
            timeout_ns=plan.timeout_ns,
            memory_bytes=plan.memory_bytes,
            environment=environment,
        )

    def _environment(
        self,
        task: str,
        children: Iterable[str],
        broadcast: bool,
        files_per_call: int | None,
    ) -> dict[str, str]:
        """Before the placement is known, every task is taken to be on this node."""
        own = self._addresses.get(self._node, "")
        nodes = {name: host for name, host in self._addresses.items() if name != HOME}
        places = {HOME: HOME, **self._placement, **self._services_at}

        def address(name: str) -> str:
            return self._addresses.get(places.get(name, self._node), own)

        return task_environment(
            task=task,
            node=self._node,
            home_address=address(HOME),
            own_address=own,
            addresses=nodes or {self._node: own},
            children={child: address(child) for child in children},
            broadcast=broadcast,
            files_per_call=files_per_call,
            services={name: address(name) for name in self._services_at},
            tasks={name: address(name) for name in self._plans},
        )

    async def stop(self) -> None:
        """End all; no process is left."""
        await asyncio.gather(*(service.stop() for service in self._services))
        await asyncio.gather(*(executor.stop() for executor in self._executors.values()))
        await self._host.stop()
