"""The scenarios that the bounds are audited in: ``SCENARIOS``, by name.

Each sets its clocks and its link and makes things go wrong; :mod:`qot.faults.stage` judges. The
follower and its reference state 50 ppm each, as everywhere. Add one by writing a function and a
line in the table at the end; tests and ``benchmarks/containment.py`` take them from there.
"""

from __future__ import annotations

from collections.abc import Callable

from qot.audit import TIGHTNESS_BAR
from qot.clock import SECOND_NS, ClockModel, EmulatedClock
from qot.faults.clock import FaultyClock, Rate, Step
from qot.faults.link import Jitter, Way, both_ways
from qot.faults.stage import PERIOD_NS, Scenario, Stage

US, MS = 1_000, 1_000_000
ROUND_TRIP_NS = 80 * US
QUIET = both_ways(ROUND_TRIP_NS, jitter_ns=5 * US)
NEXT_EXCHANGE_NS = PERIOD_NS * 11 // 10 + 5 * MS
"""A step is noticed by the next exchange: a period, its ±10 %, and what the exchange takes."""


def _clock(name: str, stage: Stage, wander_ppb: int = 1_000) -> EmulatedClock:
    return EmulatedClock(ClockModel.emulate(stage.seed, name, 0, wander_ppb=wander_ppb))


def _plain(drift_ppb: int = 0, offset_ns: int = 0) -> EmulatedClock:
    model = ClockModel(
        0, offset_ns=offset_ns, drift_ppb=drift_ppb, wander_ppb=200, seed=abs(drift_ppb)
    )
    return EmulatedClock(model)


def _pair(stage: Stage, ways: tuple[Way, Way] = QUIET, wander_ppb: int = 1_000) -> None:
    """A reference and a follower with clocks of their own over a link."""
    stage.set(_clock("reference", stage, wander_ppb), _clock("follower", stage, wander_ppb), ways)


def _nothing_contradicts(stage: Stage) -> None:
    stage.claim("no exchange contradicts another", stage.simulation.filter.contradictions == 0)


def quiet(stage: Stage) -> None:
    _pair(stage, wander_ppb=100)
    stage.play(60)
    _nothing_contradicts(stage)
    found = stage.audit.report(stage.simulation.shortest_round_trip_ns).tightness
    stage.claim(
        f"the hard bound is at most {TIGHTNESS_BAR} x (worst error + half the round trip)",
        found is not None and found <= TIGHTNESS_BAR,
    )


def wander(stage: Stage) -> None:
    _pair(stage, wander_ppb=50_000)
    stage.play(60)
    _nothing_contradicts(stage)


def _rare(period_ns: int, wander_ppb: int) -> Callable[[Stage], None]:
    """As a loose demand does it, with all of the delay on one way: the worst for statistics."""

    def play(stage: Stage) -> None:
        stage.set(
            _clock("reference", stage, wander_ppb),
            _clock("follower", stage, wander_ppb),
            both_ways(ROUND_TRIP_NS, 1.0, jitter_ns=2 * US),
            period_ns=period_ns,
        )
        stage.play(60)
        _nothing_contradicts(stage)

    return play


def frequency_jump(stage: Stage) -> None:
    jumps = [
        Rate(stage.minutes_ns(10 + 10 * number), 80_000 if number % 2 == 0 else -80_000)
        for number in range(5)
    ]
    stage.set(FaultyClock(_plain(-40_000), *jumps), _plain(5_000, 10**9), QUIET)
    stage.play(60)
    _nothing_contradicts(stage)


def frequency_ramp(stage: Stage) -> None:
    warm = Rate(stage.minutes_ns(10), 80_000, over_ns=80 * SECOND_NS)
    cool = Rate(stage.minutes_ns(40), -80_000, over_ns=200 * SECOND_NS)
    stage.set(FaultyClock(_plain(-40_000), warm, cool), _plain(5_000, 10**9), QUIET)
    stage.play(60)
    _nothing_contradicts(stage)


def _step(by_ns: int) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        at_ns = stage.minutes_ns(30)
        stage.set(
            _clock("reference", stage),
            FaultyClock(_clock("follower", stage), Step(at_ns, by_ns)),
            QUIET,
        )
        stage.go(at_ns)
        stage.until_disrupted(NEXT_EXCHANGE_NS)
        stage.play(30)
        brain = stage.simulation.filter
        stage.claim("it is taken for a step", brain.drift_ppb == brain.config.drift_ppb)
        stage.claim("one step, one contradiction", brain.contradictions == 1)

    return play


def _beyond(excess_ppb: int) -> Callable[[Stage], None]:
    """The follower's rate jumps to ``excess_ppb`` beyond what the two stated limits allow."""

    def play(stage: Stage) -> None:
        at_ns = stage.minutes_ns(10)
        follower = FaultyClock(_plain(), Rate(at_ns, 100_005 + excess_ppb + 2_000))
        stage.set(_plain(1_000, 10**9), follower, QUIET)
        stage.go(at_ns)
        hidden_ns = ROUND_TRIP_NS * 3 // 2
        stage.until_disrupted(hidden_ns * SECOND_NS // excess_ppb + NEXT_EXCHANGE_NS)
        stage.play(50)
        brain = stage.simulation.filter
        stage.claim("the limit in use covers it", brain.drift_ppb >= 100_005 + excess_ppb)

    return play


def _link(forward: Way, backward: Way) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        _pair(stage, (forward, backward))
        stage.play(60)
        _nothing_contradicts(stage)

    return play


def attacked(stage: Stage) -> None:
    evil = {"replay": 0.3, "bit_flip": 0.3, "wrong_key": 0.3}
    _pair(stage, both_ways(ROUND_TRIP_NS, jitter_ns=5 * US, **evil))
    stage.play(60)
    _nothing_contradicts(stage)
    seen, asked = stage.simulation.requester.counters, stage.simulation.responder.counters
    few = seen.sent // 10
    stage.claim("forged answers are dropped", seen.forged + seen.malformed > few)
    stage.claim("forged requests are dropped", asked.forged + asked.malformed > few)
    stage.claim("replayed answers are dropped", seen.replayed > few)
    stage.claim("the true ones are believed", seen.accepted > 9 * few)


def reference_death(stage: Stage) -> None:
    _pair(stage)
    stage.play(20)
    simulation, alive = stage.simulation, stage.simulation.reference
    simulation.aim(None, epoch=1)
    stage.go(10 * SECOND_NS)
    early_ns = simulation.observe(simulation.now_ns).instant.error_ns
    stage.go(280 * SECOND_NS)
    late = simulation.observe(simulation.now_ns).instant
    stage.claim("the bound grows in holdover", late.promised and late.error_ns > 10 * early_ns)
    stage.go(60 * SECOND_NS)
    late = simulation.observe(simulation.now_ns).instant
    stage.claim("after void_after nothing is promised", not late.promised)
    simulation.aim(alive, epoch=1)
    stage.play(40)
    _nothing_contradicts(stage)


def two_references(stage: Stage) -> None:
    _pair(stage)
    stage.play(20)
    simulation, old, new = stage.simulation, stage.simulation.reference, _clock("second", stage)
    simulation.aim(new, epoch=2)
    stage.play(20)
    stage.claim("the newer epoch is followed", simulation.params.epoch == 2)
    accepted = simulation.requester.counters.accepted
    simulation.aim(old, epoch=1)
    stage.go(60 * SECOND_NS)
    seen = simulation.requester.counters
    stage.claim("the older one is heard and ignored", seen.stale > 100 > seen.accepted - accepted)
    simulation.aim(new, epoch=2)
    stage.play(20)
    _nothing_contradicts(stage)


def service_pause(stage: Stage) -> None:
    """The service is stopped, as by SIGSTOP; readers go on with the page that it left."""
    _pair(stage)
    for pause_s in (0.2, 2, 20, 200):
        stage.play(14)
        stage.simulation.pause(round(pause_s * SECOND_NS))
        stage.go(round(pause_s * SECOND_NS))
    stage.play(1)
    _nothing_contradicts(stage)


def machine_pause(stage: Stage) -> None:
    """The whole machine stands still, its clock too: it wakes up with the past on its clock."""
    at_ns, pause_ns = stage.minutes_ns(30), 3 * SECOND_NS
    stage.set(
        _clock("reference", stage),
        FaultyClock(_clock("follower", stage), Step(at_ns, -pause_ns)),
        QUIET,
    )
    stage.go(at_ns - 1)
    stage.simulation.pause(pause_ns)
    stage.skip(pause_ns)
    stage.until_disrupted(NEXT_EXCHANGE_NS)
    stage.play(30)


def suspended_reader(stage: Stage) -> None:
    """A reader is stopped between reading the page and its clock, or the other way round."""
    _pair(stage)
    stage.play(10)
    for delay_s in (0.01, 1, 5, 100, -0.01, -1, -5):
        stage.simulation.reader_delay_ns = round(delay_s * SECOND_NS)
        stage.play(7)
    _nothing_contradicts(stage)


def _table() -> list[Scenario]:
    jitter = {"jitter_ns": 5 * US}
    shares = [
        Scenario(
            f"asymmetry {share * 100:+.0f} %",
            f"{(1 + share) / 2:.0%} of the delay is on the way there",
            _link(*both_ways(ROUND_TRIP_NS, share, jitter_ns=2 * US)),
        )
        for share in (0.0, 0.5, 1.0, -1.0)
    ]
    losses = [
        Scenario(
            f"loss {loss:.0%}",
            "so many packets are lost, each way",
            _link(*both_ways(ROUND_TRIP_NS, loss=loss, **jitter)),
        )
        for loss in (0.2, 0.5)
    ]
    steps = [
        Scenario(f"step {by_ns / 1e9:+g} s", "somebody sets the follower's clock", _step(by_ns))
        for by_ns in (5 * MS, -5 * MS, 100 * SECOND_NS, -100 * SECOND_NS)
    ]
    rough = {"jitter_ns": 4 * MS, "jitter": Jitter.PARETO, "loss": 0.05, "reorder": 0.05}
    return [
        Scenario("quiet link", "80 µs there and back, clocks that hardly wander", quiet),
        Scenario("wander", "rates walk all over their stated ±50 ppm", wander),
        Scenario("wander, asked each 1 s", "and all delay on one way", _rare(SECOND_NS, 50_000)),
        Scenario("asked each 5 s", "all delay on one way", _rare(5 * SECOND_NS, 1_000)),
        Scenario("frequency jump", "the reference's rate jumps by 80 ppm", frequency_jump),
        Scenario("frequency ramp", "it moves by 80 ppm, 1 ppm/s up, slower down", frequency_ramp),
        *steps,
        Scenario("drift beyond +60 ppm", "both limits are exceeded by that", _beyond(60_000)),
        Scenario("drift beyond +3 ppm", "and by little", _beyond(3_000)),
        *shares,
        *losses,
        Scenario(
            "reordering",
            "a third is held back for 30 ms and overtaken",
            _link(*both_ways(ROUND_TRIP_NS, reorder=0.33, reorder_ns=30 * MS, **jitter)),
        ),
        Scenario(
            "duplication",
            "half of all packets come twice",
            _link(*both_ways(ROUND_TRIP_NS, duplicate=0.5, **jitter)),
        ),
        Scenario("replayed and forged", "recorded, changed and made-up packets", attacked),
        Scenario(
            "wide area",
            "30 ms, unequal, heavy-tailed, lossy",
            _link(*both_ways(30 * MS, 0.4, **rough)),
        ),
        Scenario("reference death", "holdover, void, and back", reference_death),
        Scenario("two references", "an older one answers again", two_references),
        Scenario("service paused", "0.2 to 200 s, readers go on", service_pause),
        Scenario("machine paused", "and its clock stood still", machine_pause),
        Scenario("suspended reader", "stamp and page of different moments", suspended_reader),
    ]


SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _table()}
