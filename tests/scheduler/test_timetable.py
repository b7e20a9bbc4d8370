from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import seeds
from random_timetables import broken_promises, make_app, random_timetable_problem

from jupiter.app import HOME, Task, TaskTiming, Trigger
from jupiter.errors import InputError
from jupiter.timetable import Slot, Timetable
from jupiter.units import parse_duration_ns
from scheduler.timetable import solve, synthesise
from scheduler.timetable_problem import TimetableProblem
from scheduler.timetable_verify import timetable_violations

MS = 10**6


def stage(name, *children, event=False, cores=1.0, **timing):
    trigger = Trigger.EVENT if event else Trigger.TIME
    return Task(name, name, children, trigger=trigger, cores=cores, timing=TaskTiming(**timing))


def arguments(*stages, period=100 * MS, nodes=None, ingress=None, **changes):
    """Stages of 10 ms, each on its own node; hops of 1 ms; ε 2 ms late, 3 ms early; J 0.5 ms."""
    names = [each.name for each in stages]
    called = {child for each in stages for child in each.children}
    app = make_app(
        {each.name: each for each in stages},
        ingress or tuple(name for name in names if name not in called),
        period,
    )
    placement = nodes or {name: f"node_{name}" for name in names}
    used = {*placement.values(), HOME}
    values = {
        "app": app,
        "placement": placement,
        "budgets_ns": dict.fromkeys(names, 10 * MS),
        "transfer_ns": lambda parent, child: (
            None if parent == HOME and app.tasks[child].trigger is Trigger.TIME else MS
        ),
        "late_ns": dict.fromkeys(used, 2 * MS),
        "early_ns": dict.fromkeys(used, 3 * MS),
        "wake_lateness_ns": dict.fromkeys(used, MS // 2),
        "drift_ppb": 0,
    }
    return values | changes


def offsets(**values):
    timetable = synthesise(**values)
    assert timetable_violations(TimetableProblem(**values), timetable) == []
    return {name: slot.offset_ns / MS for name, slot in timetable.slots.items()}


def test_an_edge_between_nodes_pays_both_clock_errors():
    values = arguments(stage("a", "b"), stage("b", HOME))
    assert offsets(**values) == {"a": 0, "b": 10 + 1 + 0.5 + 2 + 3}
    slot = synthesise(**values).slots["b"]
    assert (slot.guard_ns, slot.why, slot.node) == (5.5 * MS, "a", "node_b")


def test_on_one_node_only_the_drift_is_paid():
    values = arguments(stage("a", "b"), stage("b", HOME), nodes={"a": "x", "b": "x"})
    assert offsets(**values) == {"a": 0, "b": 11.5}
    # (1 - 1/5) of the distance must hold what takes 11.5 ms
    assert offsets(**values | {"drift_ppb": 200_000_000})["b"] == 14.375


def test_the_latest_parent_decides():
    values = arguments(stage("a", "c"), stage("b", "c"), stage("c", HOME))
    values["budgets_ns"]["b"] = 30 * MS
    assert offsets(**values)["c"] == 36.5
    assert synthesise(**values).slots["c"].why == "b"


def test_event_triggered_stages_count_in_their_chain():
    values = arguments(stage("a", "e"), stage("e", "b", event=True), stage("b", HOME))
    assert offsets(**values) == {"a": 0, "b": 2 * (10 + 1 + 0.5) + 2 + 3}
    back_home = values | {"placement": {"a": "x", "e": "y", "b": "x"}}
    for name in ("late_ns", "early_ns", "wake_lateness_ns"):
        back_home[name] = dict.fromkeys(("x", "y", HOME), values[name][HOME])
    assert offsets(**back_home) == {"a": 0, "b": 23}


def test_the_release_at_home_counts_unless_it_leads():
    values = arguments(stage("a", HOME), transfer_ns={(HOME, "a"): 4 * MS})
    assert offsets(**values) == {"a": 4 + 0.5 + 2 + 3}
    assert offsets(**values, lead_ns=5 * MS) == {"a": 4.5}
    assert offsets(**values, lead_ns=50 * MS) == {"a": 0}


def test_stages_that_jobs_enter_by_sample_at_the_same_instant():
    values = arguments(
        stage("left", "fuse"),
        stage("right", "fuse"),
        stage("fuse", HOME),
        transfer_ns=lambda a, b: (7 * MS if b == "right" else 3 * MS) if a == HOME else MS,
    )
    found = offsets(**values)
    assert found["left"] == found["right"] == 7 + 5.5
    assert synthesise(**values).slots["left"].why == "together with right"


def test_a_busy_node_pushes_a_stage_later():
    values = arguments(stage("a", HOME), stage("b", HOME), nodes={"a": "x", "b": "x"})
    assert offsets(**values) == {"a": 0, "b": 10.5}
    assert synthesise(**values).slots["b"].why == "x is busy"
    assert offsets(**values, cores={"x": 2}) == {"a": 0, "b": 0}


def test_stages_of_successive_jobs_do_not_overlap():
    values = arguments(stage("a", "b"), stage("b", "c"), stage("c", HOME), period=22 * MS) | {
        "placement": {"a": "x", "b": "y", "c": "x"}
    }
    for name in ("late_ns", "early_ns", "wake_lateness_ns"):
        values[name] = dict.fromkeys(("x", "y", HOME), values[name][HOME])
    # c could begin at 28 ms or so, where a of the next job has the node from 22 to 32.5 ms
    assert offsets(**values) == {"a": 0, "b": 16.5, "c": 33}
    assert (
        offsets(
            **values
            | {
                "app": replace(
                    values["app"], timing=replace(values["app"].timing, period_ns=60 * MS)
                )
            }
        )["c"]
        == 33
    )


def test_free_time_is_not_left_in_pieces():
    values = arguments(
        stage("a", "b"),
        stage("b", HOME),
        stage("c", HOME),
        nodes=dict.fromkeys("abc", "x"),
        budgets_ns={"a": 40, "b": 30, "c": 30},
        transfer_ns={("a", "b"): 10},
        wake_lateness_ns={"x": 0, HOME: 0},
        period=100,
    )
    found = offsets(**values)
    assert sorted(round(each * MS) % 100 for each in found.values()) in ([0, 40, 70], [0, 30, 60])


def test_the_authors_offset_is_kept():
    values = arguments(stage("a", "b"), stage("b", HOME, offset_ns=40 * MS))
    assert offsets(**values) == {"a": 0, "b": 40}
    slot = synthesise(**values).slots["b"]
    assert (slot.why, slot.guard_ns) == ("set by the author", 29 * MS)


def test_the_authors_budget_is_kept():
    assert synthesise(**arguments(stage("a", HOME, budget_ns=3))).slots["a"].budget_ns == 3


def test_an_app_without_time_triggered_stages_has_an_empty_timetable():
    assert synthesise(**arguments(stage("a", HOME, event=True))).slots == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            arguments(stage("a", "b"), stage("b", HOME, offset_ns=16 * MS)),
            r"tasks.b.timing.offset: stage 'b' is set to fire 16 ms[\s\S]*input from 'a'[\s\S]*"
            r"500 µs later\n  fix: set its offset to 16.5ms",
        ),
        (
            arguments(stage("a", HOME), period=10 * MS),
            r"timing.period: stage 'a' takes up to 10.5 ms[\s\S]*500 µs more[\s\S]*10.5ms or",
        ),
        (
            arguments(
                stage("a", HOME), stage("b", HOME), nodes={"a": "x", "b": "x"}, period=15 * MS
            ),
            r"node 'x' has 21 ms of work per period of 15 ms[\s\S]*6 ms too much[\s\S]*21ms or",
        ),
        (
            arguments(
                stage("a", HOME, offset_ns=0),
                stage("b", HOME, offset_ns=5 * MS),
                nodes={"a": "x", "b": "x"},
            ),
            r"stage 'b' finds no room on node 'x' beside the offsets that are set for 'a'",
        ),
        (
            arguments(
                stage("a", HOME, offset_ns=0),
                stage("b", HOME, offset_ns=14 * MS),
                nodes={"a": "x", "b": "x"},
                period=24 * MS,
            ),
            r"'b' finds no free 10.5 ms on node 'x' within[\s\S]*period to 24.5ms",
        ),
        (
            arguments(
                stage("z", HOME, offset_ns=0),
                stage("a", "b"),
                stage("b", HOME, offset_ns=20 * MS),
                nodes={"z": "x", "a": "x", "b": "y"},
                late_ns=dict.fromkeys(["x", "y", HOME], 0),
                early_ns=dict.fromkeys(["x", "y", HOME], 0),
                wake_lateness_ns=dict.fromkeys(["x", "y", HOME], 0),
            ),
            r"stage 'b' is set to fire 1 ms before its inputs are there[\s\S]*whatever the period",
        ),
        (
            arguments(stage("a", "b"), stage("b", HOME, deadline_ns=28 * MS)),
            r"tasks.b.timing.deadline: stage 'b' may end 29 ms[\s\S]*1 ms after",
        ),
        (
            arguments(stage("a", "b"), stage("b", HOME, event=True, deadline_ns=23 * MS)),
            r"stage 'b' may end 24 ms",
        ),
        (arguments(stage("a", HOME), budgets_ns={}), "no budget of 'a'"),
        (arguments(stage("a", HOME), budgets_ns={"a": -1}), "budget of 'a' is negative"),
        (arguments(stage("a", HOME), late_ns={}), "late_ns: no value for node 'node_a'"),
        (arguments(stage("a", HOME), early_ns={"node_a": -1}), "early_ns: -1 for 'node_a'"),
        (arguments(stage("a", HOME), drift_ppb=-1), "drift_ppb"),
        (arguments(stage("a", HOME), lead_ns=-1), "lead_ns"),
        (arguments(stage("a", HOME), cores={"node_a": 0}), "'node_a' has no core"),
        (arguments(stage("a", HOME, cores=2)), "'a' needs 2 cores, 'node_a' has 1"),
        (arguments(stage("a", "b"), stage("b", HOME), transfer_ns={}), "transfer time for a → b"),
        (arguments(stage("a", HOME, event=True), transfer_ns={}), "transfer time for home → a"),
        (
            arguments(stage("a", "b"), stage("b", HOME), transfer_ns={("a", "b"): -1}),
            "-1 ns for a → b",
        ),
        (arguments(stage("a", HOME), nodes={}) | {"placement": {}}, "'a' has no node"),
        (
            arguments(stage("a", "b"), stage("b", "a"), ingress=("a",)),
            "wait for each other for ever: a, b",
        ),
    ],
)
def test_what_cannot_be_is_explained(values, message):
    with pytest.raises(InputError, match=message):
        synthesise(**values)


def test_an_app_without_timing_has_no_timetable():
    values = arguments(stage("a", HOME))
    with pytest.raises(InputError, match="the app has no timing"):
        synthesise(**values | {"app": replace(values["app"], timing=None)})


@settings(max_examples=300)
@given(seeds)
def test_timetables_are_safe_or_explained(seed):
    problem = random_timetable_problem(seed)
    try:
        timetable = solve(problem)
    except InputError:
        return
    assert timetable_violations(problem, timetable) == []
    assert Timetable.from_dict(timetable.as_dict()) == timetable
    for world in range(6):
        assert broken_promises(problem, timetable, world) == []


@settings(max_examples=150)
@given(seeds)
def test_the_period_that_is_advised_works(seed):
    problem = random_timetable_problem(seed)
    try:
        solve(problem)
    except InputError as error:
        if "period to " not in error.fix:
            return
        advised = parse_duration_ns(error.fix.split("period to ")[1].split()[0])
        assert advised > problem.timing.period_ns
        timing = replace(problem.timing, period_ns=advised)
        better = replace(problem, app=replace(problem.app, timing=timing))
        assert timetable_violations(better, solve(better)) == []


@given(seeds, st.data())
def test_a_timetable_that_is_disturbed_is_caught(seed, data):
    problem = random_timetable_problem(seed)
    try:
        timetable = solve(problem)
    except InputError:
        return
    tight = [
        name
        for name, slot in timetable.slots.items()
        if slot.why in problem.app.tasks and problem.transfer(slot.why, name) is not None
    ]
    if not tight:
        return
    name = data.draw(st.sampled_from(tight))
    early = replace(timetable.slots[name], offset_ns=timetable.slots[name].offset_ns - 1)
    broken = replace(timetable, slots=timetable.slots | {name: early})
    rules = {each.rule for each in timetable_violations(problem, broken)}
    assert rules & {"input", "slot"}


def test_the_verifier_sees_every_rule():
    values = arguments(
        stage("a", "b"), stage("b", HOME, deadline_ns=40 * MS), nodes={"a": "x", "b": "x"}
    )
    problem = TimetableProblem(**values)
    good = solve(problem)
    a, b = good.slots["a"], good.slots["b"]

    def rules(**slots):
        changed = replace(good, slots={"a": a, "b": b} | slots)
        return {each.rule for each in timetable_violations(problem, changed)}

    assert rules() == set()
    assert rules(b=replace(b, offset_ns=b.offset_ns - 1)) == {"input"}
    assert rules(b=replace(b, offset_ns=105 * MS)) == {"capacity", "deadline"}
    assert rules(b=replace(b, node="y")) == {"slot"}
    assert rules(b=replace(b, budget_ns=1)) == {"budget"}
    assert rules(a=replace(a, offset_ns=-1)) == {"slot"}
    assert rules(c=Slot("c", "x", 0, 1)) == {"slot"}
    missing = replace(good, slots={"a": a})
    assert {each.rule for each in timetable_violations(problem, missing)} == {"slot"}
    other = replace(good, period_ns=1, timeline="else")
    assert {each.rule for each in timetable_violations(problem, other)} == {"period", "timeline"}
