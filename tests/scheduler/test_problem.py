import numpy as np
import pytest

from jupiter.errors import InputError
from scheduler.problem import Problem


def small(**changes):
    arguments = {
        "tasks": ["a", "b"],
        "nodes": ["x", "y"],
        "cost_ns": [[1, 2], [3, 4]],
        "edges": [("a", "b", 10)],
        "latency_ns": 5,
        "ns_per_byte": 2.0,
    }
    return Problem.build(**(arguments | changes))


def test_transfer_is_latency_plus_bytes_rounded_up_and_free_within_a_node():
    problem = small(ns_per_byte=1.25)
    assert problem.transfer_ns(0, 0, 1) == 5 + 13
    assert problem.transfer_ns(0, 0, 0) == 0


def test_links_may_differ_by_direction():
    problem = small(latency_ns=[[0, 7], [9, 0]], ns_per_byte=0.0)
    assert (problem.transfer_ns(0, 0, 1), problem.transfer_ns(0, 1, 0)) == (7, 9)


def test_clock_errors_count_on_edges_into_timed_tasks_between_nodes():
    problem = small(clock_error_ns=[100, 30], ns_per_byte=0.0)
    assert problem.transfer_ns(0, 0, 1) == 5 + 130
    assert problem.transfer_ns(0, 1, 1) == 0
    assert small(clock_error_ns=[100, 30], ns_per_byte=0.0, timed=False).transfer_ns(0, 0, 1) == 5


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        small().cost_ns[0, 0] = 1


def test_the_callers_array_is_neither_shared_nor_frozen():
    cost = np.array([[1, 2], [3, 4]])
    problem = small(cost_ns=cost)
    cost[0, 0] = 99
    assert problem.cost_ns[0, 0] == 1


def test_topological_order_takes_the_lowest_index_among_the_free():
    problem = Problem.build(
        ["c", "a", "b", "d"], ["x"], np.ones((4, 1)), [("b", "a", 0), ("c", "d", 0)]
    )
    assert problem.topological_order == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cost_ns": [[1, 2]]}, r"cost_ns: the shape is \(1, 2\)[\s\S]*\(2, 2\)"),
        ({"cost_ns": [[1, float("nan")], [3, 4]]}, "cost_ns: nan for a → y"),
        ({"cost_ns": [[1, 2], [-3, 4]]}, "cost_ns: -3 for b → x"),
        ({"cost_ns": [[1, 2], [3, float("inf")]]}, "cost_ns: inf for b → y"),
        ({"cost_ns": [["one", 2], [3, 4]]}, "cost_ns: not an array of numbers"),
        ({"latency_ns": [[0, -1], [0, 0]]}, "latency_ns: -1 for x → y"),
        ({"ns_per_byte": [[0, np.inf], [0, 0]]}, "ns_per_byte: inf for x → y"),
        ({"latency_ns": [0, 1]}, "latency_ns: the shape is"),
        ({"clock_error_ns": [1, -1]}, "clock_error_ns: -1 for y"),
        ({"edges": [("a", "b", 1), ("b", "a", 1)]}, "cycle: (a → b → a|b → a → b)"),
        ({"edges": [("a", "a", 1)]}, "cycle: a → a"),
        ({"edges": [("a", "b", 1), ("a", "b", 1)]}, "a → b is there twice"),
        ({"edges": [("a", "b", -1)]}, "-1.0 bytes for a → b"),
        ({"edges": [("a", "bb", 1)]}, "no task 'bb'[\\s\\S]*did you mean 'b'"),
        ({"tasks": ["a", "a"], "edges": []}, "tasks: 'a' is there twice"),
        ({"tasks": [], "cost_ns": np.zeros((0, 2)), "edges": []}, "there are no tasks"),
        ({"pins": {"a": "z"}}, "pins: there is no node 'z'"),
        ({"pins": {"q": "x"}}, "pins: there is no task 'q'"),
        ({"pins": {"a": "x"}, "allowed_nodes": {"a": ["y"]}}, "'a' can run nowhere: pins"),
        ({"task_millicores": [1000, 2000]}, "'b' can run nowhere: no allowed node \\(x, y\\)"),
        ({"cost_ns": [[2**61, 1], [2**61, 1]]}, "add up to"),
        ({"cost_ns": [[1e30, 1], [1, 1]]}, r"2\^62 or more"),
    ],
)
def test_bad_input_is_refused_by_name(changes, message):
    with pytest.raises(InputError, match=message):
        small(**changes)


def test_all_findings_come_together():
    with pytest.raises(InputError) as caught:
        small(cost_ns=[[1, -2], [3, float("nan")]], clock_error_ns=[-1, 0])
    assert all(text in str(caught.value) for text in ("a → y", "b → y", "clock_error_ns"))


def test_a_node_that_is_too_small_is_not_allowed():
    problem = small(task_millicores=[1000, 2000], node_millicores=[1000, 4000])
    assert problem.allowed.tolist() == [[True, True], [False, True]]
