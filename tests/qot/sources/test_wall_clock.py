"""Steps of CLOCK_REALTIME are noticed, whatever the looks at it cost."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from qot.sources.wall_clock import StepWatch, WallStamp, take_stamp

OFFSET_NS = 10**18


def look(monotonic_ns: int, before_ns: int, after_ns: int, step_ns: int = 0) -> WallStamp:
    """A look at clocks whose difference is OFFSET_NS + step_ns."""
    return WallStamp(
        monotonic_ns - before_ns, monotonic_ns + OFFSET_NS + step_ns, monotonic_ns + after_ns
    )


WIDTHS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))


@given(st.lists(st.tuples(st.integers(0, 10**15), WIDTHS), max_size=20))
def test_clocks_that_run_alike_never_step(looks: list[tuple[int, tuple[int, int]]]) -> None:
    watch = StepWatch()
    for monotonic_ns, (before_ns, after_ns) in looks:
        assert watch.see(look(monotonic_ns, before_ns, after_ns)) == (0, 0)


@given(
    widths=st.lists(WIDTHS, min_size=2, max_size=10),
    step_ns=st.integers(-(10**12), 10**12),
)
def test_a_step_is_told_once_within_limits_that_hold_it_or_is_smaller_than_two_looks(
    widths: list[tuple[int, int]], step_ns: int
) -> None:
    watch = StepWatch()
    *earlier, last = widths
    for width in earlier:
        watch.see(look(0, *width))
    low, high = watch.see(look(5, *last, step_ns))
    if (low, high) == (0, 0):
        assert abs(step_ns) <= min(sum(width) for width in earlier) + sum(last) + 4
    else:
        assert low <= step_ns <= high
        assert high - low <= min(sum(width) for width in earlier) + sum(last) + 4
    assert watch.see(look(9, *last, step_ns)) == (0, 0)


def test_a_real_stamp_is_between_its_readings() -> None:
    first, second = take_stamp(), take_stamp()
    assert first.before_ns <= first.after_ns <= second.before_ns <= time.monotonic_ns()
    assert StepWatch().see(first) == (0, 0)
    low, high = first.difference_ns
    assert low < high
