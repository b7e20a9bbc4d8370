"""From a report about CLOCK_REALTIME to a reading of the core clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qot.clock import ClockModel, EmulatedClock, MonotonicClock
from qot.hard_bound import relative_drift_ppb
from qot.instant import UNBOUNDED_NS, Status
from qot.sources.base import Reading, Report
from qot.sources.errors import SourceSteppedError, SourceUnreachableError
from qot.sources.probe import SourceProbe
from qot.sources.wall_clock import WallStamp

OFFSET_NS = 10**18
SECOND_NS = 10**9
DRIFT_PPB = relative_drift_ppb(50_000, 50_000)


class Wall:
    """CLOCK_REALTIME and CLOCK_MONOTONIC as a test has them: each look takes 2 × 100 ns."""

    def __init__(self) -> None:
        self.monotonic_ns = 1_000 * SECOND_NS
        self.steps_ns = 0

    def __call__(self) -> WallStamp:
        self.monotonic_ns += 1_000
        realtime_ns = self.monotonic_ns + OFFSET_NS + self.steps_ns
        return WallStamp(self.monotonic_ns - 100, realtime_ns, self.monotonic_ns + 100)


@pytest.fixture
def wall() -> Wall:
    return Wall()


def probe(source: Any, wall: Wall, **settings: Any) -> SourceProbe:
    return SourceProbe(source, MonotonicClock(), 50_000, stamp=wall, **settings)


def test_the_interval_is_the_corrected_clock_with_all_that_may_be_wrong(
    wall: Wall, scripted_source: Any, report: Callable[..., Report]
) -> None:
    said = report(500, error_ns=3_000, age_ns=2 * SECOND_NS, age_growth_ppb=1_000)
    source = scripted_source(said, slew_ppb=7_000)
    reading = probe(source, wall).poll()
    drift_ppb = DRIFT_PPB + 7_000
    assert (reading.status, reading.drift_ppb) == (Status.SYNCHRONIZED, drift_ppb)
    assert (reading.begin_ns, reading.end_ns) == (wall.monotonic_ns - 100, wall.monotonic_ns + 100)
    middle_ns = wall.monotonic_ns + OFFSET_NS + 500
    error_ns = 3_000 + 2_001 + 1  # with the µs of asking: 1.2 µs of age, drift for as long
    assert (reading.earliest_ns, reading.latest_ns) == (middle_ns - error_ns, middle_ns + error_ns)
    assert reading.offset_ns == OFFSET_NS + 500
    assert source.asked == [(wall.monotonic_ns + OFFSET_NS - 1_000, drift_ppb)]


def test_the_error_grows_with_the_distance_from_the_reading() -> None:
    reading = Reading(Status.SYNCHRONIZED, 1_000, 1_200, 5_000, 5_500, drift_ppb=10_000_000)
    assert reading.error_at(1_100) == 350 + 1 + 1
    assert reading.error_at(101_000) == 350 + 1 + 1_000
    assert reading.error_at(1_000) <= reading.error_at(1_300)


@given(
    error_ns=st.integers(0, 10**9),
    wrong_by=st.integers(-(10**9), 10**9),
    drift_ppb=st.integers(-50_000, 50_000),
    offset_ns=st.integers(-(10**12), 10**12),
)
def test_an_emulated_core_clock_gets_an_interval_that_holds_the_truth(
    scripted_source: Any,
    report: Callable[..., Report],
    error_ns: int,
    wrong_by: int,
    drift_ppb: int,
    offset_ns: int,
) -> None:
    wall = Wall()
    wrong_by = max(-error_ns, min(error_ns, wrong_by))
    clock = EmulatedClock(ClockModel(999 * SECOND_NS, offset_ns, drift_ppb))
    source = scripted_source(report(wrong_by, error_ns))
    reading = SourceProbe(source, clock, 50_000, stamp=wall).poll()
    truth_ns = wall.monotonic_ns + OFFSET_NS
    core_ns = clock.from_monotonic_ns(wall.monotonic_ns)
    assert reading.begin_ns <= core_ns <= reading.end_ns
    assert reading.earliest_ns <= truth_ns <= reading.latest_ns
    assert abs(truth_ns - core_ns - reading.offset_ns) <= reading.error_at(core_ns)


def test_a_step_during_the_question_puts_it_again_and_is_told(
    wall: Wall, scripted_source: Any, report: Callable[..., Report]
) -> None:
    def step() -> Report:
        wall.steps_ns += SECOND_NS
        return report(111)

    source = scripted_source(step, report(222))
    reading = probe(source, wall).poll()
    assert reading.offset_ns == OFFSET_NS + SECOND_NS + 222
    low, high = reading.step_ns
    assert low <= SECOND_NS <= high < SECOND_NS + 1_000
    assert len(source.asked) == 2


def test_a_step_while_nobody_answered_is_told_with_the_next_reading(
    wall: Wall, scripted_source: Any, report: Callable[..., Report]
) -> None:
    asking = probe(scripted_source(report(), SourceUnreachableError("gone"), report()), wall)
    assert asking.poll().step_ns == (0, 0)
    wall.steps_ns -= SECOND_NS
    with pytest.raises(SourceUnreachableError):
        asking.poll()
    low, high = asking.poll().step_ns
    assert low <= -SECOND_NS <= high
    assert asking.poll().step_ns == (0, 0)


def test_a_clock_that_will_not_stand_still_is_an_error(
    wall: Wall, scripted_source: Any, report: Callable[..., Report]
) -> None:
    def step() -> Report:
        wall.steps_ns += SECOND_NS
        return report()

    with pytest.raises(SourceSteppedError, match="find the program that sets it"):
        probe(scripted_source(step), wall).poll()


def test_the_age_is_at_most_what_we_saw_ourselves(
    wall: Wall, scripted_source: Any, report: Callable[..., Report]
) -> None:
    old = report(error_ns=0, age_ns=UNBOUNDED_NS, age_growth_ppb=1_000_000)
    asking = probe(scripted_source(old, replace(old, update=2)), wall)
    assert asking.poll().status is Status.HOLDOVER  # it may be as old as it likes
    wall.monotonic_ns += SECOND_NS
    reading = asking.poll()
    assert reading.status is Status.SYNCHRONIZED  # it measured since we asked a second ago
    half_ns = (reading.latest_ns - reading.earliest_ns) // 2
    assert 1_000_000 <= half_ns <= 1_000_010


def test_a_source_that_measures_no_more_is_in_holdover(
    wall: Wall, scripted_source: Any, report: Callable[..., Report]
) -> None:
    asking = probe(scripted_source(report()), wall, stale_after_ns=5 * SECOND_NS)
    first = report(age_ns=0)
    asking.source.script = [first]  # type: ignore[attr-defined]
    assert asking.poll().status is Status.SYNCHRONIZED
    asking.source.script = [replace(first, age_ns=6 * SECOND_NS)]  # type: ignore[attr-defined]
    wall.monotonic_ns += 6 * SECOND_NS
    assert asking.poll().status is Status.HOLDOVER
    slow = replace(first, age_ns=6 * SECOND_NS, interval_ns=SECOND_NS)
    asking.source.script = [slow]  # type: ignore[attr-defined]
    assert asking.poll().status is Status.SYNCHRONIZED  # eight of its own intervals are its right


def test_a_source_that_does_not_know_stays_so(wall: Wall, scripted_source: Any) -> None:
    reading = probe(scripted_source(Report(Status.UNSYNCHRONIZED)), wall).poll()
    assert reading.status is Status.UNSYNCHRONIZED
