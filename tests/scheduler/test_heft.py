import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from random_problems import random_problem, seeds

from scheduler.heft import heft
from scheduler.problem import Problem
from scheduler.rank import upward_ranks
from scheduler.verify import violations

# H. Topcuoglu, S. Hariri, M.-Y. Wu, IEEE TPDS 13(3), 2002: Table 1 and Figure 2.
TOPCUOGLU_COST = [
    (14, 16, 9),
    (13, 19, 18),
    (11, 13, 19),
    (13, 8, 17),
    (12, 13, 10),
    (13, 16, 9),
    (7, 15, 11),
    (5, 11, 14),
    (18, 12, 20),
    (21, 7, 16),
]
TOPCUOGLU_EDGES = (
    "1-2:18 1-3:12 1-4:9 1-5:11 1-6:14 2-8:19 2-9:16 3-7:23 4-8:27 4-9:23 5-9:13 6-8:15 "
    "7-10:17 8-10:11 9-10:13"
)

# H. Arabnejad, J. G. Barbosa, IEEE TPDS 25(3), 2014: Figure 1.
PEFT_COST = [
    (22, 21, 36),
    (22, 18, 18),
    (32, 27, 43),
    (7, 10, 4),
    (29, 27, 35),
    (26, 17, 24),
    (14, 25, 30),
    (29, 23, 36),
    (15, 21, 8),
    (13, 16, 33),
]
PEFT_EDGES = (
    "1-2:17 1-3:31 1-4:29 1-5:13 1-6:7 2-8:3 2-9:30 3-7:16 4-8:11 4-9:7 5-9:57 6-8:5 7-10:9 "
    "8-10:42 9-10:7"
)


def example(cost, edges):
    names = [str(i + 1) for i in range(len(cost))]
    rows = [(*edge.split(":")[0].split("-"), float(edge.split(":")[1])) for edge in edges.split()]
    nodes = [f"P{i + 1}" for i in range(len(cost[0]))]
    return Problem.build(names, nodes, cost, rows, ns_per_byte=1.0)


def test_topcuoglu_2002_schedule():
    schedule = heft(example(TOPCUOGLU_COST, TOPCUOGLU_EDGES))
    assert schedule.makespan_ns == 80
    assert (schedule.node + 1).tolist() == [3, 1, 3, 2, 3, 2, 3, 1, 2, 2]
    assert schedule.start_ns.tolist() == [0, 27, 9, 18, 28, 26, 38, 57, 56, 73]
    assert schedule.finish_ns.tolist() == [9, 40, 28, 26, 38, 42, 49, 62, 68, 80]
    assert violations(schedule) == []


def test_topcuoglu_2002_ranks():
    ranks = upward_ranks(example(TOPCUOGLU_COST, TOPCUOGLU_EDGES))
    published = [108, 77, 80, 80, 69, 63.333, 42.667, 35.667, 44.333, 14.667]
    assert [rank / 3 for rank in ranks] == pytest.approx(published, abs=1e-3)
    assert ranks[2] == ranks[3]


def test_peft_2014_schedule():
    schedule = heft(example(PEFT_COST, PEFT_EDGES))
    assert schedule.makespan_ns == 133
    assert (schedule.node + 1).tolist() == [2, 1, 2, 3, 2, 3, 2, 1, 3, 1]
    assert schedule.start_ns.tolist() == [0, 38, 48, 52, 21, 28, 75, 67, 105, 120]
    assert violations(schedule) == []


WORKED = (
    Path(__file__).parents[2].parent
    / "shared"
    / "data"
    / "worked_examples"
    / "worked_examples.json"
)


@pytest.mark.skipif(not WORKED.is_file(), reason="the worked examples are not beside the checkout")
def test_worked_examples():
    checked = 0
    for item in json.loads(WORKED.read_text()):
        if "HEFT" not in item.get("known", {}) or "W" not in item:
            continue
        edges = " ".join(f"{a}-{b}:{size}" for a, b, size in item["edges"])
        schedule = heft(example(item["W"], edges))
        assert schedule.makespan_ns == item["known"]["HEFT"], item["name"]
        assert violations(schedule) == []
        checked += 1
    assert checked >= 2


@given(seeds)
def test_every_schedule_is_valid(seed):
    assert violations(heft(random_problem(seed))) == []


@given(seeds)
def test_the_same_problem_gives_the_same_schedule(seed):
    one, two = heft(random_problem(seed)), heft(random_problem(seed))
    assert one.node.tolist() == two.node.tolist()
    assert one.start_ns.tolist() == two.start_ns.tolist()


@given(seeds)
def test_names_and_their_order_change_nothing(seed):
    problem = random_problem(seed, plain=True, ties=False)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(problem.tasks)), rng.permutation(len(problem.nodes))
    square = np.ix_(columns, columns)
    turned = Problem.build(
        [problem.tasks[i] for i in rows],
        [problem.nodes[i] for i in columns],
        problem.cost_ns[np.ix_(rows, columns)],
        [
            (problem.tasks[a], problem.tasks[b], size)
            for (a, b), size in reversed(
                list(zip(problem.edges.tolist(), problem.edge_bytes.tolist(), strict=True))
            )
        ],
        latency_ns=problem.latency_ns[square],
        ns_per_byte=problem.ns_per_byte[square],
    )
    one, two = heft(problem), heft(turned)
    assert one.makespan_ns == two.makespan_ns
    assert one.placement() == two.placement()


def test_a_gap_is_filled():
    problem = Problem.build(
        ["a", "b", "c"],
        ["x", "y"],
        [[10, 99], [99, 10], [4, 99]],
        [("a", "b", 1)],
        pins={"a": "x", "b": "y", "c": "x"},
        latency_ns=1,
    )
    schedule = heft(problem)
    assert schedule.start_ns[2] == 10
    late = Problem.build(
        ["a", "b", "c"],
        ["x", "y"],
        [[99, 10], [10, 99], [4, 99]],
        [("a", "b", 1)],
        pins={"a": "y", "b": "x", "c": "x"},
        latency_ns=1,
    )
    assert heft(late).start_ns.tolist() == [0, 11, 0]


def test_a_node_with_two_cores_runs_two_tasks_at_once():
    two = Problem.build(["a", "b"], ["x"], [[5], [5]], [], node_millicores=2000)
    assert heft(two).makespan_ns == 5
    wide = Problem.build(
        ["a", "b"], ["x"], [[5], [5]], [], node_millicores=2000, task_millicores=[2000, 1000]
    )
    assert heft(wide).makespan_ns == 10


def test_clock_error_pulls_timed_stages_together():
    arguments = {
        "tasks": ["a", "b"],
        "nodes": ["x", "y"],
        "cost_ns": [[10, 99], [30, 10]],
        "edges": [("a", "b", 0)],
        "latency_ns": 1,
    }
    assert heft(Problem.build(**arguments)).placement() == {"a": "x", "b": "y"}
    unsure = Problem.build(**arguments, clock_error_ns=[15, 15])
    assert heft(unsure).placement() == {"a": "x", "b": "x"}


def test_many_tasks_on_many_nodes():
    rng = np.random.default_rng(7)
    names = [f"t{i}" for i in range(800)]
    edges = {(names[int(rng.integers(i))], names[i]) for i in range(1, 800) for _ in range(3)}
    problem = Problem.build(
        names,
        [f"n{i}" for i in range(8)],
        rng.integers(1, 10**7, (800, 8)),
        [(a, b, 1000.0) for a, b in sorted(edges)],
        latency_ns=10**5,
        ns_per_byte=10.0,
    )
    assert violations(heft(problem)) == []
