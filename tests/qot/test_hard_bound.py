"""Causality and drift: the interval that can't be wrong."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from qot.clock import SECOND_NS
from qot.hard_bound import HardBound, Sample, relative_drift_ppb

PPB = st.integers(0, 400_000_000)


@given(PPB, PPB)
def test_the_relative_limit_is_the_smallest_integer_that_covers(local: int, reference: int) -> None:
    exact = (1 + Fraction(reference, 10**9)) / (1 - Fraction(local, 10**9)) - 1
    assert exact * 10**9 <= relative_drift_ppb(local, reference) < exact * 10**9 + 1


def test_one_exchange_bounds_the_offset_by_its_two_delays() -> None:
    bound = HardBound(drift_ppb=0, granularity_ns=0)
    assert bound.at(0) is None
    assert bound.add(Sample(1_000, 51_300, 51_350, 1_400))
    assert bound.at(1_400) == (49_950, 50_300)


def test_age_widens_by_the_drift_limit_on_both_sides() -> None:
    bound = HardBound(drift_ppb=100_000, granularity_ns=0)
    bound.add(Sample(0, 100, 100, 200))
    lowest, highest = bound.at(SECOND_NS) or (0, 0)
    assert (lowest, highest) == (-100 - 100_000, 100 + 100_000)


def test_a_better_old_exchange_is_kept_until_age_makes_it_worse() -> None:
    bound = HardBound(drift_ppb=100_000, granularity_ns=0)
    bound.add(Sample(0, 10, 10, 20))
    bound.add(Sample(10_000, 15_000, 15_000, 20_000))
    assert bound.at(20_000) == (-12, 12)
    bound.add(Sample(SECOND_NS, SECOND_NS + 5_000, SECOND_NS + 5_000, SECOND_NS + 10_000))
    assert bound.at(SECOND_NS + 10_000) == (-5_000, 5_001)


def test_a_contradiction_changes_nothing() -> None:
    bound = HardBound(drift_ppb=0, granularity_ns=0)
    bound.add(Sample(0, 100, 100, 200))
    assert not bound.add(Sample(1_000, 9_100, 9_100, 1_200))
    assert bound.at(2_000) == (-100, 100)


def test_an_exchange_can_contradict_itself() -> None:
    assert not HardBound(100_000).add(Sample(0, 0, 10_000, 100))
