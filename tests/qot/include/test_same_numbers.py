"""qot.h gives the Python reader's numbers, bit for bit."""

from __future__ import annotations

import ctypes
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qot.clock import SECOND_NS, ClockModel, EmulatedClock
from qot.errors import PageHistoryError
from qot.instant import Instant, Status
from qot.page import PageWriter
from qot.page_layout import timeline_id
from qot.params import ClockParams
from qot.timeline import TimelineReader, WaitMode

STATUSES = (Status.UNSYNCHRONIZED, Status.SYNCHRONIZED, Status.HOLDOVER, Status.DISRUPTED)
MODES = list(WaitMode)
FARTHEST = 2**58


def around(limit: int) -> st.SearchStrategy[int]:
    """Integers within ±limit of 0, of every magnitude, and often the limits themselves."""
    sizes = [st.integers(-min(limit, 10**e), min(limit, 10**e)) for e in (1, 4, 7, 10, 14, 18)]
    return st.one_of(*sizes, st.sampled_from([-limit, limit]))


def upto(limit: int) -> st.SearchStrategy[int]:
    return around(limit).map(abs)


def writable(params: ClockParams) -> bool:
    return SECOND_NS + params.rate_ppb - params.early_growth_ppb >= SECOND_NS // 10


PARAMS = st.builds(
    ClockParams,
    status=st.sampled_from(STATUSES),
    as_of_ns=around(2**60),
    timeline_ns=around(2**62),
    rate_ppb=around(SECOND_NS // 2),
    early_ns=upto(2**60),
    late_ns=upto(2**60),
    early_growth_ppb=upto(SECOND_NS),
    late_growth_ppb=upto(SECOND_NS),
    sigma_ns=upto(2**60),
    sigma_growth_ppb=upto(SECOND_NS),
    fresh_until_ns=around(2**60),
    void_after_ns=around(2**60),
    epoch=st.integers(0, 2**64 - 1),
    step_marker=st.integers(0, 2**64 - 1),
    likely_early_ns=upto(2**60),
    likely_late_ns=upto(2**60),
).filter(writable)
USUAL = st.builds(
    lambda drift, rate, as_of, timeline, early, late, sigma: ClockParams(
        Status.SYNCHRONIZED,
        as_of,
        timeline,
        rate % (2 * drift + 1) - drift,
        early,
        late,
        drift + rate % (2 * drift + 1) - drift,
        drift - (rate % (2 * drift + 1) - drift),
        sigma,
        drift // 7,
        likely_early_ns=early // 3,
        likely_late_ns=late // 5,
    ),
    st.integers(1, 200_000),
    st.integers(0, 10**6),
    st.integers(0, 10**16),
    st.integers(0, 2 * 10**18),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.integers(0, 10**5),
)
"""As a clock filter makes them."""

SETTINGS = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def as_python(instant: Any) -> Instant:
    return Instant(
        instant.estimate_ns, instant.earliest_ns, instant.latest_ns, STATUSES[instant.status]
    )


@pytest.fixture
def pair(tmp_path: Path, open_c: Any) -> Any:
    """(writer, Python's reader, C's reader) of one page on CLOCK_MONOTONIC."""
    path = tmp_path / "clock.page"
    with closing(PageWriter(path, "wall")) as writer, TimelineReader(path, "wall") as reader:
        yield writer, reader, open_c(path, "wall")


@SETTINGS
@given(
    params=PARAMS | USUAL, ages=st.lists(around(FARTHEST), min_size=1, max_size=8), data=st.data()
)
def test_parameters(pair: Any, structures: Any, params: ClockParams, ages: Any, data: Any) -> None:
    writer, reader, c = pair
    writer.write(params)
    found = c.call("refresh", structures.Params())
    assert found.numbers()[1:] == tuple(getattr(params, n) for n in params.__slots__[1:])
    assert c.plain("generation") == reader.generation
    for age in ages:
        core = params.as_of_ns + age
        there = c.call("instant_at", structures.Instant(), core)
        assert as_python(there) == params.instant_at(core)
        assert c.number("sigma_at", core) == params.sigma_at(core)
        z_milli = data.draw(st.integers(0, 10**6))
        low = ctypes.c_int64()
        high = c.number("statistical_at", core, z_milli, ctypes.byref(low))
        assert (low.value, high) == params.statistical_at(core, z_milli)


@SETTINGS
@given(params=PARAMS | USUAL, gap=around(FARTHEST), mode=st.sampled_from(MODES))
def test_inverses(pair: Any, params: ClockParams, gap: int, mode: WaitMode) -> None:
    writer, reader, c = pair
    writer.write(params)
    target = params.timeline_ns + gap
    found = c.attempt("to_core", ctypes.c_int64(), target, MODES.index(mode))
    core = reader.to_core(target, mode)
    if core is None:
        assert found == "UNSYNCHRONIZED"
    elif found == "RANGE":
        far = max(abs(core - params.as_of_ns), params.early_ns, params.late_ns)
        assert far > FARTHEST or not -(2**62) <= target < 2**62
    else:
        assert found.value == core
        assert c.number("to_monotonic", target, MODES.index(mode)) == core


MODELS = st.builds(
    ClockModel,
    epoch_ns=st.integers(-(10**12), 10**15),
    offset_ns=around(10**18 // 2),
    drift_ppb=st.integers(-50_000, 50_000),
    wander_ppb=st.integers(0, 60_000),
    seed=st.integers(0, 2**64 - 1),
    max_drift_ppb=st.integers(50_000, SECOND_NS // 2 - 1),
)


@settings(SETTINGS, max_examples=60)
@given(
    model=MODELS,
    ages=st.lists(
        st.integers(-(10**18), 2 * SECOND_NS) | st.integers(0, 20_000 * SECOND_NS),
        min_size=1,
        max_size=20,
    ),
)
def test_emulated_clocks(tmp_path: Path, open_c: Any, model: ClockModel, ages: list[int]) -> None:
    path = tmp_path / "clock.page"
    PageWriter(path, "wall", model).close()
    c, clock = open_c(path), EmulatedClock(model)
    for age in ages:
        moment = model.epoch_ns + age
        core = clock.from_monotonic_ns(moment)
        assert c.plain("clock", moment) == core
        for near in (core - 1, core, core + 1):
            assert c.plain("inverse", near) == clock.to_monotonic_ns(near)


@settings(SETTINGS, max_examples=40)
@given(
    steps=st.lists(st.integers(0, 12 * SECOND_NS), min_size=1, max_size=150),
    status=st.lists(st.sampled_from(STATUSES), min_size=1, max_size=5),
    asked=st.lists(st.floats(-0.1, 1.1), min_size=1, max_size=20),
)
def test_past_stamps(
    tmp_path: Path,
    open_c: Any,
    structures: Any,
    steps: list[int],
    status: list[Status],
    asked: list[float],
) -> None:
    path = tmp_path / "clock.page"
    path.unlink(missing_ok=True)
    as_of = 0
    with closing(PageWriter(path, "wall")) as writer, TimelineReader(path) as reader:
        for number, step in enumerate(steps):
            as_of += step
            kind = status[number * len(status) // len(steps)]
            writer.write(ClockParams(kind, as_of, -as_of, number, number, number, number))
        c = open_c(path)
        for share in asked:
            core = round(share * as_of)
            found = c.attempt("to_timeline", structures.Instant(), core)
            if found == "HISTORY":
                with pytest.raises(PageHistoryError):
                    reader.to_timeline(core)
                continue
            assert as_python(found) == reader.to_timeline(core)
            then = c.call("params_at", structures.Params(), core).numbers()
            assert then[1:] == tuple(
                getattr(reader.params_at(core), n) for n in ClockParams.__slots__[1:]
            )


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_timeline_ids(library: ctypes.CDLL, name: str) -> None:
    assert library.driver_timeline_id(name.encode()) == timeline_id(name)
    long = name + "x" * 64
    assert library.driver_timeline_id(long.encode()) == timeline_id(long)
