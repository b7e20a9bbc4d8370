"""What a node decides, event by event; test_node_simulation.py puts it through the mill."""

from __future__ import annotations

import pytest
from brain_bench import Bench, stage, trigger

from dispatcher import node_brain as brain
from dispatcher.messages import Tombstone


def test_a_join_waits_for_all_parents_of_its_own_job() -> None:
    bench = Bench(stage(parents="ab"))
    assert bench.deliver(1, "a") == []
    assert bench.deliver(2, "b") == []
    assert bench.deliver(1, "b") == ["start s1"]
    assert bench.inputs(1) == {"a": "a1", "b": "b1"}


def test_one_instance_from_start_to_retirement() -> None:
    bench = Bench(stage(children="cd"))
    assert bench.deliver(0) == ["start s0"]
    assert bench.succeed(0, children="cd") == ["send c: s0", "send d: s0"]
    assert bench.acknowledge(0, child="d") == []
    assert bench.acknowledge(0, child="c") == ["retire s0"]
    assert bench.acknowledge(0, child="c") == []
    assert bench.brain.knows(0, "a", "s")
    assert not bench.brain.is_idle, "it remembers the job until it has ended everywhere"
    assert bench.handle(brain.JobsEnded(1)) == []
    assert bench.brain.is_idle
    assert bench.brain.knows(0, "a", "s")


def test_a_second_delivery_has_no_effect_at_any_time() -> None:
    bench = Bench(stage(parents="ab"))
    assert bench.deliver(0, "a") == []
    assert bench.deliver(0, "a") == []
    assert bench.deliver(0, "b") == ["start s0"]
    assert bench.deliver(0, "b") == []
    bench.succeed(0)
    assert bench.deliver(0, "a") == []
    bench.acknowledge(0)
    assert bench.deliver(0, "a") == []


def test_isolated_calls_are_bounded_and_the_oldest_job_goes_first() -> None:
    bench = Bench(stage(), parallel_calls=1)
    assert bench.deliver(5) == ["start s5"]
    assert bench.deliver(7) == []
    assert bench.deliver(6) == []
    assert bench.succeed(5) == ["send c: s5", "start s6"]
    assert bench.fail(6)[-1] == "start s7", "a retry that backs off holds no slot"


def test_streaming_calls_queue_in_their_worker() -> None:
    bench = Bench(stage(executor="streaming"), parallel_calls=1)
    assert bench.deliver(0) == ["start s0"]
    assert bench.deliver(1) == ["start s1"]


# Failure


def test_retries_back_off_and_then_the_job_fails_for_all_children() -> None:
    bench = Bench(stage(children="cd", retries=2))
    assert bench.deliver(0) == ["start s0"]
    for attempt, delay in enumerate((100, 200)):
        assert bench.fail(0) == ["failed s0: why, retried=True", f"retry s0 after {delay} ms"]
        assert bench.handle(brain.RetryDue(0, "s")) == ["start s0"], attempt
        assert bench.handle(brain.RetryDue(0, "s")) == [], "a second alarm changes nothing"
    assert bench.fail(0) == [
        "failed s0: why, retried=False",
        "send c: tombstone of s",
        "send d: tombstone of s",
    ]


def test_a_tombstone_passes_on_the_first_cause_without_waiting_for_others() -> None:
    bench = Bench(stage(parents="ab", children="cd"))
    found = bench.deliver(0, "a", tombstone=Tombstone("far", "why"))
    assert found == ["send c: tombstone of far", "send d: tombstone of far"]
    assert bench.deliver(0, "b") == []
    bench.acknowledge(0, child="c")
    assert bench.acknowledge(0, child="d") == ["retire s0"]


def test_a_job_that_ends_while_its_call_runs_frees_the_slot() -> None:
    """Another branch failed the job for good; this one was still at work."""
    for answer in ("succeed", "fail"):
        bench = Bench(stage(), parallel_calls=1)
        assert bench.deliver(0) == ["start s0"]
        assert bench.deliver(1) == []
        bench.handle(brain.JobsEnded(1))
        assert bench.calls[0, "s"].state is brain.State.RETIRED
        assert getattr(bench, answer)(0) == ["start s1"]


def test_a_job_that_ends_while_it_waits_for_a_slot_never_runs() -> None:
    bench = Bench(stage(), parallel_calls=1)
    bench.deliver(2)
    bench.deliver(0)
    bench.deliver(3)
    bench.handle(brain.JobsEnded(1))
    assert bench.succeed(2) == ["send c: s2", "start s3"]


def test_a_retry_of_an_ended_job_is_dropped() -> None:
    bench = Bench(stage())
    bench.deliver(0)
    bench.fail(0)
    bench.handle(brain.JobsEnded(1))
    assert bench.handle(brain.RetryDue(0, "s")) == []
    assert bench.brain.is_idle


def test_below_never_goes_back() -> None:
    bench = Bench(stage())
    bench.handle(brain.JobsEnded(5))
    bench.handle(brain.JobsEnded(3))
    assert bench.brain.below == 5
    assert bench.deliver(4) == []


# What is not for here


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"child": "x"}, "does not host it"),
        ({"parent": "x"}, "which is not its child"),
        ({"parent": "b", "job": "another"}, "both have the index 0"),
    ],
)
def test_what_is_misdirected_is_told_and_left_out(options: dict[str, str], says: str) -> None:
    bench = Bench(stage(parents="ab"))
    bench.deliver(0, "a")
    [warning] = bench.deliver(0, **{"parent": "a", **options})
    assert warning.startswith("warn ")
    assert says in warning
    assert bench.deliver(0, "b") == ["start s0"]
    assert set(bench.inputs(0)) == {"a", "b"}


# After a restart


def test_recovered_outputs_are_sent_and_the_task_is_not_run_again() -> None:
    bench = Bench(stage(children="cd"))
    outputs = [("c", "old"), ("d", "old")]
    found = bench.handle(brain.OutputsRecovered("job-0", 0, "s", None, outputs))
    assert found == ["send c: old", "send d: old"]
    assert bench.deliver(0) == []
    bench.acknowledge(0, child="c")
    assert bench.acknowledge(0, child="d") == ["retire s0"]


def test_what_was_retired_is_not_done_again() -> None:
    bench = Bench(stage())
    bench.handle(brain.StageRetired(0, "s"))
    assert bench.deliver(0) == []


# Timed stages


def timed(policy: str, parents: str = "a") -> Bench:
    options = {"time_triggered": True, "late_policy": policy}
    bench = Bench(
        stage(parents=parents, **options), parallel_calls=9, trigger=trigger({"s": policy})
    )
    bench.brain.start_timing(0)
    return bench


def test_a_timed_stage_waits_for_its_instant() -> None:
    bench = timed("late")
    assert bench.deliver(0) == []
    assert bench.instant(0) == ["start s0", "watch s1 at 1100"]
    firing = bench.calls[0, "s"].firing
    assert firing is not None
    assert (firing.verdict, firing.planned_ns) == ("on_time", 1000)


def test_late_runs_when_its_inputs_come() -> None:
    bench = timed("late")
    assert bench.instant(0) == ["watch s1 at 1100"]
    assert bench.deliver(0) == ["start s0"]
    firing = bench.calls[0, "s"].firing
    assert firing is not None
    assert firing.verdict == "late"


def test_skip_fails_the_job_when_the_instant_passes() -> None:
    bench = timed("skip", "ab")
    bench.deliver(0, "a")
    assert bench.instant(0) == [
        "failed s0: its inputs were missing at its instant, retried=False",
        "send c: tombstone of s",
        "watch s1 at 1100",
    ]
    assert bench.deliver(0, "b") == []


def test_skip_fails_the_job_when_its_first_input_comes_after_the_instant() -> None:
    bench = timed("skip", "ab")
    assert bench.instant(0) == ["watch s1 at 1100"]
    assert bench.deliver(0, "b")[-1] == "send c: tombstone of s"


def test_hold_last_takes_the_newest_earlier_inputs_for_those_missing() -> None:
    bench = timed("hold_last", "ab")
    for parent in "ab":
        bench.deliver(0, parent)
        bench.deliver(2, parent)  # early, and no use for job 1
    assert bench.instant(0)[0] == "start s0"
    bench.deliver(1, "b")
    assert bench.instant(1)[0] == "start s1"
    assert bench.inputs(1) == {"a": "a0", "b": "b1"}
    firing = bench.calls[1, "s"].firing
    assert firing is not None
    assert firing.verdict == "missed_input"
    assert bench.instant(2)[0] == "start s2"
    assert bench.instant(3)[0] == "start s3", "nothing of job 3 has come"
    assert bench.inputs(3) == {"a": "a2", "b": "b2"}
    assert bench.calls[3, "s"].job == "job-3"


def test_an_input_that_was_held_is_still_new_when_it_comes() -> None:
    """It must be spooled: without it, a restart would know nothing of the instance."""
    bench = timed("hold_last")
    bench.deliver(0)
    bench.instant(0)
    assert bench.instant(1)[0] == "start s1"
    assert not bench.brain.knows(1, "a", "s")
    assert bench.deliver(1) == []
    assert bench.brain.knows(1, "a", "s")
    assert bench.inputs(1) == {"a": "a0"}, "the call's inputs stay what they were"


def test_hold_last_with_nothing_to_hold_fails_the_job() -> None:
    bench = timed("hold_last", "ab")
    bench.deliver(0, "a")
    assert bench.instant(0)[1] == "send c: tombstone of s"


def test_event_falls_back_for_good_and_forgets_nobody() -> None:
    """Job 1 has its inputs and waits for an instant that will not come any more."""
    bench = timed("event")
    bench.deliver(1)
    warning, started = bench.instant(0)
    assert "from now on" in warning
    assert started == "start s1"
    assert bench.instant(1) == [], "one that was armed before has no effect"
    assert bench.deliver(0) == ["start s0"]
    firing = bench.calls[0, "s"].firing
    assert firing is not None
    assert firing.verdict == "late"
    assert bench.deliver(2) == ["start s2"]
    assert bench.calls[2, "s"].firing is None


def test_the_instant_of_an_ended_failed_or_retired_job_starts_nothing() -> None:
    bench = timed("late")
    bench.deliver(0, tombstone=Tombstone("far", "why"))
    assert bench.instant(0) == ["watch s1 at 1100"]
    bench.deliver(1)
    bench.handle(brain.JobsEnded(2))
    assert bench.instant(1) == ["watch s2 at 1200"]
    bench.handle(brain.StageRetired(2, "s"))
    assert bench.instant(2) == ["watch s3 at 1300"]


def test_after_a_restart_in_the_middle_the_next_instant_is_armed() -> None:
    bench = Bench(stage(time_triggered=True, late_policy="late"), trigger=trigger({"s": "late"}))
    [watch] = bench.brain.start_timing(1_150)
    assert isinstance(watch, brain.WatchInstant)
    assert (watch.index, watch.at_ns) == (2, 1_200)
    assert bench.deliver(1) == ["start s1"], "its instant passed while the node was down"
    firing = bench.calls[1, "s"].firing
    assert firing is not None
    assert (firing.verdict, firing.status) == ("late", "down")
    assert bench.deliver(2) == []


@pytest.mark.parametrize("policy", ["skip", "hold_last"])
def test_after_a_restart_a_policy_that_gives_up_says_that_the_node_was_down(policy: str) -> None:
    bench = Bench(stage(time_triggered=True, late_policy=policy), trigger=trigger({"s": policy}))
    bench.brain.start_timing(1_150)
    assert bench.deliver(1)[0] == "failed s1: its node was down at its instant, retried=False"
