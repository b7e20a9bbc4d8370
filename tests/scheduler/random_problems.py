"""Random problems for the property tests, from one seed each."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from scheduler.problem import Problem


def random_problem(seed: int, *, plain: bool = False, ties: bool = True) -> Problem:
    """Up to 25 tasks on up to 6 nodes; ``plain`` leaves out pins, cores and clock errors.

    With ties, numbers are small, zeros included; without, they are so large that no two sums agree.
    """
    rng = np.random.default_rng(seed)
    tasks, nodes = int(rng.integers(1, 26)), int(rng.integers(1, 7))
    low, high = (0, 6) if ties else (10**8, 10**9)
    density = rng.uniform(0, 0.5)
    names = [f"t{i}" for i in range(tasks)]
    edges = [
        (names[a], names[b], float(rng.integers(low, high)))
        for b in range(tasks)
        for a in range(b)
        if rng.random() < density
    ]
    off_diagonal = 1 - np.eye(nodes)
    node_names = [f"n{i}" for i in range(nodes)]
    extras = {}
    if not plain:
        extras = {
            "pins": {
                name: node_names[int(rng.integers(nodes))] for name in names if rng.random() < 0.2
            },
            "node_millicores": rng.integers(1, 4, nodes) * 1000,
            "task_millicores": rng.integers(0, 3, tasks) * 500,
            "clock_error_ns": rng.integers(low, high, nodes),
            "timed": rng.random(tasks) < 0.5,
            "virtual": rng.random(tasks) < 0.1,
        }
    return Problem.build(
        names,
        node_names,
        rng.integers(low, high, (tasks, nodes)),
        edges,
        latency_ns=rng.integers(low, high, (nodes, nodes)) * off_diagonal,
        ns_per_byte=rng.uniform(0, 2, (nodes, nodes)) * off_diagonal,
        **extras,
    )


seeds = st.integers(0, 2**32 - 1)
