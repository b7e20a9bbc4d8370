"""What makes a Problem valid, and how a finding is worded: every message names the item."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from jupiter.errors import InputError, raise_input_errors

LARGEST_NS = 2**62
"""All costs and transfers of a Problem together stay below this, so that int64 never overflows."""


class Checker:
    """Collects the findings about one Problem; nothing is raised before :meth:`raise_errors`."""

    def __init__(self, tasks: tuple[str, ...], nodes: tuple[str, ...]) -> None:
        self.tasks = tasks
        self.nodes = nodes
        self._errors: list[InputError] = []
        self._task_index = self._index("tasks", tasks)
        self._node_index = self._index("nodes", nodes)

    def _add(self, seen: str, fix: str, field: str) -> None:
        self._errors.append(InputError(seen, fix, field=field))

    def raise_errors(self) -> None:
        """Raise all findings together, if there are any."""
        raise_input_errors(self._errors)

    def _index(self, field: str, names: tuple[str, ...]) -> dict[str, int]:
        if not names:
            self._add(f"there are no {field}", f"give at least one of the {field}", field)
        index = {name: i for i, name in enumerate(names)}
        for i, name in enumerate(names):
            if index[name] != i:
                self._add(f"{name!r} is there twice", "give every one its own name", field)
        return index

    def task(self, name: str, field: str) -> int:
        """The index of a task; an unknown name is a finding."""
        return self._look_up(name, self._task_index, "task", field)

    def node(self, name: str, field: str) -> int:
        """The index of a node; an unknown name is a finding."""
        return self._look_up(name, self._node_index, "node", field)

    def _look_up(self, name: str, index: Mapping[str, int], what: str, field: str) -> int:
        if name not in index:
            near = difflib.get_close_matches(str(name), list(index), n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(index)}"
            self._add(f"there is no {what} {name!r}", fix, field)
            return 0
        return index[name]

    def numbers(self, field: str, value: Any, *axes: str) -> NDArray[np.float64]:
        """A float64 copy with the shape of ``axes``; NaN, infinities and negatives are findings."""
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            self._add(f"not an array of numbers: {error}", f"give one number per {axes}", field)
            return np.zeros(self._shape(axes))
        if not self._has_shape(field, array, axes):
            return np.zeros(self._shape(axes))
        self._no_bad_number(field, array, axes)
        return array

    def times(self, field: str, value: Any, *axes: str) -> NDArray[np.int64]:
        """As :meth:`numbers`, rounded up to whole numbers; int64 input stays exact."""
        array = np.asarray(value)
        if np.issubdtype(array.dtype, np.integer):
            if not self._has_shape(field, array, axes):
                return np.zeros(self._shape(axes), dtype=np.int64)
            self._no_bad_number(field, array, axes)
            return array.astype(np.int64)
        floats = self.numbers(field, value, *axes)
        if np.any(floats >= LARGEST_NS):
            self._add("a number is 2^62 or more", "give smaller numbers", field)
        usable = np.isfinite(floats) & (floats < LARGEST_NS)
        return np.ceil(np.where(usable, floats, 0)).astype(np.int64)

    def flags(self, field: str, value: Any, *axes: str) -> NDArray[np.bool_]:
        """A bool copy with the shape of ``axes``."""
        array = np.array(value, dtype=np.bool_)
        if self._has_shape(field, array, axes):
            return array
        return np.ones(self._shape(axes), dtype=np.bool_)

    def _shape(self, axes: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(len(self.tasks if axis == "task" else self.nodes) for axis in axes)

    def _has_shape(self, field: str, array: NDArray[Any], axes: tuple[str, ...]) -> bool:
        if array.shape == self._shape(axes):
            return True
        self._add(
            f"the shape is {array.shape}",
            f"give {self._shape(axes)}: one entry per ({', '.join(axes)})",
            field,
        )
        return False

    def _no_bad_number(self, field: str, array: NDArray[Any], axes: tuple[str, ...]) -> None:
        for where in np.argwhere(~(np.isfinite(array) & (array >= 0))):
            names = [
                (self.tasks if axis == "task" else self.nodes)[i]
                for axis, i in zip(axes, where, strict=True)
            ]
            self._add(
                f"{array[tuple(where)]} for {' → '.join(names)}",
                "give a finite number, 0 or more",
                field,
            )

    def edges(self, edges: Any, sizes: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The edges as index pairs and their bytes; bad indices, duplicates, bytes are findings."""
        pairs = np.array(edges, dtype=np.int64)
        byte_counts = np.array(sizes, dtype=np.float64)
        none = np.zeros((0, 2), dtype=np.int64), np.zeros(0)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or byte_counts.shape != pairs.shape[:1]:
            seen = f"edges have the shape {pairs.shape}, edge_bytes {byte_counts.shape}"
            self._add(seen, "give (E, 2) and (E,)", "edges")
            return none
        if np.any((pairs < 0) | (pairs >= len(self.tasks))):
            self._add("an edge names a task index that is not there", "count from 0", "edges")
            return none
        found = set()
        for (parent, child), size in zip(pairs.tolist(), byte_counts.tolist(), strict=True):
            name = f"{self.tasks[parent]} → {self.tasks[child]}"
            if (parent, child) in found:
                self._add(f"{name} is there twice", "merge the two and add their bytes", "edges")
            found.add((parent, child))
            if not (np.isfinite(size) and size >= 0):
                self._add(f"{size} bytes for {name}", "give 0 or more", "edge_bytes")
        return pairs, byte_counts

    def feasible(
        self,
        allowed: NDArray[np.bool_],
        task_millicores: NDArray[np.int64],
        node_millicores: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """``allowed`` without the nodes that are too small; a task with none left is a finding."""
        fits = allowed & (task_millicores[:, None] <= node_millicores[None, :])
        for row in np.flatnonzero(~fits.any(axis=1)):
            nodes = [self.nodes[i] for i in np.flatnonzero(allowed[row])]
            if nodes:
                seen = f"no allowed node ({', '.join(nodes)}) has {task_millicores[row]} millicores"
                fix = "allow a larger node, or ask for fewer cores"
            else:
                seen = "pins and forbidden nodes leave no node"
                fix = "pin it to a node that it is allowed on"
            self._add(f"{self.tasks[row]!r} can run nowhere: {seen}", fix, "allowed")
        return fits

    def acyclic(self, edges: NDArray[np.int64]) -> None:
        """A cycle is a finding that shows the way round."""
        graph = nx.DiGraph(edges.tolist())
        if nx.is_directed_acyclic_graph(graph):
            return
        cycle = nx.find_cycle(graph)
        way = " → ".join(self.tasks[task] for task in [*(a for a, _ in cycle), cycle[0][0]])
        self._add(f"the tasks form a cycle: {way}", "remove one of its edges", "edges")

    def size(self, values: Mapping[str, Any]) -> None:
        """Sums that int64 can't hold are a finding."""
        total = float(values["cost_ns"].max(axis=1).astype(np.float64).sum())
        total += float(values["edge_bytes"].sum()) * float(values["ns_per_byte"].max())
        hop = float(values["latency_ns"].max()) + 2 * float(values["clock_error_ns"].max())
        total += len(values["edges"]) * hop
        if total >= LARGEST_NS:
            self._add(
                f"costs and transfers add up to {total:.3g} ns", "check their unit: ns", "cost_ns"
            )
