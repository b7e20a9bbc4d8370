"""The statistical interval: causal, carried by the measured skew, inside the hard one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qot.clock import SECOND_NS
from qot.hard_bound import Sample
from qot.instant import Status
from qot.offset_fit import Line
from qot.params import ClockParams
from qot.statistical import (
    CONFIDENCE,
    WANDER_PPB,
    Wander,
    deviations,
    interval_at,
    likely_limits,
)

PARAMS = ClockParams(
    Status.SYNCHRONIZED,
    as_of_ns=0,
    timeline_ns=10**9,
    early_ns=5_000,
    late_ns=7_000,
    early_growth_ppb=100_000,
    late_growth_ppb=100_000,
    fresh_until_ns=10**18,
    void_after_ns=10**18,
)


def test_five_nines_are_four_and_a_half_deviations() -> None:
    assert deviations(CONFIDENCE) == pytest.approx(4.417, abs=0.001)
    assert deviations(0.95) == pytest.approx(1.960, abs=0.001)


@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0, 99.999, -1])
def test_a_confidence_that_makes_no_sense_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match=r"give 0\.95 or more and below 1"):
        deviations(confidence)


def test_the_causal_part_does_not_shrink_with_the_confidence() -> None:
    params = replace(PARAMS, likely_early_ns=1_000, likely_late_ns=2_000, sigma_ns=100)
    for confidence in (0.95, 0.999, CONFIDENCE):
        low, high = interval_at(params, 0, confidence)
        spread = 10**9 - 1_000 - low
        assert spread == high - 10**9 - 2_000
        assert 0 <= spread - 100 * deviations(confidence) <= 1.1


@given(
    st.builds(
        partial(replace, PARAMS),
        likely_early_ns=st.integers(0, 10**6),
        likely_late_ns=st.integers(0, 10**6),
        sigma_ns=st.integers(0, 10**5),
        sigma_growth_ppb=st.integers(0, 10**6),
    ),
    st.integers(-(10**12), 10**12),
    st.floats(0.95, 0.999999),
)
def test_it_is_never_wider_than_the_hard_one_and_holds_the_estimate(
    params: ClockParams, core_ns: int, confidence: float
) -> None:
    estimate, earliest, latest = params.interval_at(core_ns)
    low, high = interval_at(params, core_ns, confidence)
    assert earliest <= low <= estimate <= high <= latest


def test_it_grows_with_age() -> None:
    params = replace(PARAMS, sigma_ns=300, sigma_growth_ppb=400)
    low, high = interval_at(params, SECOND_NS, 0.95)
    assert 1_960 <= high - low <= 1_962


def exchange(at: int, offset: int, there: int, back: int) -> Sample:
    return Sample(at, at + there + offset, at + there + offset, at + there + back)


def test_the_luckiest_exchanges_of_the_window_count_even_when_old() -> None:
    samples = [
        exchange(0, 0, 1_000, 90_000),
        exchange(SECOND_NS, 5_000, 80_000, 2_000),
        exchange(2 * SECOND_NS, 10_000, 50_000, 50_000),
    ]
    limits = likely_limits(samples, Line(0, 5_000, 1, 1), wander_ppb=0)
    assert limits.at_ns == samples[-1].t4_ns
    # The first bounds from above (its way there took 1 µs), the second from below.
    assert 11_000 < limits.highest_ns < 11_600
    assert 7_900 < limits.lowest_ns < 8_600
    assert limits.sigma_ns < 3
    bound = limits.bound_at(limits.at_ns + SECOND_NS, 15_000, 5_000, 5_000)
    assert 900 < bound.likely_late_ns < 1_600
    assert 1_400 < bound.likely_early_ns < 2_200
    leaning = limits.bound_at(limits.at_ns, 15_000, 25_000, 5_000)
    assert leaning.sigma_growth_ppb >= 10_000


def test_an_uncertain_skew_makes_old_exchanges_worth_less() -> None:
    samples = [exchange(0, 0, 1_000, 1_000), exchange(SECOND_NS, 0, 50_000, 50_000)]
    sure = likely_limits(samples, Line(0, 0, 1, 100), 0)
    unsure = likely_limits(samples, Line(0, 0, 1, 50_000), 0)
    assert sure.highest_ns - sure.lowest_ns < 2_100
    assert unsure.highest_ns - unsure.lowest_ns > 99_000


def look(wander: Wander, skews: list[int], sigma_ppb: int = 1_000) -> list[float]:
    """What it says after each fitted skew, 5 s apart."""
    seen = []
    for number, skew in enumerate(skews):
        wander.add(number * 5 * SECOND_NS, Line(0, skew, 1, sigma_ppb))
        seen.append(wander.ppb)
    return seen


def test_wander_is_learnt_quickly_and_forgotten_slowly() -> None:
    first = Wander().ppb
    seen = look(Wander(), [0] * 100 + [40_000] * 4 + [40_000] * 400)
    assert first > 10 * WANDER_PPB
    assert seen[99] < first / 4
    assert seen[100] > 20_000
    assert seen[103] > seen[100] / 2
    assert seen[-1] == WANDER_PPB
    wander = Wander()
    look(wander, [0, 90_000])
    wander.clear()
    assert wander.ppb == first


def test_skews_that_differ_by_noise_alone_are_no_wander() -> None:
    noisy = look(Wander(), [900 * (number % 2) for number in range(300)])
    assert noisy[-1] == WANDER_PPB
