import pytest
from hypothesis import given
from random_problems import random_problem, seeds

from jupiter.errors import InputError
from scheduler.heft import heft
from scheduler.problem import Problem
from scheduler.round_robin import round_robin
from scheduler.static import static
from scheduler.verify import violations


@given(seeds)
def test_round_robin_is_valid(seed):
    assert violations(round_robin(random_problem(seed))) == []


@given(seeds)
def test_static_is_valid_and_keeps_the_placement(seed):
    problem = random_problem(seed)
    wanted = heft(problem)
    names = [problem.nodes[i] for i in wanted.node]
    schedule = static(problem, placement=dict(zip(problem.tasks, names, strict=True)))
    assert violations(schedule) == []
    assert schedule.node.tolist() == wanted.node.tolist()


def four_tasks(**extras):
    return Problem.build(list("abcd"), ["x", "y"], [[1, 1]] * 4, [], **extras)


def test_round_robin_goes_round():
    assert round_robin(four_tasks()).placement() == {"a": "x", "b": "y", "c": "x", "d": "y"}


def test_round_robin_passes_over_forbidden_nodes_and_virtual_tasks():
    problem = four_tasks(pins={"a": "x", "b": "x"}, virtual=[True, False, False, False])
    assert round_robin(problem).placement() == {"b": "x", "c": "y", "d": "x"}


def test_static_needs_no_word_on_pinned_tasks():
    problem = four_tasks(pins={"a": "y"})
    placement = {"b": "x", "c": "x", "d": "y"}
    assert static(problem, placement=placement).placement() == {"a": "y", **placement}


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        ({"b": "x", "c": "x"}, "'d' has no node"),
        ({"b": "x", "c": "x", "d": "z"}, "'d' can't run on 'z'[\\s\\S]*x, y"),
        ({"a": "x", "b": "x", "c": "x", "d": "x"}, "'a' can't run on 'x'"),
        ({"b": "x", "c": "x", "d": "x", "e": "x"}, "there is no task 'e'"),
    ],
)
def test_static_refuses_by_name(placement, message):
    with pytest.raises(InputError, match=message):
        static(four_tasks(pins={"a": "y"}), placement=placement)
