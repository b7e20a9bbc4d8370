from pathlib import Path

import pytest

from jupiter.app import HOME, App, Task, Trigger
from jupiter.errors import InputError
from jupiter.profile import LinkProfile, NodeProfile, Profiles, TaskProfile
from scheduler.heft import heft
from scheduler.problem import Problem
from scheduler.problem_from_profiles import ENTRY, EXIT
from scheduler.verify import violations

NODES = ["home", "near", "far"]


def app(**changes):
    tasks = {
        "split": Task("split", "split", ("join",)),
        "join": Task("join", "join", (HOME,), line=7),
    }
    for name, fields in changes.items():
        old = tasks[name]
        tasks[name] = Task(name, old.module, old.children, line=old.line, **fields)
    return App(
        name="demo",
        folder=Path("demo"),
        scripts=Path("demo/scripts"),
        config=Path("demo/app.yaml"),
        sample_input=None,
        dialect="app.yaml",
        tasks=tasks,
        ingress=("split",),
    )


def profiles(nodes=NODES, *, without_task=(), without_link=()):
    slow = {"far": 50e6}
    links = {
        (a, b): LinkProfile(a, b, slow.get(a, slow.get(b, 1e6)), 8e6)
        for a in nodes
        for b in nodes
        if a != b and (a, b) not in without_link
    }
    tasks = {
        (task, node): TaskProfile(task, node, 10e6, 12e6, {"join": 2000.0, HOME: 500.0})
        for task in ("split", "join")
        for node in nodes
        if (task, node) not in without_task
    }
    facts = {node: NodeProfile(node, 2, 2**30, 0.0) for node in nodes}
    return Profiles(links, facts, tasks)


def test_one_job_runs_from_home_to_home():
    problem = Problem.from_profiles(app(), NODES, profiles(), input_bytes={"split": 1000})
    assert problem.tasks == (ENTRY, "split", "join", EXIT)
    assert problem.virtual.tolist() == [True, False, False, True]
    named = [(problem.tasks[a], problem.tasks[b]) for a, b in problem.edges.tolist()]
    assert named == [(ENTRY, "split"), ("split", "join"), ("join", EXIT)]
    assert problem.edge_bytes.tolist() == [1000, 2000, 500]
    assert problem.transfer_ns(0, 0, 1) == 1_000_000 + 1000 * 1000
    assert problem.node_millicores.tolist() == [2000] * 3


def test_the_way_from_and_to_home_counts():
    schedule = heft(Problem.from_profiles(app(), NODES, profiles()))
    assert violations(schedule) == []
    assert schedule.placement() == {"split": "near", "join": "near"}
    there_and_back = 1_000_000 + 1_000_000 + 500 * 1000
    assert schedule.makespan_ns == 20_000_000 + there_and_back


def test_home_runs_tasks_only_when_asked_pinned_or_alone():
    home_too = Problem.from_profiles(app(), NODES, profiles(), exclude_home=False)
    assert set(heft(home_too).placement().values()) == {HOME}
    pinned = Problem.from_profiles(app(join={"node": HOME}), NODES, profiles())
    assert heft(pinned).placement()["join"] == HOME
    alone = Problem.from_profiles(app(), [HOME], profiles([HOME]))
    assert set(heft(alone).placement().values()) == {HOME}


def test_input_sizes_come_from_homes_own_profile():
    known = profiles()
    known.tasks[HOME, HOME] = TaskProfile(HOME, HOME, 0.0, 0.0, {"split": 77.0})
    assert Problem.from_profiles(app(), NODES, known).edge_bytes[0] == 77


def test_predicted_profiles_do_not_speak_of_sizes():
    known = profiles()
    known.tasks["split", "far"] = TaskProfile(
        "split", "far", 1.0, 1.0, {"join": 9e9}, predicted=True
    )
    known.tasks["split", "near"] = TaskProfile("split", "near", 1.0, 1.0, {"join": 2500.0})
    assert Problem.from_profiles(app(), NODES, known).edge_bytes[1] == 2250


def test_clock_error_counts_into_time_triggered_tasks():
    errors = {"home": 0, "near": 300, "far": 500}
    timed = app(join={"trigger": Trigger.TIME})
    problem = Problem.from_profiles(timed, NODES, profiles(), clock_error_ns=errors)
    plain = Problem.from_profiles(timed, NODES, profiles())
    assert problem.transfer_ns(1, 1, 2) - plain.transfer_ns(1, 1, 2) == 800
    assert problem.transfer_ns(0, 1, 2) == plain.transfer_ns(0, 1, 2)


def test_cores_and_memory_keep_tasks_off_small_nodes():
    known = profiles()
    known.nodes["near"] = NodeProfile("near", 1, 2**20, 0.0)
    for fields in ({"cores": 2.0}, {"memory_bytes": 2**25}):
        problem = Problem.from_profiles(app(split=fields), NODES, known)
        assert heft(problem).placement()["split"] == "far"


@pytest.mark.parametrize(
    ("changes", "known", "nodes", "message"),
    [
        ({"join": {"node": "mars"}}, profiles(), NODES, r"app.yaml:7: node: 'join' is pinned"),
        ({"join": {"memory_bytes": 2**40}}, profiles(), NODES, "'join' needs 1099511627776 bytes"),
        ({"join": {"cores": 9.0}}, profiles(), NODES, "'join' can run nowhere"),
        (
            {},
            profiles(without_task=[("join", "far")]),
            NODES,
            "no profile of task 'join' on node 'far'",
        ),
        ({}, profiles(without_link=[("far", "near")]), NODES, "of the link far → near"),
        ({}, profiles(), ["near", "far"], "home is not among the nodes"),
        ({}, profiles(), [], "home is not among the nodes"),
    ],
)
def test_what_is_missing_is_named(changes, known, nodes, message):
    with pytest.raises(InputError, match=message):
        Problem.from_profiles(app(**changes), nodes, known)


def test_every_node_needs_a_clock_error_if_any_has_one():
    with pytest.raises(InputError, match="no clock error of 'far'"):
        Problem.from_profiles(app(), NODES, profiles(), clock_error_ns={"home": 0, "near": 1})


def test_a_task_needs_no_profile_where_it_may_not_run():
    known = profiles(without_task=[("join", "far"), ("join", "home"), ("split", "home")])
    problem = Problem.from_profiles(app(join={"node": "near"}), NODES, known)
    assert heft(problem).placement()["join"] == "near"
