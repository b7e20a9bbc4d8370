"""Every scenario, short: minutes of virtual time each. benchmarks/containment.py has the hours."""

from __future__ import annotations

import pytest

from qot.clock import ClockModel, EmulatedClock
from qot.faults.scenarios import QUIET, SCENARIOS
from qot.faults.stage import Scenario, Stage

MS = 1_000_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_bounds_and_the_claims_hold(name: str) -> None:
    outcome = SCENARIOS[name].run(8_000, scale=0.015, seed=5)
    assert outcome.broken == []
    assert outcome.report.promised > 7_000
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
