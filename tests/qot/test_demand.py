"""The closed form that turns a demand into a rate."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from qot.clock import SECOND_NS
from qot.demand import (
    RELAX_PERCENT,
    Delivered,
    Deliveries,
    Pace,
    PaceLimits,
    best_accuracy_ns,
    cheapest_pace,
    longest_interval_ns,
    next_pace,
    period_within_ns,
    slowest_pace,
    spacing_ns,
)

LIMITS = PaceLimits()
MS = 1_000_000

accuracies = st.integers(1_000, SECOND_NS)
delivereds = st.builds(
    Delivered,
    st.integers(0, 20 * MS),
    st.integers(0, 20 * MS),
    st.integers(0, 400_000),
)
limits = st.builds(
    PaceLimits,
    st.integers(MS, 100 * MS),
    st.integers(100 * MS, 300 * SECOND_NS),
    st.booleans(),
)


def error_at_worst(pace: Pace, delivered: Delivered) -> int:
    """The hard error just before the next answer, when the one before was lost."""
    grown = -(-delivered.growth_ppb * spacing_ns(pace.period_ns) // SECOND_NS)
    return delivered.fresh_ns(pace.paired) + grown


def test_the_reference_figures() -> None:
    """α = 1 ms, ε0 = 100 µs, ρ = 50 ppm → 18 s; α = 100 µs, ε0 = 50 µs → 1 s; at 1 ppm 50 s."""
    assert longest_interval_ns(MS, 100_000, 50_000) == 18 * SECOND_NS
    assert longest_interval_ns(100_000, 50_000, 50_000) == SECOND_NS
    assert longest_interval_ns(100_000, 50_000, 1_000) == 50 * SECOND_NS


@given(st.integers(0, 600 * SECOND_NS))
def test_a_period_is_the_longest_that_fits_its_interval(interval_ns: int) -> None:
    period_ns = period_within_ns(interval_ns)
    if period_ns:
        assert spacing_ns(period_ns) <= interval_ns
    assert spacing_ns(period_ns + 5) > interval_ns


@given(accuracies, delivereds, limits)
def test_an_accuracy_that_is_admitted_is_held(
    accuracy_ns: int, delivered: Delivered, limits: PaceLimits
) -> None:
    pace = cheapest_pace(accuracy_ns, delivered, limits)
    assert limits.shortest_ns <= pace.period_ns <= limits.longest_ns
    if accuracy_ns >= best_accuracy_ns(delivered, limits):
        assert error_at_worst(pace, delivered) <= accuracy_ns
    else:
        assert all(
            slowest_pace(accuracy_ns, delivered, limits, paired) is None for paired in limits.kinds
        )


@given(delivereds, limits)
def test_the_best_that_can_be_had_can_be_had(delivered: Delivered, limits: PaceLimits) -> None:
    best_ns = best_accuracy_ns(delivered, limits)
    assert error_at_worst(cheapest_pace(best_ns, delivered, limits), delivered) <= best_ns


@given(accuracies, accuracies, delivereds, limits)
def test_a_looser_demand_never_costs_more(
    one: int, other: int, delivered: Delivered, limits: PaceLimits
) -> None:
    tight, loose = sorted((one, other))
    assume(tight >= best_accuracy_ns(delivered, limits))
    tight_cost = cheapest_pace(tight, delivered, limits).exchanges_per_hour
    assert cheapest_pace(loose, delivered, limits).exchanges_per_hour <= tight_cost


@given(accuracies, delivereds, delivereds, limits)
def test_whatever_comes_the_next_pace_holds_the_demand(
    accuracy_ns: int, before: Delivered, now: Delivered, limits: PaceLimits
) -> None:
    assume(accuracy_ns >= best_accuracy_ns(now, limits))
    present = cheapest_pace(accuracy_ns, before, limits)
    pace = next_pace(present, accuracy_ns, now, limits)
    assert error_at_worst(pace, now) <= accuracy_ns
    cheapest = cheapest_pace(accuracy_ns, now, limits).exchanges_per_hour
    assert pace.exchanges_per_hour <= cheapest * (1 + RELAX_PERCENT / 100)


@given(accuracies, delivereds, limits)
def test_a_pace_that_is_right_stays(
    accuracy_ns: int, delivered: Delivered, limits: PaceLimits
) -> None:
    assume(accuracy_ns >= best_accuracy_ns(delivered, limits))
    pace = cheapest_pace(accuracy_ns, delivered, limits)
    assert next_pace(pace, accuracy_ns, delivered, limits) == pace


def test_noise_moves_the_rate_once_and_not_to_and_fro() -> None:
    noisy = [Delivered(100_000 + step * 7_919 % 60_000, 40_000, 100_000) for step in range(200)]
    pace: Pace | None = None
    paces = []
    for delivered in noisy:
        pace = next_pace(pace, MS, delivered, LIMITS)
        paces.append(pace)
    changes = sum(a != b for a, b in pairwise(paces))
    assert changes <= 12
    assert all(pace == paces[-1] for pace in paces[60:])


def test_a_link_that_gets_better_and_worse_relaxes_and_tightens() -> None:
    bad, good = Delivered(800_000, 700_000, 100_000), Delivered(100_000, 40_000, 100_000)
    tight = next_pace(None, MS, bad, LIMITS)
    loose = next_pace(tight, MS, good, LIMITS)
    assert loose.period_ns > 3 * tight.period_ns
    assert next_pace(loose, MS, bad, LIMITS) == tight


def test_pairs_are_sent_when_they_pay() -> None:
    delivered = Delivered(cold_ns=125_000, warm_ns=20_000, growth_ppb=100_000)
    assert cheapest_pace(MS, delivered, LIMITS).paired is False
    assert cheapest_pace(130_000, delivered, LIMITS).paired is True
    assert cheapest_pace(MS, delivered, PaceLimits(pairs_only=True)).paired is True


def test_a_demand_that_can_not_be_met_is_not_asked_for_in_vain() -> None:
    pace = cheapest_pace(1_000, Delivered(90_000, 80_000, 100_000), LIMITS)
    assert pace == Pace(200 * MS, True)


def test_without_a_demand_the_longest_period_does() -> None:
    delivered = Delivered(90_000, 80_000, 100_000)
    assert next_pace(Pace(LIMITS.shortest_ns, True), None, delivered, LIMITS) == Pace(
        LIMITS.longest_ns, False
    )


def test_the_reference_itself_meets_everything() -> None:
    exact = Delivered(0, 0, 0)
    assert best_accuracy_ns(exact, LIMITS) == 0
    assert cheapest_pace(1, exact, LIMITS).period_ns == LIMITS.longest_ns


def test_deliveries_sum_up_by_the_upper_quartile() -> None:
    deliveries = Deliveries()
    assert deliveries.summary() is None
    for error_ns in (40, 10, 20, 30):
        deliveries.add(error_ns, 100, warm=True)
    assert deliveries.summary() == Delivered(40, 40, 100)
    for error_ns in range(100, 200):
        deliveries.add(error_ns, 200, warm=False)
    assert deliveries.summary() == Delivered(196, 40, 200)
    assert deliveries.count == 20
    deliveries.clear()
    assert deliveries.summary() is None
