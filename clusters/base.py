"""What every kind of cluster offers: nodes that were started, and their end.

A cluster kind knows how to start the node program somewhere and stop it again. What the nodes are
asked to do is the business of the orchestrator, through :class:`clusters.node_handle.NodeHandle`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from clusters.node_handle import NodeHandle


@dataclass(frozen=True, slots=True)
class NodeExit:
    """A node ended though nobody asked it to."""

    name: str
    pid: int
    reason: str


class ClusterWatcher(Protocol):
    """Who is told when nodes come and go. Called in the event loop."""

    async def node_lost(self, exit: NodeExit) -> None:
        """A node ended; the cluster starts it again now."""

    async def node_back(self, handle: NodeHandle) -> None:
        """A node is up again and connected; it knows nothing but its spool."""

    async def node_given_up(self, exit: NodeExit) -> None:
        """A node keeps ending; it will not be started again."""


class Cluster(ABC):
    """A set of node processes. ``nodes`` has a handle for each, by name."""

    nodes: dict[str, NodeHandle]
    one_machine: bool
    """All nodes share one CLOCK_MONOTONIC."""

    @abstractmethod
    async def start(self) -> None:
        """Start all nodes and wait until each answers.

        Raises InputError for what the operator can mend (a port in use), ClusterError otherwise;
        then nothing is left running.
        """

    @abstractmethod
    def watch(self, watcher: ClusterWatcher) -> None:
        """From now on, restart nodes that end, and tell ``watcher``."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop all nodes and remove what :meth:`start` made, whatever state they are in."""

    @abstractmethod
    def tidy(self) -> None:
        """After :meth:`stop`, when every job has ended: remove what only a restart would need."""

    @property
    @abstractmethod
    def clock_models(self) -> dict[str, dict[str, Any]] | None:
        """Each node's emulated clock as data, or None where clocks are real."""
