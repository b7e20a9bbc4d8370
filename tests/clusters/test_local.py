"""A local cluster: real processes, started, lost, started again and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from clusters.base import ClusterWatcher, NodeExit
from clusters.local import LocalCluster, free_ports
from clusters.node_handle import NodeHandle
from dispatcher.messages import Done, Synchronize, TimeQuery, TimeState
from jupiter.app import HOME
from jupiter.errors import ClusterError, InputError


def listener() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


def test_ports_in_use_are_passed_over():
    with listener() as taken:
        port = taken.getsockname()[1]
        found = free_ports(port, 65535, 3)
    assert len(set(found)) == 3
    assert found == sorted(found)
    assert port not in found


def test_too_few_free_ports_are_told():
    with listener() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"0 of the ports {port}-{port} can be had for 1"):
            free_ports(port, port, 1)


class Watcher(ClusterWatcher):
    """Puts what it is told into a queue."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[NodeExit | NodeHandle] = asyncio.Queue()

    async def node_lost(self, exit: NodeExit) -> None:
        self.told.put_nowait(exit)

    async def node_back(self, handle: NodeHandle) -> None:
        self.told.put_nowait(handle)

    async def node_given_up(self, exit: NodeExit) -> None:
        raise AssertionError(exit)


def pids_below(folder: Path) -> set[int]:
    """Processes with a file of ``folder`` open: nodes keep their log open as stderr."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "fd" / "2").readlink().is_relative_to(folder):
                found.add(int(process.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def test_a_lost_node_starts_again_on_its_ports_and_stop_leaves_nothing(tmp_path: Path):
    async def scenario() -> None:
        cluster = LocalCluster([HOME, "east"], tmp_path / "nodes", timeline="run", seed=1)
        await cluster.start()
        try:
            assert list(cluster.nodes) == [HOME, "east"]
            host, udp_port = cluster.reference
            for handle in cluster.nodes.values():
                await handle.ask(Synchronize(host=host, udp_port=udp_port), Done)
            watcher = Watcher()
            cluster.watch(watcher)
            port = cluster.nodes["east"].port
            (east,) = pids_below(tmp_path / "nodes" / "east") & {
                int(child) for child in children_of(os.getpid())
            }
            os.kill(east, signal.SIGKILL)
            lost = await watcher.told.get()
            assert isinstance(lost, NodeExit)
            assert (lost.name, lost.pid, lost.reason) == ("east", east, "killed by signal 9")
            back = await watcher.told.get()
            assert isinstance(back, NodeHandle)
            assert cluster.nodes["east"] is back
            assert back.port == port
            await back.ask(TimeQuery(), TimeState)
        finally:
            await cluster.stop()
        assert pids_below(tmp_path) == set()
        assert list(tmp_path.rglob("keys")) == []
        with pytest.raises(ClusterError):
            await back.ask(TimeQuery(), TimeState)

    asyncio.run(asyncio.wait_for(scenario(), 120))


def children_of(pid: int) -> list[str]:
    return [
        child
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
