import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.link_model import (
    ASSUMED_BIT_S,
    ASSUMED_LATENCY_NS,
    HIGHEST_BIT_S,
    LOWEST_BIT_S,
    fit_link,
    quadratic_parameters,
)

sizes = st.one_of(st.integers(0, 10**8), st.floats(0, 1e18))
durations = st.one_of(st.integers(0, 10**11), st.floats(0, 1e18))
samples = st.lists(st.tuples(sizes, durations), max_size=40)


def straight(latency_ns, bit_s, noise=0.0, seed=1):
    rng = random.Random(seed)
    return [
        (size, (latency_ns + size * 8e9 / bit_s) * (1 + noise * rng.random()))
        for size in (0, 1_000, 10_000, 100_000, 1_000_000)
        for _ in range(5)
    ]


@given(samples)
def test_the_model_is_never_negative_and_never_falls(measured):
    link = fit_link("a", "b", measured, 7)
    assert 0 <= link.latency_ns < math.inf
    assert LOWEST_BIT_S * 0.99 <= link.bandwidth_bit_s <= HIGHEST_BIT_S * 1.01
    assert 0 <= link.spread_ns < math.inf
    assert link.samples == len(measured)
    times = [link.transfer_ns(size) for size in (0, 1, 1e3, 1e6, 1e9)]
    assert times == sorted(times)


@given(samples, st.randoms())
def test_the_order_of_the_samples_does_not_matter(measured, rng):
    shuffled = list(measured)
    rng.shuffle(shuffled)
    assert fit_link("a", "b", shuffled, 7) == fit_link("a", "b", measured, 7)


@given(st.floats(0, 1e8), st.floats(1e5, 1e10))
def test_an_exact_line_is_found(latency_ns, bit_s):
    link = fit_link("a", "b", straight(latency_ns, bit_s), 7)
    for size in (0, 5_000, 1_000_000):
        exact = latency_ns + size * 8e9 / bit_s
        assert link.transfer_ns(size) == pytest.approx(exact, rel=1e-6, abs=1.0)
    assert link.spread_ns == pytest.approx(0, abs=1 + latency_ns * 1e-6)


def test_some_wild_samples_move_little():
    measured = straight(2e6, 50e6, noise=0.05)
    wild = [
        (size, duration * 50 if i % 6 == 0 else duration)
        for i, (size, duration) in enumerate(measured)
    ]
    link = fit_link("a", "b", wild, 7)
    assert link.latency_ns == pytest.approx(2e6, rel=0.15)
    assert link.bandwidth_bit_s == pytest.approx(50e6, rel=0.15)
    assert link.spread_ns > 1e7


def test_a_falling_set_becomes_level():
    link = fit_link("a", "b", [(0, 5e6), (1000, 4e6), (2000, 3e6)], 7)
    assert link.transfer_ns(2000) == pytest.approx(4e6, rel=0.01)
    assert link.bandwidth_bit_s == HIGHEST_BIT_S


def test_a_line_that_would_start_below_zero_goes_through_zero():
    link = fit_link("a", "b", [(1000, 1e3), (2000, 5e3), (4000, 16e3)], 7)
    assert link.latency_ns == 0
    assert link.transfer_ns(4000) > 0


def test_no_samples_are_an_assumption_that_says_so():
    link = fit_link("a", "b", [], 7)
    assert (link.latency_ns, link.bandwidth_bit_s) == (ASSUMED_LATENCY_NS, ASSUMED_BIT_S)
    assert (link.samples, link.measured_at_ns) == (0, 0)


@pytest.mark.parametrize("duration", [10, 10**6, 10**9])
def test_one_size_predicts_itself(duration):
    link = fit_link("a", "b", [(10_000, duration)] * 3, 7)
    assert link.transfer_ns(10_000) == pytest.approx(duration, abs=100)
    assert (link.samples, link.measured_at_ns) == (3, 7)


@pytest.mark.parametrize(
    ("sample", "message"),
    [((-1, 5), "a size of -1"), ((1, -5), "a duration of -5"), ((1, math.nan), "duration of nan")],
)
def test_impossible_samples_are_refused(sample, message):
    with pytest.raises(ValueError, match=message):
        fit_link("a", "b", [(1, 1), sample], 7)


def test_quadratic_parameters_are_ms_over_kbit():
    link = fit_link("a", "b", straight(3e6, 8e6), 7)
    a, b, c = quadratic_parameters(link)
    kbit = 50_000 * 8 / 1000
    assert a == 0
    assert a * kbit**2 + b * kbit + c == pytest.approx(link.transfer_ns(50_000) / 1e6)
