"""The filter in virtual time: hidden true clocks, bad networks, broken promises."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qot.clock import SECOND_NS, ClockModel, EmulatedClock
from qot.clock_filter import ClockFilter, FilterConfig, Tick, reference_params
from qot.coordination.terms import Terms, next_era
from qot.hard_bound import HardBound, Sample
from qot.instant import Status
from qot.simulation import Observation, Simulation, Way, minutes

MS = 1_000_000
QUIET = Way(delay_ns=40_000, jitter_ns=10_000)


def clock(seed: int, name: str, **settings: int) -> EmulatedClock:
    return EmulatedClock(ClockModel.emulate(seed, name, 0, **settings))


class SteppedClock(EmulatedClock):
    """An emulated clock that somebody set at ``at_ns``."""

    def __init__(self, model: ClockModel, at_ns: int, step_ns: int) -> None:
        super().__init__(model)
        self._at_ns, self._step_ns = at_ns, step_ns

    def from_monotonic_ns(self, monotonic_ns: int) -> int:
        reading = super().from_monotonic_ns(monotonic_ns)
        return reading + self._step_ns * (monotonic_ns >= self._at_ns)


class Audit:
    """Counts what was seen by status, and how far the truth was outside."""

    def __init__(self) -> None:
        self.seen: Counter[Status] = Counter()
        self.worst: Counter[Status] = Counter()
        self.widths: list[int] = []

    def __call__(self, seen: Observation) -> None:
        status = seen.instant.status
        self.seen[status] += 1
        self.worst[status] = max(self.worst[status], seen.outside_ns)
        self.widths.append(seen.instant.latest_ns - seen.instant.earliest_ns)

    @property
    def promised_outside_ns(self) -> int:
        return max(self.worst[Status.SYNCHRONIZED], self.worst[Status.HOLDOVER])


WAYS = st.builds(
    Way,
    delay_ns=st.integers(5_000, 20 * MS),
    jitter_ns=st.sampled_from([0, 10_000, MS, 10 * MS]),
    spike_ns=st.sampled_from([MS, 100 * MS, 700 * MS]),
    spike_chance=st.sampled_from([0.0, 0.05, 0.3]),
    loss=st.sampled_from([0.0, 0.05, 0.5]),
    duplicate=st.sampled_from([0.0, 0.2]),
)


@settings(max_examples=15, deadline=None)
@given(
    WAYS,
    WAYS,
    st.integers(0, 2**32),
    st.sampled_from([0, 1_000, 50_000]),
    st.sampled_from([50 * MS, 250 * MS, 2_000 * MS]),
)
def test_the_hard_interval_holds_the_truth_on_any_network(
    forward: Way, backward: Way, seed: int, wander_ppb: int, period_ns: int
) -> None:
    audit = Audit()
    simulation = Simulation(
        clock(seed, "reference", wander_ppb=wander_ppb),
        clock(seed, "follower", wander_ppb=wander_ppb),
        forward,
        backward,
        seed=seed,
        period_ns=period_ns,
    )
    simulation.run(minutes(1), every_ns=15 * MS, audit=audit)
    assert sum(audit.worst.values()) == 0
    assert audit.seen.total() > 3_000
    assert audit.seen[Status.DISRUPTED] == 0
    assert simulation.filter.contradictions == 0


@pytest.mark.parametrize("extreme", [(50_000, -50_000), (-50_000, 50_000), (50_000, 50_000)])
def test_a_hundred_thousand_samples_at_the_edge_of_the_drift_limit(
    extreme: tuple[int, int],
) -> None:
    reference, follower = (
        EmulatedClock(ClockModel(0, offset_ns=offset, drift_ppb=drift))
        for offset, drift in zip((5, -(10**9)), extreme, strict=True)
    )
    audit = Audit()
    simulation = Simulation(reference, follower, QUIET, Way(3 * MS, MS, loss=0.1), seed=3)
    simulation.run(minutes(3), every_ns=5 * MS, audit=audit)
    assert audit.seen.total() > 34_000
    assert sum(audit.worst.values()) == 0


@pytest.mark.parametrize("extreme", [(50_000, -50_000), (-50_000, 50_000)])
def test_without_any_delay_only_the_granularity_is_left(extreme: tuple[int, int]) -> None:
    reference, follower = (EmulatedClock(ClockModel(0, drift_ppb=drift)) for drift in extreme)
    audit = Audit()
    nothing = Way(delay_ns=0)
    simulation = Simulation(reference, follower, nothing, nothing, seed=4)
    simulation.run(minutes(2), every_ns=10 * MS, audit=audit)
    assert sum(audit.worst.values()) == 0
    assert min(audit.widths[1:]) < 20


def test_eight_minutes_on_a_quiet_link_is_tight_and_the_skew_is_found() -> None:
    audit = Audit()
    reference, follower = clock(9, "a", wander_ppb=100), clock(9, "b", wander_ppb=100)
    simulation = Simulation(reference, follower, QUIET, QUIET, seed=1)
    simulation.run(minutes(8), every_ns=100 * MS, audit=audit)
    assert sum(audit.worst.values()) == 0
    settled = sorted(audit.widths[100:])
    # The round trip is some 100 µs, and a period ages it by 2 x 100 ppm x 250 ms = 50 µs.
    assert settled[len(settled) // 2] < 200_000
    truth_ppb = reference.rate_at_ppb(simulation.now_ns) - follower.rate_at_ppb(simulation.now_ns)
    assert abs(simulation.params.rate_ppb - truth_ppb) < 10_000
    error = simulation.observe(simulation.now_ns)
    assert abs(error.instant.estimate_ns - error.truth_ns) < 20_000


def test_the_estimate_rises_without_steps_once_settled() -> None:
    readings: list[int] = []
    markers: list[int] = []
    simulation = Simulation(clock(4, "a"), clock(4, "b"), QUIET, QUIET, seed=2)
    simulation.run(2 * SECOND_NS, every_ns=SECOND_NS, audit=lambda _: None)

    def look(seen: Observation) -> None:
        readings.append(seen.instant.estimate_ns)
        markers.append(simulation.params.step_marker)

    simulation.run(minutes(2), every_ns=3 * MS, audit=look)
    assert markers[0] == markers[-1]
    assert all(a <= b + 1 for a, b in pairwise(readings))


def test_silence_leads_to_holdover_and_then_to_nothing_while_the_bound_grows() -> None:
    audit = Audit()
    simulation = Simulation(clock(1, "a"), clock(1, "b"), QUIET, QUIET, seed=5)
    simulation.run(minutes(1), every_ns=50 * MS, audit=audit)
    assert simulation.params.status is Status.SYNCHRONIZED
    width = audit.widths[-1]
    simulation.forward = Way(loss=1.0)
    simulation.run(minutes(4), every_ns=50 * MS, audit=audit)
    assert simulation.params.status is Status.HOLDOVER
    # 4 minutes at 2 x 100 ppm
    assert 45 * MS < audit.widths[-1] - width < 50 * MS
    simulation.run(minutes(2), every_ns=50 * MS, audit=audit)
    assert simulation.params.status is Status.UNSYNCHRONIZED
    assert sum(audit.worst.values()) == 0
    simulation.forward = QUIET
    simulation.run(minutes(0.1), every_ns=50 * MS, audit=audit)
    assert simulation.params.status is Status.SYNCHRONIZED
    assert audit.widths[-1] < MS
    assert sum(audit.worst.values()) == 0


@pytest.mark.parametrize("drift_ppb", [103_000, 150_000, -150_000, 201_000, -400_000])
def test_drift_beyond_the_stated_limit_is_detected_and_then_held(drift_ppb: int) -> None:
    fast = EmulatedClock(ClockModel(0, drift_ppb=drift_ppb, max_drift_ppb=10_000_000))
    before, after = Audit(), Audit()
    steady = EmulatedClock(ClockModel(0))
    simulation = Simulation(steady, fast, QUIET, QUIET, seed=6, drift_ppb=100_005)
    while simulation.filter.contradictions == 0:
        simulation.run(100 * MS, every_ns=10 * MS, audit=before)
    # Before the first contradiction nobody can know; it comes within a round trip's worth of error.
    assert before.promised_outside_ns < 100_000 + (abs(drift_ppb) - 100_000) // 3
    assert simulation.params.status is Status.DISRUPTED
    simulation.run(minutes(2), every_ns=10 * MS, audit=after)
    assert after.promised_outside_ns == 0
    assert simulation.params.status is Status.SYNCHRONIZED
    assert simulation.filter.drift_ppb >= abs(drift_ppb)


def test_what_drifts_like_no_clock_is_never_promised_again() -> None:
    wild = EmulatedClock(ClockModel(0, drift_ppb=5_000_000, max_drift_ppb=10_000_000))
    steady = EmulatedClock(ClockModel(0))
    simulation = Simulation(steady, wild, QUIET, QUIET, seed=6, drift_ppb=100_005)
    simulation.run(SECOND_NS, every_ns=10 * MS, audit=lambda _: None)
    audit = Audit()
    simulation.run(minutes(2), every_ns=10 * MS, audit=audit)
    assert audit.seen == {Status.DISRUPTED: audit.seen.total()}


@pytest.mark.parametrize("step_ns", [5 * MS, -5 * MS, 10**12, -(10**12)])
def test_a_step_of_the_reference_is_detected_and_survived(step_ns: int) -> None:
    reference = SteppedClock(ClockModel.emulate(3, "a", 0), minutes(1), step_ns)
    simulation = Simulation(reference, clock(3, "b"), QUIET, QUIET, seed=7)
    before, during, after = Audit(), Audit(), Audit()
    simulation.run(minutes(1) - MS, every_ns=10 * MS, audit=before)
    simulation.run(2 * SECOND_NS, every_ns=10 * MS, audit=during)
    marker = simulation.params.step_marker
    simulation.run(minutes(2), every_ns=10 * MS, audit=lambda _: None)
    simulation.run(minutes(1), every_ns=10 * MS, audit=after)
    assert before.promised_outside_ns == 0
    assert during.seen[Status.DISRUPTED] > 0
    assert simulation.filter.contradictions == 1
    assert simulation.filter.drift_ppb == simulation.filter.config.drift_ppb
    assert marker > 0
    assert after.seen == {Status.SYNCHRONIZED: after.seen.total()}
    assert after.promised_outside_ns == 0


def sample(at: int, offset: int, delay: int = 1_000, epoch: int = 1) -> Sample:
    return Sample(at, at + delay + offset, at + delay + offset, at + 2 * delay, epoch)


def test_nothing_is_promised_before_the_first_exchange() -> None:
    params = ClockFilter(FilterConfig(drift_ppb=100)).handle(Tick(), 5)
    assert params.status is Status.UNSYNCHRONIZED
    assert not params.bounded


@given(st.integers(-90, 90), st.lists(st.integers(0, 50_000), min_size=12, max_size=12))
def test_what_is_published_is_the_hard_bound_at_any_later_time(
    skew_ppm: int, waits: list[int]
) -> None:
    brain, bound = ClockFilter(FilterConfig(drift_ppb=100_000)), HardBound(100_000)
    for index, wait in enumerate(waits):
        at = index * 250 * MS
        each = sample(at, skew_ppm * at // 10**6, 60_000 + wait)
        params = brain.handle(each, each.t4_ns)
        assert bound.add(each)
        for age in (0, 1, MS, 77 * MS, 100 * SECOND_NS):
            later = each.t4_ns + age
            lowest, highest = bound.at(later) or (0, 0)
            estimate, earliest, latest = params.interval_at(later)
            assert later + lowest - 2 <= earliest <= later + lowest
            assert later + highest <= latest <= later + highest + 3
            assert earliest <= estimate <= latest


def test_the_first_exchange_is_enough_for_a_bound() -> None:
    params = ClockFilter(FilterConfig(drift_ppb=100)).handle(sample(0, 10**9), 2_000)
    assert params.status is Status.SYNCHRONIZED
    assert params.instant_at(2_000).contains(2_000 + 10**9)
    assert params.instant_at(2_000).error_ns < 1_020


def test_a_reference_whose_own_stamps_make_no_sense_gets_no_bound() -> None:
    params = ClockFilter(FilterConfig(drift_ppb=100)).handle(Sample(0, 0, 10**6, 1_000), 1_000)
    assert params.status is Status.DISRUPTED
    assert not params.bounded


def test_a_disruption_lasts_until_enough_exchanges_over_enough_time_agree() -> None:
    config = FilterConfig(drift_ppb=100, quarantine=3, quarantine_ns=1_000_000)
    brain = ClockFilter(config)
    brain.handle(sample(0, 0), 2_000)
    stepped = [
        brain.handle(sample(at, 10**9), at + 2_000).status
        for at in (10_000, 20_000, 30_000, 40_000, 50_000, 2_000_000, 2_010_000)
    ]
    assert stepped == [Status.DISRUPTED] * 5 + [Status.SYNCHRONIZED] * 2
    assert brain.contradictions == 1


def test_a_new_reference_epoch_starts_afresh_and_an_old_one_is_ignored() -> None:
    brain = ClockFilter(FilterConfig(drift_ppb=100))
    first = brain.handle(sample(0, 0), 2_000)
    second = brain.handle(sample(10_000, 10**9, epoch=2), 12_000)
    assert second.status is Status.SYNCHRONIZED
    assert second.step_marker > first.step_marker
    assert second.instant_at(12_000).contains(12_000 + 10**9)
    third = brain.handle(sample(20_000, 0, epoch=1), 22_000)
    assert third.instant_at(22_000).contains(22_000 + 10**9)
    assert third.epoch == 2


def test_the_reference_has_no_error_and_stays_fresh_for_five_periods() -> None:
    params = reference_params(1_000, epoch=3, period_ns=100)
    instant = params.instant_at(1_500)
    assert (instant.estimate_ns, instant.error_ns) == (1_500, 0)
    assert instant.status is Status.SYNCHRONIZED
    assert params.status_at(1_501) is Status.HOLDOVER


TERMS = Terms(lease_ns=800 * MS, silence_ns=SECOND_NS, handover_ns=2 * MS)


def exchange(core_ns: int, offset_ns: int, epoch: int = 1, delay_ns: int = 20_000) -> Sample:
    """One exchange with a reference whose time is core + offset."""
    time_ns = core_ns + delay_ns + offset_ns
    return Sample(core_ns, time_ns, time_ns, core_ns + 2 * delay_ns, epoch)


def settled(offset_ns: int = 0) -> tuple[ClockFilter, int]:
    """A filter with a good second of exchanges behind it, and the core time."""
    made = ClockFilter(FilterConfig(drift_ppb=100_000))
    made.terms = TERMS
    now_ns = 0
    for _ in range(12):
        now_ns += 100 * MS
        made.handle(exchange(now_ns, offset_ns), now_ns + MS)
    return made, now_ns


def test_silence_widens_by_what_a_successor_may_be_off_and_a_word_takes_it_back():
    made, heard_ns = settled()
    late_ns = heard_ns + TERMS.silence_ns
    before = made.handle(Tick(), late_ns - 1)
    after = made.handle(Tick(), late_ns)
    assert after.late_ns - before.late_ns >= TERMS.handover_ns
    assert after.early_ns - before.early_ns >= TERMS.handover_ns
    assert after.likely_early_ns <= after.early_ns
    twice = made.handle(Tick(), late_ns + TERMS.vacancy_ns)
    assert twice.late_ns - after.late_ns >= TERMS.handover_ns
    made.still_held(late_ns + TERMS.vacancy_ns)
    assert made.handle(Tick(), late_ns + TERMS.vacancy_ns).late_ns < after.late_ns


def test_what_nobody_renews_is_void_before_the_next_change_of_the_reference():
    made, heard_ns = settled()
    for now_ns in (heard_ns + MS, heard_ns + TERMS.silence_ns, heard_ns + 5 * SECOND_NS):
        params = made.handle(Tick(), now_ns)
        assert now_ns <= params.void_after_ns < now_ns + TERMS.vacancy_ns
        grown = made.handle(Tick(), params.void_after_ns + 1)
        assert grown.late_ns >= params.late_ns + TERMS.handover_ns
        assert params.status_at(params.void_after_ns + 1) is Status.UNSYNCHRONIZED


def test_a_new_epoch_goes_on_from_the_old_bound_and_the_estimate_does_not_jump():
    made, heard_ns = settled()
    now_ns = heard_ns + 3 * SECOND_NS
    before = made.handle(Tick(), now_ns)
    after = made.handle(exchange(now_ns, MS, epoch=2, delay_ns=3 * MS), now_ns + 7 * MS)
    assert after.epoch == 2
    assert after.step_marker == before.step_marker
    assert abs(after.timeline_ns - before.estimate_at(after.as_of_ns)) <= 1
    assert after.early_ns + after.late_ns < 6 * MS
    assert after.instant_at(now_ns + 7 * MS).contains(now_ns + 7 * MS + MS)


def test_a_successor_that_is_off_by_more_than_agreed_is_a_contradiction():
    made, heard_ns = settled()
    now_ns = heard_ns + 3 * SECOND_NS
    after = made.handle(exchange(now_ns, 50 * MS, epoch=2), now_ns + MS)
    assert after.status is Status.DISRUPTED


def test_a_new_era_has_nothing_to_do_with_the_old_one():
    made, heard_ns = settled()
    now_ns, era = heard_ns + 3 * SECOND_NS, next_era(1)
    after = made.handle(exchange(now_ns, 50 * SECOND_NS, epoch=era), now_ns + MS)
    assert (after.epoch, after.status) == (era, Status.SYNCHRONIZED)
    assert after.late_ns < MS
