"""Readings become a page: what it promises holds, also when CLOCK_REALTIME is stepped."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qot.clock_filter import FilterConfig, Tick
from qot.instant import Status
from qot.params import ClockParams
from qot.sources.base import Reading
from qot.sources.source_filter import SourceFilter

SECOND_NS = 10**9
DRIFT_PPB = 100_000
PERIOD_NS = SECOND_NS // 4
SETTLE = 4
CONFIG = FilterConfig(drift_ppb=DRIFT_PPB, period_ns=PERIOD_NS)


class World:
    """A core clock that drifts, a source that is wrong by no more than it says, and steps."""

    def __init__(self, seed: int, error_ns: int, wrong_ns: int | None = None) -> None:
        """wrong_ns: how wrong it ever is; as much as it says if that is not given."""
        self.random = random.Random(seed)
        self.error_ns = error_ns
        self.wrong_ns = error_ns if wrong_ns is None else wrong_ns
        self.core_ns = 5 * SECOND_NS
        self.truth_ns = self.core_ns + 10**18
        self.drift_ppb = self.random.randint(-90_000, 90_000)
        self.filter = SourceFilter(CONFIG, SETTLE)
        self.update = 1
        self.unknown_step_ns = 0
        self.step_ns = (0, 0)
        self.params: ClockParams | None = None

    def pass_time(self, time_ns: int) -> None:
        """Core time passes; the timeline runs a little differently; the truth stays promised."""
        parts = 10
        for _ in range(parts):
            self.core_ns += time_ns // parts
            self.truth_ns += time_ns // parts * (SECOND_NS + self.drift_ppb) // SECOND_NS
            self.audit()

    def audit(self) -> None:
        if self.params is None:
            return
        instant = self.params.instant_at(self.core_ns)
        if instant.promised and instant.error_ns < 2**59:
            assert instant.earliest_ns - 10 <= self.truth_ns <= instant.latest_ns + 10

    def step(self, step_ns: int, *, noticed: bool = False) -> None:
        """CLOCK_REALTIME is stepped; a source that noticed it takes it into account."""
        slack = 200
        self.step_ns = self.step_ns[0] + step_ns - slack, self.step_ns[1] + step_ns + slack
        if not noticed:
            self.unknown_step_ns += step_ns

    def reading(self, status: Status = Status.SYNCHRONIZED) -> Reading:
        wrong_ns = self.random.randint(-self.wrong_ns, self.wrong_ns)
        middle_ns = self.truth_ns + wrong_ns + self.unknown_step_ns
        step_ns, self.step_ns = self.step_ns, (0, 0)
        return Reading(
            status,
            self.core_ns - 100,
            self.core_ns + 100,
            middle_ns - self.error_ns - 100,
            middle_ns + self.error_ns + 100,
            DRIFT_PPB,
            self.update,
            step_ns,
        )

    def poll(self, *, measured: bool = True, status: Status = Status.SYNCHRONIZED) -> ClockParams:
        """One period passes and the source is asked; it has measured anew or not."""
        self.pass_time(PERIOD_NS)
        self.update += measured
        self.params = self.filter.handle(self.reading(status), self.core_ns + 1_000)
        self.audit()
        return self.params

    def settle(self) -> ClockParams:
        for _ in range(15):
            params = self.poll()
        return params


@pytest.fixture
def world() -> World:
    """One that is far better than it says, as they are."""
    return World(1, 30_000, wrong_ns=1_000)


def test_readings_that_differ_are_intersected() -> None:
    world = World(1, 30_000)
    params = world.settle()
    assert params.status is Status.SYNCHRONIZED
    assert params.early_ns + params.late_ns < 2 * world.error_ns
    assert world.filter.believed == 15
    assert world.filter.contradictions == 0


def test_after_settling_the_estimate_rises_without_steps(world: World) -> None:
    world.settle()
    marker = world.params.step_marker
    for _ in range(200):
        before = world.params
        after = world.poll()
        assert abs(before.estimate_at(after.as_of_ns) - after.timeline_ns) <= 1
        assert abs(after.rate_ppb) <= DRIFT_PPB
        assert after.early_ns >= 0
        assert after.late_ns >= 0
    assert after.step_marker == marker


def test_a_source_that_takes_its_word_back_is_unsynchronized_at_once(world: World) -> None:
    world.settle()
    assert world.poll(status=Status.UNSYNCHRONIZED).status is Status.UNSYNCHRONIZED
    assert world.filter.handle(Tick(), world.core_ns + 2_000).status is Status.UNSYNCHRONIZED
    assert world.poll().status is Status.SYNCHRONIZED


def test_a_source_that_never_knew_promises_nothing(world: World) -> None:
    params = world.poll(status=Status.UNSYNCHRONIZED)
    assert params.status is Status.UNSYNCHRONIZED
    assert not params.bounded


def test_a_stale_source_is_in_holdover_with_a_growing_bound(world: World) -> None:
    narrow = world.settle()
    widths = []
    for _ in range(10):
        params = world.poll(measured=False, status=Status.HOLDOVER)
        assert params.status is Status.HOLDOVER
        widths.append(params.early_ns + params.late_ns)
    assert widths == sorted(widths)
    assert widths[-1] > narrow.early_ns + narrow.late_ns
    assert world.poll().status is Status.SYNCHRONIZED


def test_a_source_that_is_not_heard_ends_in_holdover_and_then_in_nothing(world: World) -> None:
    world.settle()
    world.pass_time(2 * SECOND_NS)
    assert world.filter.handle(Tick(), world.core_ns).status is Status.HOLDOVER
    world.pass_time(300 * SECOND_NS)
    assert world.filter.handle(Tick(), world.core_ns).status is Status.UNSYNCHRONIZED


def test_a_timeline_that_jumps_is_disrupted_and_never_synchronized_and_wrong(world: World) -> None:
    world.settle()
    world.params = None  # What was promised of the old timeline can't hold of the new one.
    world.truth_ns += SECOND_NS
    assert world.poll().status is Status.DISRUPTED
    assert world.filter.contradictions == 1
    while world.poll().status is Status.DISRUPTED:
        pass
    assert world.params.status is Status.SYNCHRONIZED


@pytest.mark.parametrize("step_ns", [3_600 * SECOND_NS, -SECOND_NS, 1_000_000])
def test_a_step_that_the_source_knows_of_changes_nothing(world: World, step_ns: int) -> None:
    world.settle()
    marker = world.params.step_marker
    world.step(step_ns, noticed=True)
    assert world.poll(measured=False).status is Status.SYNCHRONIZED
    assert not world.filter.doubtful
    for _ in range(20):
        assert world.poll().status is Status.SYNCHRONIZED
    assert world.filter.steps == 1
    assert world.params.step_marker == marker


@pytest.mark.parametrize("step_ns", [3_600 * SECOND_NS, -SECOND_NS, 50_000, -20_000])
def test_a_step_that_the_source_missed_is_undone_as_long_as_it_has_not_measured(
    world: World, step_ns: int
) -> None:
    world.settle()
    world.step(step_ns)
    for _ in range(20):
        params = world.poll(measured=False)
        assert params.status is Status.SYNCHRONIZED
        assert params.early_ns + params.late_ns < 3 * world.error_ns + abs(step_ns) // 2
    assert world.filter.doubtful
    assert world.filter.contradictions == 0


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    error_ns=st.integers(100, 10**7),
    step_ns=st.integers(-(10**10), 10**10),
    again_ns=st.integers(-(10**6), 10**6),
    calm=st.integers(0, 3),
)
def test_a_source_that_learns_of_a_step_bit_by_bit_never_breaks_the_promise(
    seed: int, error_ns: int, step_ns: int, again_ns: int, calm: int
) -> None:
    world = World(seed, error_ns)
    world.settle()
    world.step(step_ns)
    for _ in range(calm):
        world.poll(measured=False)
    world.step(again_ns)
    world.poll(measured=False)
    for left in reversed(range(SETTLE - 1)):  # Each measurement, it knows more of it.
        world.unknown_step_ns = world.unknown_step_ns * left // (left + 1)
        world.poll()
    for _ in range(20):
        world.poll()
    assert world.filter.contradictions == 0
    assert world.params.status is Status.SYNCHRONIZED
    assert not world.filter.doubtful


def test_a_source_that_never_learns_ends_disrupted_and_not_wrong(world: World) -> None:
    world.settle()
    world.step(SECOND_NS)
    statuses = [world.poll().status for _ in range(SETTLE)]
    assert statuses[:-1] == [Status.SYNCHRONIZED] * (SETTLE - 1)
    assert statuses[-1] is Status.DISRUPTED


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), error_ns=st.integers(0, 10**8))
def test_whatever_the_source_says_within_its_error_the_interval_holds(
    seed: int, error_ns: int
) -> None:
    world = World(seed, error_ns)
    chance = random.Random(seed + 1)
    for _ in range(60):
        told = chance.random()
        if told < 0.1:
            world.pass_time(chance.randint(1, 10) * PERIOD_NS)
            world.params = world.filter.handle(Tick(), world.core_ns)
        elif told < 0.2:
            world.poll(status=chance.choice([Status.HOLDOVER, Status.UNSYNCHRONIZED]))
        else:
            world.poll(measured=chance.random() < 0.5)
    assert world.filter.contradictions == 0


def test_a_reading_is_told_to_the_filter_as_an_exchange_of_the_same_limits() -> None:
    reading = Reading(Status.SYNCHRONIZED, 10, 20, 100, 150, 0)
    sample = reading.sample()
    assert (sample.t1_ns, sample.t4_ns) == (10, 20)
    assert sample.t2_ns - sample.t1_ns == 140  # the most that timeline - core can be
    assert sample.t3_ns - sample.t4_ns == 80  # the least
    assert replace(reading, end_ns=10).sample().round_trip_ns == 50
