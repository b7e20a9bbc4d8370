import pytest
from hypothesis import given
from hypothesis import strategies as st

from qot.coordination.terms import (
    DEFAULT_TERMS,
    LEAST_HANDOVER_NS,
    Fence,
    Held,
    Terms,
    certain_ns,
    handover_for,
    possible_handovers,
    widened_by,
)

TERMS = Terms(lease_ns=800, silence_ns=1000, handover_ns=50)


@pytest.mark.parametrize(("lease", "silence"), [(0, 1), (-1, 1), (5, 5), (6, 5)])
def test_a_lease_is_shorter_than_what_followers_wait(lease, silence):
    with pytest.raises(ValueError, match="shorter than what followers wait"):
        Terms(lease, silence, 1)


def test_a_negative_handover_is_refused():
    with pytest.raises(ValueError, match="handover_ns is -1"):
        Terms(1, 2, -1)


@pytest.mark.parametrize(
    ("silent_ns", "widening_ns"),
    [(0, 0), (800, 0), (999, 0), (1000, 50), (2799, 50), (2800, 100), (4599, 100), (4600, 150)],
)
def test_a_silent_reference_costs_one_handover_for_each_that_was_possible(silent_ns, widening_ns):
    assert widened_by(silent_ns, TERMS) == widening_ns


@given(st.integers(0, 10**7), st.integers(0, 10**5))
def test_widening_never_shrinks_with_silence(silent_ns, more_ns):
    assert possible_handovers(silent_ns, TERMS) <= possible_handovers(silent_ns + more_ns, TERMS)


@given(
    duration_ns=st.integers(1, 10**12),
    limits=st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)),
    rates=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_what_is_certain_has_passed_on_every_clock_that_keeps_its_limit(duration_ns, limits, rates):
    own_rate, other_rate = (int(limit * rate) for limit, rate in zip(limits, rates, strict=True))
    counted_ns = certain_ns(duration_ns, *limits)
    true_num, true_den = counted_ns * 10**9, 10**9 + own_rate
    assert true_num * (10**9 + other_rate) >= duration_ns * 10**9 * true_den


@given(
    gaps_ns=st.lists(st.integers(0, 3_000), max_size=6),
    shifts=st.lists(st.integers(-50, 50), min_size=6, max_size=6),
    own_ns=st.integers(-20, 20),
    later_ns=st.integers(0, 5_000),
)
def test_the_truth_is_inside_whoever_took_over_and_however_often(gaps_ns, shifts, own_ns, later_ns):
    """A follower with a bound of 20, deaf since 0; each new reference is off by up to handover."""
    truth_ns, now_ns = own_ns, TERMS.silence_ns
    for gap_ns, shift_ns in zip(gaps_ns, shifts, strict=False):
        truth_ns += shift_ns
        assert abs(truth_ns) <= 20 + widened_by(now_ns, TERMS)
        assert abs(truth_ns) <= 20 + widened_by(now_ns + later_ns, TERMS)
        now_ns += TERMS.vacancy_ns + gap_ns


def test_handover_is_half_of_the_tightest_demand():
    assert handover_for([1_000_000, 700_000]) == 350_000
    assert handover_for([]) == 500_000_000 == DEFAULT_TERMS.handover_ns


def test_a_greedy_demand_does_not_make_failover_impossible():
    assert handover_for([1_000_000, 10]) == LEAST_HANDOVER_NS


def test_a_reference_counts_its_lease_from_sending():
    held = Held(epoch=3, sent_ns=100, lease_ns=50)
    assert held.may_serve(149)
    assert not held.may_serve(150)


def test_a_fence_shuts_older_epochs_out():
    fence = Fence()
    assert [fence.admit(epoch) for epoch in (1, 1, 3, 2, 1, 3, 4)] == [
        True, True, True, False, False, True, True,
    ]  # fmt: skip
    assert fence.epoch == 4
