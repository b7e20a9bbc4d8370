"""Emulated clocks: the same in every process, invertible, within their stated drift."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qot.clock import SECOND_NS, ClockModel, EmulatedClock, MonotonicClock, core_clock, truth_ns

HOUR_NS = 3600 * SECOND_NS
MODELS = st.builds(
    ClockModel,
    epoch_ns=st.integers(0, 10**15),
    offset_ns=st.integers(-(10**14), 10**14),
    drift_ppb=st.integers(-50_000, 50_000),
    wander_ppb=st.integers(0, 60_000),
    seed=st.integers(0, 2**63 - 1),
)
AGES = st.integers(-60 * SECOND_NS, HOUR_NS)


@settings(max_examples=60, deadline=None)
@given(MODELS, st.lists(AGES, min_size=1, max_size=12))
def test_the_inverse_is_exact(model: ClockModel, ages: list[int]) -> None:
    clock = EmulatedClock(model)
    for age in ages:
        local = model.epoch_ns + model.offset_ns + age
        monotonic = clock.to_monotonic_ns(local)
        assert local <= clock.from_monotonic_ns(monotonic) <= local + 1
        assert clock.from_monotonic_ns(monotonic - 1) < local


@settings(max_examples=60, deadline=None)
@given(MODELS, AGES, st.integers(1, 10 * SECOND_NS))
def test_it_never_goes_back_and_keeps_its_drift_limit(
    model: ClockModel, age: int, step: int
) -> None:
    clock = EmulatedClock(model)
    start = model.epoch_ns + age
    gained = clock.from_monotonic_ns(start + step) - clock.from_monotonic_ns(start)
    assert gained >= 0
    assert abs(gained - step) <= model.max_drift_ppb * step / 1e9 + 1


@settings(max_examples=30, deadline=None)
@given(MODELS, st.lists(AGES, min_size=2, max_size=8))
def test_the_order_of_reads_does_not_matter(model: ClockModel, ages: list[int]) -> None:
    once = EmulatedClock(model)
    readings = [once.from_monotonic_ns(model.epoch_ns + age) for age in ages]
    again = EmulatedClock(ClockModel.from_dict(model.as_dict()))
    backwards = [again.from_monotonic_ns(model.epoch_ns + age) for age in reversed(ages)]
    assert readings == backwards[::-1]


def test_another_process_computes_the_same_clock() -> None:
    model = ClockModel.emulate(7, "node3", 10**12, wander_ppb=5_000)
    at = 10**12 + 500 * SECOND_NS + 123_456_789
    code = (
        "from qot.clock import *; "
        f"print(EmulatedClock(ClockModel.emulate(7, 'node3', 10**12, wander_ppb=5_000))"
        f".from_monotonic_ns({at}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == EmulatedClock(model).from_monotonic_ns(at) == truth_ns(model, at)


def test_it_wanders_within_its_reach() -> None:
    model = ClockModel(0, drift_ppb=20_000, wander_ppb=3_000, seed=5)
    clock = EmulatedClock(model)
    rates = {clock.rate_at_ppb(second * SECOND_NS) for second in range(2000)}
    assert len(rates) > 500
    assert min(rates) >= 17_000
    assert max(rates) <= 23_000


def test_nodes_get_clocks_of_their_own() -> None:
    models = [ClockModel.emulate(1, f"node{index}", 0) for index in range(20)]
    assert len({model.offset_ns for model in models}) == 20
    assert len({model.drift_ppb for model in models}) == 20
    assert models[0] != ClockModel.emulate(2, "node0", 0)


def test_the_monotonic_clock_is_the_machines_own() -> None:
    clock = core_clock(None)
    assert isinstance(clock, MonotonicClock)
    assert clock.to_monotonic_ns(42) == clock.from_monotonic_ns(42) == 42
    assert clock.now_ns() <= clock.now_ns()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"drift_ppb": 60_000}, "beyond the stated limit"),
        ({"wander_ppb": -1}, "wander_ppb"),
        ({"max_drift_ppb": -1}, "max_drift_ppb"),
    ],
)
def test_a_model_that_breaks_its_own_limit_is_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClockModel(0, **wrong)
