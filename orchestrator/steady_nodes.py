"""All nodes of a cluster, kept at the same point of the run whichever of them is lost.

What every node has to do is a *step*: synchronize, prepare, deploy, begin. A node that was started
again does the steps that the others have done. What needs all nodes at once, such as profiling, is
done again when one of them was lost meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from clusters.base import Cluster, NodeExit
from clusters.node_handle import NodeGoneError, NodeHandle
from jupiter.errors import ClusterError, JupiterError

Step = Callable[[NodeHandle], Awaitable[None]]
Made = TypeVar("Made")


class Audience(Protocol):
    """Who hears of nodes that come and go."""

    def lost(self, exit: NodeExit) -> None:
        """A node ended; it is started again now."""

    def back(self, name: str) -> None:
        """A node that was lost has caught up with the others."""

    def given_up(self, name: str, problem: JupiterError) -> None:
        """A node will not come back, so the run can't go on."""


class SteadyNodes:
    """Watches ``cluster``; lives in its event loop. A :class:`clusters.base.ClusterWatcher`."""

    def __init__(self, cluster: Cluster, audience: Audience) -> None:
        self._cluster = cluster
        self._audience = audience
        self._steps: list[Step] = []
        self._done = dict.fromkeys(cluster.nodes, 0)
        """How many of the steps each node has done since it was started."""
        self._turns = {name: asyncio.Lock() for name in cluster.nodes}
        self._changed = asyncio.Event()
        self._disturbable: asyncio.Task[Any] | None = None
        self._problem: JupiterError | None = None
        cluster.watch(self)

    async def each(self, step: Step) -> None:
        """Have every node do a step; returns when all have. Raises what a step raises, unless the
        node was lost: then it does the step when it is back."""
        self._steps.append(step)
        attempts = await asyncio.gather(
            *map(self._catch_up, self._cluster.nodes), return_exceptions=True
        )
        for problem in attempts:
            if isinstance(problem, BaseException) and not isinstance(problem, NodeGoneError):
                raise problem
        await self._all_caught_up()

    async def undisturbed(self, work: Callable[[], Coroutine[Any, Any, Made]]) -> Made:
        """Do work that needs all nodes; once more from its beginning if one is lost meanwhile."""
        while True:
            await self._all_caught_up()
            task = asyncio.create_task(work())
            self._disturbable = task
            try:
                await asyncio.wait({task})
                if not task.cancelled():
                    return task.result()
            except NodeGoneError:
                self._note_the_gone()
            finally:
                self._disturbable = None
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _catch_up(self, name: str) -> None:
        async with self._turns[name]:
            while self._done[name] < len(self._steps):
                await self._steps[self._done[name]](self._cluster.nodes[name])
                self._done[name] += 1
        self._changed.set()

    async def _all_caught_up(self) -> None:
        while any(done < len(self._steps) for done in self._done.values()):
            if self._problem is not None:
                raise self._problem
            self._changed.clear()
            await self._changed.wait()
        if self._problem is not None:
            raise self._problem

    def _note_the_gone(self) -> None:
        """A connection's end is seen before its process's: its node has all to do again."""
        for name, handle in self._cluster.nodes.items():
            if not handle.is_connected:
                self._done[name] = 0

    # The cluster tells

    async def node_lost(self, exit: NodeExit) -> None:
        self._done[exit.name] = 0
        if self._disturbable is not None:
            self._disturbable.cancel()
        self._audience.lost(exit)

    async def node_back(self, handle: NodeHandle) -> None:
        try:
            await self._catch_up(handle.name)
        except NodeGoneError:
            return  # lost again; the cluster tells so
        except JupiterError as error:
            self._give_up(handle.name, error)
        else:
            self._audience.back(handle.name)

    async def node_given_up(self, exit: NodeExit) -> None:
        self._give_up(exit.name, ClusterError(f"{exit.name} keeps ending: {exit.reason}"))

    def _give_up(self, name: str, problem: JupiterError) -> None:
        self._problem = problem
        self._changed.set()
        if self._disturbable is not None:
            self._disturbable.cancel()
        self._audience.given_up(name, problem)
