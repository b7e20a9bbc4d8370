"""The Problem: what a scheduler is given, as plain immutable arrays.

Machines are *unrelated*: every (task, node) pair has its own cost. Links are directed. Nothing
here measures or decides; algorithms are one file each in this folder, found by
:mod:`scheduler.registry`.
The checks live in :mod:`scheduler.problem_checks`, the way from profiles in
:mod:`scheduler.problem_from_profiles`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scheduler.problem_checks import Checker

if TYPE_CHECKING:
    from jupiter.app import App
    from jupiter.profile import Profiles

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Problem:
    """Tasks of one job to be placed on nodes. Arrays are read-only; axes are named in brackets.

    tasks, nodes       names; index i of an axis is the i-th name
    cost_ns            int64 [task, node]; meaningless where ``allowed`` is False
    edges              int64 [edge, 2]: (parent, child) as task indices
    edge_bytes         float64 [edge]: how much goes over the edge
    latency_ns         int64 [node, node]: from row to column; the diagonal is a delivery at home
    ns_per_byte        float64 [node, node]: inverse bandwidth
    allowed            bool [task, node]; a pin is a row with one True
    node_millicores    int64 [node]: 1000 is one core
    task_millicores    int64 [task]: how much of a node a task holds while it runs
    clock_error_ns     int64 [node]: ε; an edge into a timed task costs ε of both its nodes more
    timed              bool [task]: the task fires at an instant, not by its inputs
    virtual            bool [task]: stands for home's releasing and collecting, runs no code

    Raises InputError (all findings together) for shapes that don't fit, NaN, negative numbers,
    duplicate names or edges, a cycle, and tasks that can run nowhere.
    """

    tasks: tuple[str, ...]
    nodes: tuple[str, ...]
    cost_ns: Int
    edges: Int
    edge_bytes: Float
    latency_ns: Int
    ns_per_byte: Float
    allowed: Bool
    node_millicores: Int
    task_millicores: Int
    clock_error_ns: Int
    timed: Bool
    virtual: Bool

    def __post_init__(self) -> None:
        check = Checker(tuple(self.tasks), tuple(self.nodes))
        values: dict[str, Any] = {
            "tasks": check.tasks,
            "nodes": check.nodes,
            "cost_ns": check.times("cost_ns", self.cost_ns, "task", "node"),
            "latency_ns": check.times("latency_ns", self.latency_ns, "node", "node"),
            "ns_per_byte": check.numbers("ns_per_byte", self.ns_per_byte, "node", "node"),
            "node_millicores": check.times("node_millicores", self.node_millicores, "node"),
            "task_millicores": check.times("task_millicores", self.task_millicores, "task"),
            "clock_error_ns": check.times("clock_error_ns", self.clock_error_ns, "node"),
            "allowed": check.flags("allowed", self.allowed, "task", "node"),
            "timed": check.flags("timed", self.timed, "task"),
            "virtual": check.flags("virtual", self.virtual, "task"),
        }
        values["edges"], values["edge_bytes"] = check.edges(self.edges, self.edge_bytes)
        check.raise_errors()
        values["allowed"] = check.feasible(
            values["allowed"], values["task_millicores"], values["node_millicores"]
        )
        check.acyclic(values["edges"])
        check.size(values)
        check.raise_errors()
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    @classmethod
    def build(
        cls,
        tasks: Sequence[str],
        nodes: Sequence[str],
        cost_ns: ArrayLike,
        edges: Sequence[tuple[str, str, float]],
        *,
        latency_ns: ArrayLike = 0,
        ns_per_byte: ArrayLike = 0.0,
        pins: Mapping[str, str] | None = None,
        allowed_nodes: Mapping[str, Sequence[str]] | None = None,
        node_millicores: ArrayLike = 1000,
        task_millicores: ArrayLike = 1000,
        clock_error_ns: ArrayLike = 0,
        timed: ArrayLike = True,
        virtual: ArrayLike = False,
    ) -> Problem:
        """A Problem from names: edges as (parent, child, bytes), pins as task → node.

        A scalar stands for every entry; a scalar latency_ns or ns_per_byte for every link between
        different nodes, a delivery within one node being free. Raises InputError as Problem does,
        and for unknown names.
        """
        check = Checker(tuple(tasks), tuple(nodes))
        edge_rows = [(check.task(a, "edges"), check.task(b, "edges")) for a, b, _ in edges]
        allowed = np.ones((len(tasks), len(nodes)), dtype=np.bool_)
        for task, names in (allowed_nodes or {}).items():
            row = check.task(task, "allowed_nodes")
            columns = [check.node(name, "allowed_nodes") for name in names]
            allowed[row] &= np.isin(np.arange(len(nodes)), columns)
        for task, name in (pins or {}).items():
            row = check.task(task, "pins")
            allowed[row] &= np.arange(len(nodes)) == check.node(name, "pins")
        check.raise_errors()
        return cls(
            tasks=tuple(tasks),
            nodes=tuple(nodes),
            cost_ns=_fill(cost_ns, (len(tasks), len(nodes))),
            edges=np.array(edge_rows, dtype=np.int64).reshape(-1, 2),
            edge_bytes=np.array([size for _, _, size in edges], dtype=np.float64),
            latency_ns=_links(latency_ns, len(nodes)),
            ns_per_byte=_links(ns_per_byte, len(nodes)),
            allowed=allowed,
            node_millicores=_fill(node_millicores, (len(nodes),)),
            task_millicores=_fill(task_millicores, (len(tasks),)),
            clock_error_ns=_fill(clock_error_ns, (len(nodes),)),
            timed=_fill(timed, (len(tasks),)),
            virtual=_fill(virtual, (len(tasks),)),
        )

    @classmethod
    def from_profiles(
        cls,
        app: App,
        nodes: Sequence[str],
        profiles: Profiles,
        *,
        clock_error_ns: Mapping[str, int] | None = None,
        exclude_home: bool = True,
        input_bytes: Mapping[str, float] | None = None,
    ) -> Problem:
        """What was measured, as a Problem; see :func:`scheduler.problem_from_profiles.convert`."""
        from scheduler.problem_from_profiles import convert

        return convert(
            app,
            nodes,
            profiles,
            clock_error_ns=clock_error_ns,
            exclude_home=exclude_home,
            input_bytes=input_bytes,
        )

    def transfer_ns(self, edge: int, source: int, target: int) -> int:
        """From the parent's end on ``source`` until the edge's child on ``target`` may start."""
        size = float(self.edge_bytes[edge]) * float(self.ns_per_byte[source, target])
        time = int(self.latency_ns[source, target]) + math.ceil(size)
        if source != target and self.timed[self.edges[edge, 1]]:
            time += int(self.clock_error_ns[source]) + int(self.clock_error_ns[target])
        return time

    @cached_property
    def timed_latency_ns(self) -> Int:
        """int64 [node, node]: latency_ns plus both ends' clock error, off the diagonal."""
        error = self.clock_error_ns[:, None] + self.clock_error_ns[None, :]
        np.fill_diagonal(error, 0)
        total: Int = self.latency_ns + error
        return total

    @cached_property
    def in_edges(self) -> list[Int]:
        """Per task the indices of the edges that end in it, in the order of ``edges``."""
        return _grouped(self.edges[:, 1], len(self.tasks))

    @cached_property
    def out_edges(self) -> list[Int]:
        """Per task the indices of the edges that begin in it, in the order of ``edges``."""
        return _grouped(self.edges[:, 0], len(self.tasks))

    @cached_property
    def topological_order(self) -> list[int]:
        """Every task after its parents; among the free ones the lowest index first."""
        children = self.edges[:, 1].tolist()
        missing = np.bincount(self.edges[:, 1], minlength=len(self.tasks)).tolist()
        free = [task for task, count in enumerate(missing) if count == 0]
        order = []
        while free:
            task = heapq.heappop(free)
            order.append(task)
            for edge in self.out_edges[task].tolist():
                child = children[edge]
                missing[child] -= 1
                if missing[child] == 0:
                    heapq.heappush(free, child)
        return order


def _fill(value: ArrayLike, shape: tuple[int, ...]) -> Any:
    """A scalar spread over ``shape``; an array as it is, for the checks to judge."""
    array = np.asarray(value)
    return np.broadcast_to(array, shape) if array.ndim == 0 else array


def _links(value: ArrayLike, nodes: int) -> Any:
    """As :func:`_fill`, with free deliveries on the diagonal."""
    array = np.asarray(value)
    return array * (1 - np.eye(nodes, dtype=array.dtype)) if array.ndim == 0 else array


def _grouped(keys: Int, groups: int) -> list[Int]:
    order = np.argsort(keys, kind="stable").astype(np.int64)
    ends = np.cumsum(np.bincount(keys, minlength=groups))
    return [
        order[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)
    ]
