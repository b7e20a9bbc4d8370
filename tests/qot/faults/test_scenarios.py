"""Every scenario, short: minutes of virtual time each. benchmarks/containment.py has the hours."""

from __future__ import annotations

import pytest

from qot.clock import ClockModel, EmulatedClock
from qot.faults.link import both_ways
from qot.faults.scenarios import QUIET, SCENARIOS
from qot.faults.stage import Scenario, Stage
from qot.simulation import Observation, Simulation, minutes

MS = 1_000_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_bounds_and_the_claims_hold(name: str) -> None:
    outcome = SCENARIOS[name].run(12_000, scale=0.02, seed=5)
    assert outcome.broken == []
    assert outcome.report.promised > 11_000
    assert outcome.report.hard_outside == 0
    assert outcome.report.statistical_wider == 0
    assert outcome.report.statistical_outside == 0
    assert outcome.holds


def test_the_same_seed_gives_the_same_figures() -> None:
    scenario = SCENARIOS["replayed and forged"]
    first, again, other = (scenario.run(1_000, scale=0.01, seed=seed) for seed in (1, 1, 2))
    assert first.as_dict() == again.as_dict() != other.as_dict()


def test_a_lie_is_found_out() -> None:
    """A filter that is told a limit that its clock does not keep can't pass an audit."""

    def play(stage: Stage) -> None:
        fast = EmulatedClock(ClockModel(0, drift_ppb=40_000))
        stage.set(EmulatedClock(ClockModel(0)), fast, QUIET, drift_ppb=1_000)
        stage.go(1_500 * MS)
        stage.claim("the sky is green", False)

    outcome = Scenario("lie", "", play, length_min=1).run(10_000)
    assert outcome.report.hard_outside > 0
    assert not outcome.holds
    assert outcome.broken == ["the sky is green"]


def test_what_the_page_says_of_sigma_reaches_five_nines_too() -> None:
    """Readers that know sigma alone: estimate ± 4.418 σ, inside the hard bound."""
    missed: list[Observation] = []
    seen = 0

    def look(observation: Observation) -> None:
        nonlocal seen
        core_ns = follower.from_monotonic_ns(observation.monotonic_ns)
        spread = 4.418 * simulation.params.sigma_at(core_ns)
        instant = observation.instant
        seen += 1
        if abs(instant.estimate_ns - observation.truth_ns) > min(spread, instant.error_ns):
            missed.append(observation)

    reference, follower = (
        EmulatedClock(ClockModel.emulate(3, name, 0)) for name in ("reference", "follower")
    )
    for asymmetry in (0.0, 1.0, -1.0):
        simulation = Simulation(reference, follower, *both_ways(80_000, asymmetry, jitter_ns=2_000))
        simulation.run(minutes(1), every_ns=8 * MS, audit=look)
        simulation.aim(None, epoch=1)
        simulation.run(minutes(3), every_ns=50 * MS, audit=look)
    assert missed == []
    assert seen > 30_000
