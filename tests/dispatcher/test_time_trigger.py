"""Instants, verdicts, and what is remembered of jobs whose instant passed."""

from __future__ import annotations

import pytest
from brain_bench import PERIOD_NS, START_NS, stamp, trigger
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.time_trigger import INVALID, LATE, ON_TIME, Woke
from jupiter.events import Stamp


@given(now_ns=st.integers(0, 5_000), offset_ns=st.integers(0, 300), jobs=st.integers(1, 20))
def test_the_first_instant_is_the_first_that_is_not_past(
    now_ns: int, offset_ns: int, jobs: int
) -> None:
    made = trigger({"s": "late"}, jobs=jobs, offset_ns=offset_ns)
    instants = [START_NS + index * PERIOD_NS + offset_ns for index in range(jobs)]
    wanted = [("s", index, at) for index, at in enumerate(instants) if at >= now_ns]
    assert list(made.first(now_ns)) == wanted[:1]
    for task, index, _ in wanted[:-1]:
        assert made.after(task, index) == wanted[index - wanted[0][1] + 1][1:]
    assert made.after("s", jobs - 1) is None


@pytest.mark.parametrize(
    ("estimate_ns", "width_ns", "status", "verdict"),
    [
        (1_000, 0, "synchronized", ON_TIME),
        (1_050, 50, "synchronized", ON_TIME),
        (1_051, 0, "synchronized", LATE),
        (1_000, 51, "synchronized", INVALID),
        (1_000, 50, "holdover", ON_TIME),
        (1_000, 51, "holdover", INVALID),
        (1_000, 0, "unsynchronized", INVALID),
    ],
)
def test_verdicts(estimate_ns: int, width_ns: int, status: str, verdict: str) -> None:
    woke = Woke(Stamp(estimate_ns, estimate_ns - width_ns, estimate_ns + width_ns, 0), 7, status)
    decision = trigger({"s": "late"}).decide("s", 0, woke, missing=False)
    assert decision.run
    assert decision.firing is not None
    assert decision.firing.verdict == verdict
    assert decision.firing.late_ns == 7


@pytest.mark.parametrize("policy", ["late", "skip", "hold_last", "event"])
def test_nothing_is_remembered_of_ended_jobs(policy: str) -> None:
    made = trigger({"s": policy}, jobs=100)
    list(made.first(0))
    for index in range(100):
        if not made.is_event_triggered("s"):
            made.decide("s", index, Woke(stamp(), 0, "synchronized"), missing=True)
    made.forget(100)
    assert not made._pending
    assert not made._skipped


def test_what_may_be_held_is_one_job_and_those_that_came_early() -> None:
    made = trigger({"s": "hold_last"}, jobs=100)
    woke = Woke(stamp(), 0, "synchronized")
    for index in range(50):
        made.remember("s", index + 2, {"a": index + 2})
        made.decide("s", index, woke, missing=index < 2)
        assert len(made._complete["s"]) <= 3
    assert made.decide("s", 60, woke, missing=True).held == {"a": 51}
