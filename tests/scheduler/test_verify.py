import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_problems import random_problem, seeds

from scheduler.heft import heft
from scheduler.problem import Problem
from scheduler.schedule import Schedule
from scheduler.verify import violations


def problem(**extras):
    return Problem.build(
        ["a", "b", "c"],
        ["x", "y"],
        [[10, 20], [10, 20], [10, 20]],
        [("a", "b", 4)],
        latency_ns=5,
        ns_per_byte=1.0,
        pins={"c": "y"},
        **extras,
    )


GOOD = ([0, 0, 1], [0, 10, 0], [10, 20, 20])


def test_a_good_schedule_has_no_violation():
    assert violations(Schedule.of(problem(), *GOOD)) == []


@pytest.mark.parametrize(
    ("node", "start", "finish", "rule", "item"),
    [
        ([0, 0, 0], [0, 10, 20], [10, 20, 30], "node", "c"),
        ([0, 0, 7], [0, 10, 0], [10, 20, 20], "node", "c"),
        ([0, 0, 1], [0, 9, 0], [10, 19, 20], "precedence", "a → b"),
        ([0, 1, 1], [0, 18, 38], [10, 38, 58], "precedence", "a → b"),
        ([0, 0, 1], [0, 10, 0], [10, 19, 20], "duration", "b"),
        ([0, 0, 1], [-1, 10, 0], [9, 20, 20], "start", "a"),
        ([0, 1, 1], [0, 19, 0], [10, 39, 20], "capacity", "y"),
    ],
)
def test_each_rule_is_seen(node, start, finish, rule, item):
    found = violations(Schedule.of(problem(), node, start, finish))
    assert (rule, item) in [(each.rule, each.item) for each in found]
    assert rule in str(found[0]) or len(found) > 1


def test_clock_error_is_part_of_the_precedence():
    late_enough = ([0, 1, 1], [0, 19, 39], [10, 39, 59])
    assert violations(Schedule.of(problem(), *late_enough)) == []
    [found] = violations(Schedule.of(problem(clock_error_ns=[2, 1]), *late_enough))
    assert found.text == "the child starts 3 ns too early"


@given(seeds, st.data())
def test_a_schedule_that_is_disturbed_is_caught(seed, data):
    schedule = heft(random_problem(seed))
    task = data.draw(st.integers(0, len(schedule.problem.tasks) - 1))
    finish = schedule.finish_ns.copy()
    finish[task] += data.draw(st.sampled_from([-1, 1]))
    found = violations(Schedule.of(schedule.problem, schedule.node, schedule.start_ns, finish))
    assert any(each.rule == "duration" for each in found)


def test_the_wrong_number_of_entries_is_refused():
    with pytest.raises(ValueError, match="start_ns has the shape"):
        Schedule.of(problem(), [0, 0, 1], [0], [1, 1, 1])


def test_placement_leaves_virtual_tasks_out():
    schedule = Schedule.of(problem(virtual=[True, False, False]), *GOOD)
    assert schedule.placement() == {"b": "x", "c": "y"}
    assert schedule.makespan_ns == 20
