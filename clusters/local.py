"""A cluster of processes on this machine: one process per node, each with its own port, folder,
spool and (emulated) clock. Needs nothing but Python."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from clusters.base import Cluster, ClusterWatcher, NodeExit
from clusters.node_handle import NodeHandle
from clusters.together import together
from dispatcher.messages import ROOF, Done, Stop, TimeQuery, TimeState
from dispatcher.node_config import NodeConfig
from jupiter.app import HOME
from jupiter.errors import ClusterError, InputError
from qot.clock import ClockModel, monotonic_ns
from qot.service_config import Role, ServiceConfig
from transport.identity import Authority
from transport.tls import client_context

HOST = "127.0.0.1"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_LAST_WORDS_S = 2.0
"""How long after its connection a node's process may end by itself."""
_MOST_RESTARTS = 20


class _Process:
    """One node process and what it takes to start it again as it was."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self.name = name
        self.folder = folder
        self.process: asyncio.subprocess.Process | None = None
        self.handle: NodeHandle | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.restarts = 0
        self.port = port
        self.udp_port = 0


class LocalCluster(Cluster):
    """names are the nodes; folder has one folder per node below it.

    seed decides the emulated clocks. ports is the range to take the nodes' ports from, both ends
    included, in the order of names; None lets the system choose.
    """

    one_machine = True

    def __init__(
        self,
        names: Sequence[str],
        folder: Path,
        *,
        timeline: str,
        seed: int,
        ports: tuple[int, int] | None = None,
    ) -> None:
        self.nodes: dict[str, NodeHandle] = {}
        self._names = list(names)
        self._folder = folder
        self._timeline = timeline
        self._ports = ports
        self._key_hex = secrets.token_hex(32)
        self._clocks = emulated_clocks(names, seed)
        self._processes: dict[str, _Process] = {}
        self._watcher: ClusterWatcher | None = None

    @property
    def clock_models(self) -> dict[str, dict[str, Any]]:
        return {name: model.as_dict() for name, model in self._clocks.items()}

    async def start(self) -> None:
        count = len(self._names)
        ports = [0] * count if self._ports is None else free_ports(*self._ports, count)
        authority = Authority(self._folder.parent.name)
        self._context = client_context(authority.issue(ROOF, self._folder / ".roof-keys"))
        try:
            for name, port in zip(self._names, ports, strict=True):
                folder = self._folder / name
                folder.mkdir(parents=True, exist_ok=True)
                authority.issue(name, folder / "keys")
                self._processes[name] = _Process(name, folder, port)
            async with asyncio.timeout(_START_TIMEOUT_S):
                await together(*map(self._launch, self._processes.values()))
            self.nodes = {name: self.nodes[name] for name in self._names}
        except TimeoutError:
            await self.stop()
            raise ClusterError(
                f"the nodes were not ready after {_START_TIMEOUT_S:.0f} s; "
                f"their logs are {self._folder}/*/node.log"
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def _launch(self, node: _Process) -> None:
        """Start one process and connect to it."""
        config = NodeConfig(
            name=node.name,
            folder=str(node.folder),
            host=HOST,
            port=node.port,
            credentials=str(node.folder / "keys"),
            time=self._time_config(node).to_json(),
            restarts=node.restarts,
        )
        with (node.folder / "node.log").open("ab") as log:
            node.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dispatcher.node_main",
                node.name,  # it is told its name by stdin; this is for who looks at ps
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )
        assert node.process.stdin is not None
        assert node.process.stdout is not None
        node.process.stdin.write(msgspec.json.encode(config) + b"\n")
        node.process.stdin.close()
        line = await node.process.stdout.readline()
        answer: dict[str, Any] = (
            json.loads(line) if line else {"seen": _last_words(node), "fix": ""}
        )
        if not answer.get("ready"):
            if answer["fix"]:
                raise InputError(answer["seen"], answer["fix"])
            raise ClusterError(f"{node.name} did not start: {answer['seen']}")
        node.port = answer["port"]
        node.handle = NodeHandle(node.name, HOST, node.port)
        await node.handle.connect(self._context)
        state, _ = await node.handle.ask(TimeQuery(), TimeState)
        node.udp_port = state.udp_port
        self.nodes[node.name] = node.handle

    def _time_config(self, node: _Process) -> ServiceConfig:
        is_reference = node.name == HOME
        return ServiceConfig(
            node=node.name,
            timeline=self._timeline,
            role=Role.REFERENCE if is_reference else Role.FOLLOWER,
            key_hex=self._key_hex,
            page_path=str(node.folder / "timeline.page"),
            clock=self._clocks[node.name],
            bind=(HOST, node.udp_port),
            reference_max_drift_ppb=self._clocks[HOME].max_drift_ppb,
        )

    @property
    def reference(self) -> tuple[str, int]:
        """Where the reference of the timeline answers."""
        return HOST, self._processes[HOME].udp_port

    def watch(self, watcher: ClusterWatcher) -> None:
        self._watcher = watcher
        for node in self._processes.values():
            node.keeper = asyncio.create_task(self._keep(node), name=f"keeper of {node.name}")

    async def _keep(self, node: _Process) -> None:
        """Start the node again whenever it ends, until that was done too often."""
        assert self._watcher is not None
        assert node.process is not None
        try:
            while True:
                lost: NodeExit | None = await self._lost(node)
                while lost is not None:
                    if node.restarts >= _MOST_RESTARTS:
                        await self._watcher.node_given_up(lost)
                        return
                    await self._watcher.node_lost(lost)
                    lost = await self._started_again(node)
                assert node.handle is not None
                await self._watcher.node_back(node.handle)
        except Exception as error:  # a defect: better a run that ends than one that waits for ever
            traceback.print_exc()
            reason = f"it can't be looked after: {error!r}"
            await self._watcher.node_given_up(NodeExit(node.name, node.process.pid, reason))

    async def _lost(self, node: _Process) -> NodeExit:
        """Wait until the node is lost: its process ended, or can't be spoken to any more."""
        assert node.process is not None
        assert node.handle is not None
        await node.handle.gone.wait()
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                code = await node.process.wait()
        except TimeoutError:
            await _kill(node.process)
            reason = "its connection broke, so it was ended"
        else:
            reason = _how_it_ended(code, node)
        return NodeExit(node.name, node.process.pid, reason)

    async def _started_again(self, node: _Process) -> NodeExit | None:
        """Try to start a node that ended; None when it is ready, else how that failed."""
        node.restarts += 1
        before = node.process
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._launch(node)
        except TimeoutError:
            reason = f"it was not ready after {_START_TIMEOUT_S:.0f} s"
        except (ClusterError, InputError, OSError) as error:
            reason = str(error)
        else:
            return None
        assert node.process is not None
        if node.process is not before:
            code = await _kill(node.process)
            reason = _how_it_ended(code, node) if code < 0 else reason
        return NodeExit(node.name, node.process.pid, reason)

    async def stop(self) -> None:
        keepers = [node.keeper for node in self._processes.values() if node.keeper is not None]
        for keeper in keepers:
            keeper.cancel()
        # The keys go first: this is the end of the run, and nobody gets connected any more.
        for folder in [self._folder / ".roof-keys", *self._folder.glob("*/keys")]:
            shutil.rmtree(folder, ignore_errors=True)
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*map(self._end, self._processes.values()))

    def tidy(self) -> None:
        for folder in (self._folder / name for name in self._names):
            for segment in folder.glob("spool/*.spool"):
                segment.unlink()
            for staged in (folder / "centralized_scheduler", folder / "work"):
                shutil.rmtree(staged, ignore_errors=True)

    async def _end(self, node: _Process) -> None:
        """Ask, then tell, then kill."""
        process = node.process
        if process is None:
            return
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                if node.handle is not None and node.handle.is_connected:
                    with contextlib.suppress(ClusterError):
                        await node.handle.ask(Stop(), Done)
                elif process.returncode is None:
                    process.terminate()
                await process.wait()
        except TimeoutError:
            await _kill(process)
        if node.handle is not None:
            node.handle.close()


def emulated_clocks(names: Sequence[str], seed: int) -> dict[str, ClockModel]:
    """A quartz of its own for each node, all within the stated drift."""
    epoch_ns = monotonic_ns()
    return {name: ClockModel.emulate(seed, name, epoch_ns) for name in names}


def free_ports(first: int, last: int, count: int) -> list[int]:
    """The lowest ``count`` ports from first to last that nobody listens on. Raises InputError."""
    free = []
    for port in range(first, last + 1):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            free.append(port)
        if len(free) == count:
            return free
    raise InputError(
        f"{len(free)} of the ports {first}-{last} can be had for {count} nodes; the others are in "
        "use or reserved",
        "end what uses them, choose another range, or leave it out",
        field="PORT_RANGE",
    )


def _environment() -> dict[str, str]:
    """Children find the same packages as this process, from wherever it was started."""
    root = str(Path(__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def _last_words(node: _Process) -> str:
    log = (node.folder / "node.log").read_text(errors="replace").strip()
    return log.splitlines()[-1] if log else "it said nothing"


async def _kill(process: asyncio.subprocess.Process) -> int:
    """End a process that may have ended already; gives its exit code."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    return await process.wait()


def _how_it_ended(code: int, node: _Process) -> str:
    if code < 0:
        return f"killed by signal {-code}"
    return f"exit code {code}: {_last_words(node)}"
