"""Interval arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qot.instant import Instant, Status

TIMES = st.integers(-(10**18), 10**18)
WIDTHS = st.integers(0, 10**12)


@st.composite
def instants(draw: st.DrawFn) -> Instant:
    estimate, early, late = draw(TIMES), draw(WIDTHS), draw(WIDTHS)
    return Instant(estimate, estimate - early, estimate + late, Status.SYNCHRONIZED)


@given(instants(), instants())
def test_exactly_one_of_before_after_concurrent_holds(a: Instant, b: Instant) -> None:
    assert [a.before(b), a.after(b), a.concurrent(b)].count(True) == 1
    assert a.before(b) == b.after(a)
    assert a.concurrent(b) == b.concurrent(a)


@given(instants(), instants())
def test_before_means_that_every_possible_truth_is_earlier(a: Instant, b: Instant) -> None:
    assert a.before(b) == (a.latest_ns < b.earliest_ns)


@given(instants(), TIMES)
def test_a_shift_keeps_the_sides(instant: Instant, duration_ns: int) -> None:
    moved = instant.shifted(duration_ns)
    assert (moved.early_ns, moved.late_ns) == (instant.early_ns, instant.late_ns)
    assert moved.error_ns == max(instant.early_ns, instant.late_ns)
    assert moved.contains(moved.estimate_ns)


def test_only_synchronized_and_holdover_are_promises() -> None:
    promised = {status for status in Status if Instant(0, 0, 0, status).promised}
    assert promised == {Status.SYNCHRONIZED, Status.HOLDOVER}
