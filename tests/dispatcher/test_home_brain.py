"""What home decides: admission, collection, what has ended, and what a restart finds."""

from __future__ import annotations

from typing import Any

from brain_bench import delivery
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import home_brain as brain
from dispatcher.home_brain import SPAN_WINDOWS, HomeBrain, HomeCommand
from dispatcher.messages import Tombstone


def make(window: int = 2, ingress: str = "i", sinks: str = "z", **timing: Any) -> HomeBrain:
    return HomeBrain(ingress=tuple(ingress), sinks=tuple(sinks), window=window, **timing)


def short(commands: list[HomeCommand]) -> list[str]:
    found = []
    for command in commands:
        match command:
            case brain.Release(job) | brain.Collect(job):
                found.append(f"{type(command).__name__} {job.index}")
            case brain.RetireEntry(index):
                found.append(f"RetireEntry {index}")
            case brain.Ended(below):
                found.append(f"Ended {below}")
            case brain.WatchRelease(index, at_ns):
                found.append(f"WatchRelease {index} at {at_ns}")
    return found


def submit(home: HomeBrain, index: int) -> list[str]:
    return short(home.submitted(f"job-{index}", index, f"content {index}"))


def come_home(
    home: HomeBrain, index: int, sink: str = "z", tombstone: Tombstone | None = None
) -> list[str]:
    return short(home.delivered(delivery(index, sink, "home", tombstone), f"{sink}{index}"))


def end(home: HomeBrain, index: int, sinks: str = "z") -> list[str]:
    for sink in sinks:
        come_home(home, index, sink)
    return short(home.collected(index))


def test_no_more_jobs_are_in_the_dag_than_the_window() -> None:
    home = make(window=2)
    assert submit(home, 0) == ["Release 0"]
    assert submit(home, 1) == ["Release 1"]
    assert submit(home, 2) == []
    assert end(home, 1) == ["Release 2"]
    assert end(home, 0) == ["Ended 2"]
    assert end(home, 2) == ["Ended 3"]
    assert home.is_idle


def test_a_job_that_is_stuck_lets_only_a_bounded_number_overtake() -> None:
    home = make(window=1)
    submit(home, 1)  # job 0 is not there yet
    for index in range(1, SPAN_WINDOWS):
        submit(home, index + 1)
        end(home, index)
    assert home.in_flight == 0
    assert submit(home, 0) == ["Release 0"], "the oldest goes first, whenever it comes"
    assert end(home, 0) == [f"Ended {SPAN_WINDOWS}", f"Release {SPAN_WINDOWS}"]


def test_a_job_is_collected_when_all_sinks_have_reported() -> None:
    home = make(sinks="yz")
    submit(home, 0)
    assert come_home(home, 0, "y") == []
    assert home.has_from(0, "y")
    assert not home.has_from(0, "z")
    assert come_home(home, 0, "z") == ["Collect 0"]


def test_a_failure_waits_for_all_sinks_and_keeps_its_first_cause() -> None:
    home = make(sinks="xyz")
    submit(home, 0)
    come_home(home, 0, "x", Tombstone("a", "first"))
    come_home(home, 0, "y", Tombstone("b", "second"))
    [command] = home.delivered(delivery(0, "z", "home"), "z0")
    assert isinstance(command, brain.Collect)
    assert command.job.tombstone == Tombstone("a", "first")


def test_the_entry_is_retired_when_every_ingress_has_it() -> None:
    home = make(ingress="ij")
    submit(home, 0)
    assert short(home.entry_acknowledged(0, "j")) == []
    assert short(home.entry_acknowledged(0, "i")) == ["RetireEntry 0"]
    end(home, 0)
    assert home.entry_acknowledged(0, "i") == []


def test_periodic_jobs_leave_ahead_of_their_release() -> None:
    home = make(start_ns=1_000, period_ns=100, lead_ns=30)
    assert submit(home, 3) == ["WatchRelease 3 at 1270"]
    [command] = home.release_due(3)
    assert isinstance(command, brain.Release)
    assert command.job.release_ns == 1_300


@given(order=st.permutations(range(12)))
def test_what_has_ended_is_told_without_gaps(order: list[int]) -> None:
    home = make(window=12)
    for index in range(12):
        submit(home, index)
    told = [command for index in order for command in end(home, index)]
    ends = [int(text.split()[1]) for text in told]
    assert ends == sorted(set(ends))
    assert ends[-1] == 12
    assert home.is_idle
    assert all(home.knows(index) and home.has_from(index, "z") for index in range(12))


# After a restart


def test_a_job_in_the_dag_counts_and_is_not_sent_again() -> None:
    home = make(window=1)
    assert short(home.recovered_job("job-0", 0, "content", retired=True)) == []
    assert submit(home, 1) == []
    assert end(home, 0) == ["Ended 1", "Release 1"]


def test_a_job_that_was_perhaps_not_sent_is_sent_again() -> None:
    home = make()
    assert short(home.recovered_job("job-0", 0, "content", retired=False)) == ["Release 0"]
    assert home.knows(0)


def test_a_job_that_comes_home_before_it_is_released_again_ends_once() -> None:
    """The window was full, so it waited; meanwhile its former life's outputs came home."""
    home = make(window=1)
    home.recovered_job("job-0", 0, "content", retired=True)
    assert short(home.recovered_job("job-1", 1, "content", retired=False)) == []
    assert end(home, 1) == []
    assert end(home, 0) == ["Ended 2"], "and job 1 is not released any more"
    assert home.is_idle


def test_a_job_without_a_journal_entry_is_taken_when_it_is_submitted_again() -> None:
    """One ingress has it from the former life, the other has not."""
    home = make(ingress="ij", sinks="yz")
    assert come_home(home, 0, "y") == []
    assert home.in_flight == 1
    assert not home.knows(0)
    assert submit(home, 0) == ["Release 0"]
    assert home.in_flight == 1
    assert home.knows(0)
    assert come_home(home, 0, "z") == ["Collect 0"]
    assert short(home.collected(0)) == ["Ended 1"]
    assert home.is_idle


def test_the_alarm_of_a_job_that_has_ended_has_no_effect() -> None:
    home = make(start_ns=1_000, period_ns=100)
    home.recovered_job("job-0", 0, "content", retired=False)
    end(home, 0)
    assert home.release_due(0) == []
    assert home.is_idle


@given(ended=st.permutations(range(6)), cut=st.integers(0, 6), below=st.integers(0, 6))
def test_ends_and_the_mark_are_recovered_in_any_order(
    ended: list[int], cut: int, below: int
) -> None:
    home = make()
    for index in ended[:cut]:
        home.recovered_end(index)
    home.recovered_below(below)
    for index in ended[cut:]:
        home.recovered_end(index)
    assert home.below == 6
    assert home.is_idle
