"""The Schedule: where and when every task of a Problem runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scheduler.problem import Problem


@dataclass(frozen=True, eq=False)
class Schedule:
    """One job's plan. Arrays are int64 [task] in the order of ``problem.tasks``, read-only.

    node is an index into ``problem.nodes``; times are ns from the job's release. A Schedule says
    what was planned; whether it is valid is judged by :func:`scheduler.verify.violations`.
    """

    problem: Problem
    node: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    finish_ns: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("node", "start_ns", "finish_ns"):
            array = np.array(getattr(self, name), dtype=np.int64)
            if array.shape != (len(self.problem.tasks),):
                raise ValueError(
                    f"{name} has the shape {array.shape}, not one entry for each of "
                    f"{len(self.problem.tasks)} tasks"
                )
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def of(
        cls, problem: Problem, node: ArrayLike, start_ns: ArrayLike, finish_ns: ArrayLike
    ) -> Schedule:
        """The same from anything that numpy reads as integers."""
        return cls(problem, np.asarray(node), np.asarray(start_ns), np.asarray(finish_ns))

    @property
    def makespan_ns(self) -> int:
        """When the last task ends; with virtual tasks, when home has everything."""
        return int(self.finish_ns.max())

    def placement(self) -> dict[str, str]:
        """Task → node in the order of the tasks, without the virtual ones."""
        return {
            task: self.problem.nodes[self.node[i]]
            for i, task in enumerate(self.problem.tasks)
            if not self.problem.virtual[i]
        }
