"""Faulty clocks: the fault is exactly what was asked for, and can be inverted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from qot.clock import SECOND_NS, ClockModel, EmulatedClock, MonotonicClock
from qot.faults.clock import FaultyClock, Rate, Step

MOMENTS = st.integers(0, 300 * SECOND_NS)
RATES = st.integers(-500_000, 500_000)
FAULTS = st.lists(
    st.builds(Rate, MOMENTS, RATES, st.integers(0, 100 * SECOND_NS))
    | st.builds(Step, MOMENTS, st.integers(-(10**12), 10**12)),
    max_size=4,
)


def test_a_step_happens_at_its_moment_and_stays() -> None:
    clock = FaultyClock(MonotonicClock(), Step(100, 7), Step(200, -20))
    assert [clock.from_monotonic_ns(at) for at in (99, 100, 199, 200)] == [99, 107, 206, 187]


def test_a_frequency_jump_gains_what_its_rate_says() -> None:
    clock = FaultyClock(MonotonicClock(), Rate(SECOND_NS, 40_000))
    assert clock.from_monotonic_ns(SECOND_NS) == SECOND_NS
    assert clock.from_monotonic_ns(3 * SECOND_NS) == 3 * SECOND_NS + 80_000


def test_a_ramp_gains_half_as_much_while_it_rises() -> None:
    clock = FaultyClock(MonotonicClock(), Rate(0, 40_000, over_ns=2 * SECOND_NS))
    gained = [clock.from_monotonic_ns(s * SECOND_NS) - s * SECOND_NS for s in (1, 2, 3)]
    assert gained == [10_000, 40_000, 80_000]


def test_the_stated_limit_is_that_of_the_clock_beneath() -> None:
    clock = FaultyClock(MonotonicClock(20_000), Rate(0, 300_000))
    assert clock.max_drift_ppb == 20_000
    assert clock.now_ns() > 0


@settings(max_examples=60, deadline=None)
@given(FAULTS, MOMENTS)
def test_the_inverse_is_the_first_moment_that_shows_so_much(
    faults: list[Step | Rate], at: int
) -> None:
    model = ClockModel(0, offset_ns=-5, drift_ppb=30_000, wander_ppb=5_000, seed=3)
    clock = FaultyClock(EmulatedClock(model), *faults)
    wanted = clock.from_monotonic_ns(at)
    found = clock.to_monotonic_ns(wanted)
    assert found <= at
    assert clock.from_monotonic_ns(found) >= wanted
    assert clock.from_monotonic_ns(found - 1) < wanted
