"""The arithmetic between core time and timeline time."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from statistics import NormalDist

from hypothesis import given
from hypothesis import strategies as st

from qot.clock import SECOND_NS
from qot.instant import Instant, Status
from qot.params import STATISTICAL_Z_MILLI, ClockParams

DRIFT = 100_000
TARGETS = st.integers(-100 * SECOND_NS, 100 * SECOND_NS)


@st.composite
def parameters(draw: st.DrawFn) -> ClockParams:
    rate = draw(st.integers(-DRIFT, DRIFT))
    return ClockParams(
        Status.SYNCHRONIZED,
        as_of_ns=draw(st.integers(0, 10**15)),
        timeline_ns=draw(st.integers(-(10**15), 10**15)),
        rate_ppb=rate,
        early_ns=draw(st.integers(0, 10**9)),
        late_ns=draw(st.integers(1, 10**9)),
        early_growth_ppb=DRIFT + rate,
        late_growth_ppb=DRIFT - rate,
        fresh_until_ns=10**18,
        void_after_ns=10**18,
    )


@given(parameters(), TARGETS, TARGETS)
def test_the_interval_surrounds_the_estimate_and_only_widens(
    params: ClockParams, a: int, b: int
) -> None:
    near, far = sorted((a, b), key=abs)
    if (near < 0) != (far < 0):
        near = 0
    _, _, _ = params.interval_at(params.as_of_ns + near)
    widths = []
    for age in (near, far):
        estimate, earliest, latest = params.interval_at(params.as_of_ns + age)
        assert earliest <= estimate <= latest
        widths.append(latest - earliest)
    assert widths[0] <= widths[1] + 1


@given(parameters(), TARGETS, st.integers(-DRIFT, DRIFT), st.floats(0, 1))
def test_no_clock_within_the_drift_limit_leaves_the_interval(
    params: ClockParams, age: int, drift_ppb: int, where: float
) -> None:
    _, earliest, latest = params.interval_at(params.as_of_ns)
    # late_ns has 1 ns for the rounding of the estimate, which is not there for the truth.
    start = earliest + int(where * (latest - 1 - earliest))
    truth = start + age + drift_ppb * age // SECOND_NS
    assert params.instant_at(params.as_of_ns + age).contains(truth)


@given(parameters(), TARGETS)
def test_projections_to_core_time_are_exact(params: ClockParams, gap: int) -> None:
    target = params.timeline_ns + gap
    core = params.core_at_estimate(target)
    assert params.estimate_at(core) >= target > params.estimate_at(core - 1)
    core = params.core_at_earliest(target)
    assert params.interval_at(core)[1] >= target > params.interval_at(core - 3)[1]
    core = params.core_at_latest(target)
    assert params.interval_at(core)[2] <= target < params.interval_at(core + 3)[2]
    after, not_later = params.core_at_earliest(target), params.core_at_latest(target)
    assert not_later <= params.core_at_estimate(target) <= after


def test_a_page_that_nobody_renews_loses_its_rank_by_itself() -> None:
    params = ClockParams(Status.SYNCHRONIZED, 0, 0, fresh_until_ns=10, void_after_ns=20)
    assert [params.status_at(core) for core in (10, 11, 20, 21)] == [
        Status.SYNCHRONIZED,
        Status.HOLDOVER,
        Status.HOLDOVER,
        Status.UNSYNCHRONIZED,
    ]


def test_a_disruption_does_not_age_into_a_holdover() -> None:
    params = ClockParams(Status.DISRUPTED, 0, 0, fresh_until_ns=10, void_after_ns=20)
    assert params.status_at(15) is Status.DISRUPTED


def test_without_an_exchange_there_is_no_bound() -> None:
    params = ClockParams(Status.UNSYNCHRONIZED, 0, 0, void_after_ns=100)
    assert not params.bounded
    assert params.instant_at(5).error_ns >= 2**60


def test_the_sigma_grows_with_age() -> None:
    params = ClockParams(Status.SYNCHRONIZED, 0, 0, sigma_ns=300, sigma_growth_ppb=400)
    assert params.sigma_at(0) == 300
    assert params.sigma_at(SECOND_NS) == params.sigma_at(-SECOND_NS) == 500


@given(parameters(), TARGETS, st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**4))
def test_the_statistical_interval_is_inside_the_hard_one(
    params: ClockParams, age: int, likely: int, sigma: int, z_milli: int
) -> None:
    params = replace(params, likely_early_ns=likely, likely_late_ns=likely, sigma_ns=sigma)
    core = params.as_of_ns + age
    estimate, earliest, latest = params.interval_at(core)
    low, high = params.statistical_at(core, z_milli)
    assert earliest <= low <= estimate <= high <= latest
    wider = params.statistical_at(core, z_milli + 1)
    assert wider[0] <= low
    assert high <= wider[1]


def test_the_usual_confidence_is_99_999_percent() -> None:
    assert ceil(1000 * NormalDist().inv_cdf(1 - 0.00001 / 2)) == STATISTICAL_Z_MILLI
    params = ClockParams(
        Status.SYNCHRONIZED, 0, 0, 0, 10**6, 10**6, sigma_ns=1000, likely_early_ns=50
    )
    assert params.statistical_at(0) == (-4468, 4418)


@given(parameters(), TARGETS, st.booleans(), st.booleans())
def test_an_instant_is_its_interval_and_its_status(
    params: ClockParams, age: int, stale: bool, void: bool
) -> None:
    core = params.as_of_ns + age
    params = replace(params, fresh_until_ns=core - stale, void_after_ns=core - void)
    instant = params.instant_at(core)
    assert instant == Instant(*params.interval_at(core), params.status_at(core))
