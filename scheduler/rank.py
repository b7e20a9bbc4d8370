"""Upward ranks: how long the rest of the job takes from a task on, averaged over nodes and links.

rank_u(i) = mean cost of i + max over children j ( mean transfer (i, j) + rank_u(j) )
(Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002, equation 8).

Ranks are exact integers, the paper's times the number of nodes: equal ranks are equal on every
platform, and renaming tasks or nodes changes none.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scheduler.problem import Problem


def upward_ranks(problem: Problem) -> list[int]:
    """rank_u × len(nodes) of every task, in ns."""
    nodes = len(problem.nodes)
    ranks = scaled_mean_costs(problem)
    transfers = mean_transfers_ns(problem)
    children: list[int] = problem.edges[:, 1].tolist()
    for task in reversed(problem.topological_order):
        ranks[task] += max(
            (nodes * transfers[e] + ranks[children[e]] for e in problem.out_edges[task].tolist()),
            default=0,
        )
    return ranks


def by_upward_rank(problem: Problem) -> list[int]:
    """The tasks by falling rank; equals in topological order, so parents always come first."""
    ranks = upward_ranks(problem)
    return sorted(problem.topological_order, key=lambda task: -ranks[task])


def scaled_mean_costs(problem: Problem) -> list[int]:
    """Mean cost over the allowed nodes × len(nodes), as whole numbers."""
    nodes = len(problem.nodes)
    sums = np.where(problem.allowed, problem.cost_ns, 0).sum(axis=1).tolist()
    counts = problem.allowed.sum(axis=1).tolist()
    return [
        total if count == nodes else total * nodes // count
        for total, count in zip(sums, counts, strict=True)
    ]


def mean_transfers_ns(problem: Problem) -> list[int]:
    """Mean transfer time of every edge over the pairs of different nodes that its ends may take."""
    if len(problem.edges) == 0:
        return []
    rows, group = np.unique(problem.allowed, axis=0, return_inverse=True)
    group = group.reshape(-1)
    timed = problem.timed[problem.edges[:, 1]]
    kinds = np.stack(
        [group[problem.edges[:, 0]], group[problem.edges[:, 1]], timed.astype(np.int64)], axis=1
    )
    unique, kind = np.unique(kinds, axis=0, return_inverse=True)
    means = np.array(
        [_mean_link(problem, rows[a], rows[b], bool(with_error)) for a, b, with_error in unique]
    )[kind.reshape(-1)]
    transfers = np.rint(means[:, 0] + problem.edge_bytes * means[:, 1])
    return [int(value) for value in transfers.tolist()]


def _mean_link(
    problem: Problem, sources: NDArray[np.bool_], targets: NDArray[np.bool_], timed: bool
) -> tuple[float, float]:
    """Mean (latency_ns, ns_per_byte) over the pairs; fsum, because its result knows no order."""
    pairs = sources[:, None] & targets[None, :] & ~np.eye(len(sources), dtype=np.bool_)
    count = int(pairs.sum())
    if count == 0:
        return 0.0, 0.0
    latency = problem.timed_latency_ns if timed else problem.latency_ns
    return (
        sum(latency[pairs].tolist()) / count,
        math.fsum(problem.ns_per_byte[pairs].tolist()) / count,
    )
