"""Where a scenario is played: a simulation, an audit beside it, and the claims that were checked.

``scale`` shortens every stretch between faults, so that one scenario serves a benchmark of a
million samples over an hour and a test of seconds. Windows in which a fault can't be known yet
are never scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qot.audit import Audit, Report
from qot.clock import SECOND_NS, Clock
from qot.faults.link import Way
from qot.instant import Status
from qot.simulation import Observation, Simulation

PERIOD_NS = 250_000_000
_SLICE_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a scenario says must be so, beside containment."""

    text: str
    true: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario gave: figures and claims."""

    report: Report
    claims: tuple[Claim, ...]

    @property
    def holds(self) -> bool:
        """True when every bound and every claim held."""
        return self.report.holds and all(claim.true for claim in self.claims)

    @property
    def broken(self) -> list[str]:
        """The claims that did not hold."""
        return [claim.text for claim in self.claims if not claim.true]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a JSON line."""
        return self.report.as_dict() | {"holds": self.holds, "broken_claims": self.broken}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name, one sentence, how long it takes at scale 1, and what happens in it."""

    name: str
    says: str
    play: Callable[[Stage], None]
    length_min: int = 60

    def run(self, samples: int, *, scale: float = 1.0, seed: int = 1) -> Outcome:
        """Play it with about so many samples. Deterministic for the same arguments."""
        every_ns = round(self.length_min * 60 * SECOND_NS * scale / samples)
        stage = Stage(Audit(self.name), scale, max(1, every_ns), seed)
        self.play(stage)
        return Outcome(
            stage.audit.report(stage.simulation.shortest_round_trip_ns), tuple(stage.claims)
        )


@dataclass(slots=True)
class Stage:
    """One simulation that is being audited."""

    audit: Audit
    scale: float
    every_ns: int
    seed: int
    claims: list[Claim] = field(default_factory=list)
    _simulation: Simulation | None = None

    def set(
        self, reference: Clock, follower: Clock, ways: tuple[Way, Way], **settings: Any
    ) -> Simulation:
        """Begin: from 0 of virtual CLOCK_MONOTONIC."""
        settings = {"period_ns": PERIOD_NS, "seed": self.seed} | settings
        self._simulation = Simulation(reference, follower, *ways, **settings)
        return self._simulation

    @property
    def simulation(self) -> Simulation:
        assert self._simulation is not None, "a scenario sets its stage first"
        return self._simulation

    def minutes_ns(self, number: float) -> int:
        """So many minutes at scale 1."""
        return round(number * 60 * SECOND_NS * self.scale)

    def play(self, number_min: float) -> None:
        """Go on for so many minutes, scaled, and judge every sample."""
        self.go(self.minutes_ns(number_min))

    def go(self, duration_ns: int, *, blind: bool = False) -> None:
        """Go on for so long, not scaled."""

        def judge(seen: Observation) -> None:
            self.audit.add(seen.instant, seen.truth_ns, seen.likely, blind=blind)

        self.simulation.run(duration_ns, every_ns=self.every_ns, audit=judge)

    def skip(self, duration_ns: int) -> None:
        """Go on for so long with nobody reading."""
        self.simulation.run(duration_ns, every_ns=duration_ns, audit=lambda _: None)

    def until_disrupted(self, window_ns: int) -> None:
        """Go on, blind, until the fault that has just happened is noticed: within the window."""
        begun_ns = self.simulation.now_ns
        contradictions = self.simulation.filter.contradictions
        while self.simulation.filter.contradictions == contradictions:
            if self.simulation.now_ns - begun_ns >= window_ns:
                break
            self.go(min(_SLICE_NS, window_ns), blind=True)
        taken_ms = (self.simulation.now_ns - begun_ns) / 1e6
        self.claim(
            f"the fault is noticed within {window_ns / 1e6:.0f} ms (after {taken_ms:.0f} ms)",
            self.simulation.params.status is Status.DISRUPTED,
        )

    def claim(self, text: str, true: bool) -> None:
        """Put on record that something is so, or is not."""
        self.claims.append(Claim(text, true))
