"""The report's statistics."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupiter.events import Stamp
from orchestrator.figures import (
    Interval,
    between,
    elapsed,
    interval_spread,
    percentile,
    rate_per_s,
    share,
    spread,
)

values = st.lists(st.integers(0, 10**12), min_size=1)


def test_percentiles_by_nearest_rank() -> None:
    assert spread(range(1, 101)) == {"p50_ns": 50, "p95_ns": 95, "p99_ns": 99, "max_ns": 100}
    assert spread([7]) == {"p50_ns": 7, "p95_ns": 7, "p99_ns": 7, "max_ns": 7}
    assert spread([3, 1, 2, 4], (50,)) == {"p50_ns": 2, "max_ns": 4}


def test_figures_of_nothing_are_none() -> None:
    assert spread([]) is None
    assert interval_spread([]) is None
    assert share(0, 0) is None
    assert rate_per_s(3, 0) is None


@given(values, st.integers(1, 100))
def test_percentile_was_seen_and_splits_the_values(numbers: list[int], per_cent: int) -> None:
    ordered = sorted(numbers)
    found = percentile(ordered, per_cent)
    assert found in numbers
    assert sum(number <= found for number in numbers) * 100 >= per_cent * len(numbers)
    assert sum(number < found for number in numbers) * 100 < per_cent * len(numbers)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6)),
                min_size=1))  # fmt: skip
def test_true_percentile_lies_in_the_interval_of_percentiles(
    truths: list[tuple[int, int, int]],
) -> None:
    intervals = [Interval(true, true - below, true + above) for true, below, above in truths]
    figures = interval_spread(intervals)
    true = spread((each[0] for each in truths), (50, 95))
    assert figures is not None
    assert true is not None
    for name in ("p50", "p95", "max"):
        assert figures[f"{name}_low_ns"] <= true[f"{name}_ns"] <= figures[f"{name}_high_ns"]


def stamp(estimate: int, bound: int, core: int = 0) -> Stamp:
    return Stamp(estimate, estimate - bound, estimate + bound, core)


@given(
    sent=st.integers(0, 10**9),
    delay=st.integers(0, 10**6),
    errors=st.tuples(st.integers(-500, 500), st.integers(-500, 500)),
)
def test_delay_between_clocks_holds_the_truth(
    sent: int, delay: int, errors: tuple[int, int]
) -> None:
    found = between(stamp(sent + errors[0], 500), stamp(sent + delay + errors[1], 500))
    assert found.low_ns <= delay <= found.high_ns
    assert 0 <= found.low_ns <= found.estimate_ns <= found.high_ns


def test_duration_of_one_clock_is_exact() -> None:
    assert elapsed(stamp(10, 900, core=5), stamp(500, 900, core=25)) == Interval(20, 20, 20)


def test_share_is_one_only_for_all() -> None:
    assert share(10**15 - 1, 10**15) != 1.0
    assert share(3, 3) == 1.0
