"""The brain of the bindings: events in, commands out."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qot.binding_events import (
    Accept,
    Bind,
    ClientGone,
    Command,
    Create,
    Demand,
    Destroy,
    Left,
    Measured,
    Passed,
    Refusal,
    Refused,
    Reject,
    SetPace,
    Unbind,
    Update,
)
from qot.bindings import Bindings
from qot.clock import SECOND_NS
from qot.demand import Delivered, Pace, PaceLimits

MS = 1_000_000
TIMEOUT_NS = 5 * SECOND_NS
LIMITS = PaceLimits()
GOOD = Delivered(100_000, 40_000, 100_000)


def brain(**settings: Any) -> Bindings:
    return Bindings(LIMITS, TIMEOUT_NS, **settings)


def bind(
    client: int, timeline: str = "wall", accuracy_ns: int = MS, request: int = 1, **settings: Any
) -> Bind:
    return Bind(client, request, timeline, f"app{client}", Demand(accuracy_ns, 1_000))


def accepted(commands: list[Command]) -> list[Accept]:
    return [each for each in commands if isinstance(each, Accept)]


def bound(bindings: Bindings, *events: Bind) -> list[int]:
    """Bind all of them on a measured timeline; gives their numbers."""
    numbers = []
    for event in events:
        commands = bindings.handle(event, 0)
        commands += bindings.handle(Measured(event.timeline, GOOD), 0)
        numbers += [each.binding.number for each in accepted(commands)]
    return numbers


def test_the_first_binding_creates_a_timeline_and_waits_for_its_measurement() -> None:
    bindings = brain()
    assert bindings.handle(bind(1), 0) == [Create("wall")]
    assert bindings.handle(bind(2), 0) == []
    accept1, accept2, pace = bindings.handle(Measured("wall", GOOD), 1)
    assert isinstance(accept1, Accept)
    assert isinstance(accept2, Accept)
    assert isinstance(pace, SetPace)
    assert accept1.binding.demand == Demand(MS, 1_000)
    assert accept1.best_ns < MS
    assert pace.accuracy_ns == MS
    assert bindings.deadline_ns is None
    assert [each.app for each in bindings.of("wall")] == ["app1", "app2"]


def test_the_last_binding_takes_the_timeline_along() -> None:
    bindings = brain()
    one, two = bound(bindings, bind(1), bind(2))
    assert bindings.handle(Unbind(1, 7, one), 0) == [Left(1, 7)]
    assert bindings.handle(Unbind(2, 8, two), 0) == [Left(2, 8), Destroy("wall")]
    assert bindings.names == []
    assert bindings.handle(Measured("wall", GOOD), 0) == []


def test_the_tightest_binding_sets_the_pace_and_its_death_relaxes_it() -> None:
    bindings = brain()
    bound(bindings, bind(1, accuracy_ns=10 * MS), bind(2, accuracy_ns=200_000))
    tight = bindings.pace("wall")
    (command,) = bindings.handle(ClientGone(2), 0)
    assert isinstance(command, SetPace)
    assert tight is not None
    assert command.pace.period_ns > 10 * tight.period_ns
    assert command.accuracy_ns == 10 * MS


def test_an_update_tightens_and_relaxes() -> None:
    bindings = brain()
    (number,) = bound(bindings, bind(1))
    accept, tight = bindings.handle(Update(1, 2, number, accuracy_ns=200_000), 0)
    assert isinstance(accept, Accept)
    assert accept.binding.demand == Demand(200_000, 1_000)
    assert isinstance(tight, SetPace)
    (accept, loose) = bindings.handle(Update(1, 3, number, accuracy_ns=5 * MS), 0)
    assert isinstance(loose, SetPace)
    assert loose.pace.period_ns > tight.pace.period_ns
    (accept,) = bindings.handle(Update(1, 4, number, resolution_ns=5), 0)
    assert isinstance(accept, Accept)
    assert accept.binding.demand == Demand(5 * MS, 5)


def test_an_accuracy_that_can_not_be_held_is_refused_with_the_best() -> None:
    bindings = brain()
    bindings.handle(bind(1, accuracy_ns=10_000), 0)
    reject, destroy = bindings.handle(Measured("wall", GOOD), 0)
    assert isinstance(reject, Reject)
    assert (reject.why, reject.best_ns) == (Refusal.UNMEETABLE, 42_250)
    assert "42.3us" in reject.message
    assert destroy == Destroy("wall")
    (number,) = bound(bindings, bind(2))
    (reject,) = bindings.handle(Update(2, 3, number, accuracy_ns=10_000), 0)
    assert isinstance(reject, Reject)
    assert bindings.of("wall")[0].demand.accuracy_ns == MS


def test_who_asks_for_more_slack_is_never_refused() -> None:
    bindings = brain()
    (number,) = bound(bindings, bind(1))
    bindings.handle(Measured("wall", Delivered(9 * MS, 9 * MS, 100_000)), 0)
    accept = bindings.handle(Update(1, 2, number, accuracy_ns=2 * MS), 0)[0]
    assert isinstance(accept, Accept)
    assert accept.best_ns > 2 * MS


def test_nonsense_is_refused_before_anything_is_made() -> None:
    bindings = brain()
    for event, why in (
        (bind(1, accuracy_ns=0), Refusal.DEMAND),
        (bind(1, accuracy_ns=-5), Refusal.DEMAND),
        (Bind(1, 1, "wall", "app", Demand(MS, 0)), Refusal.DEMAND),
        (bind(1, ""), Refusal.UNKNOWN_TIMELINE),
        (bind(1, "x" * 65), Refusal.UNKNOWN_TIMELINE),
        (bind(1, "a\nb"), Refusal.UNKNOWN_TIMELINE),
    ):
        (reject,) = bindings.handle(event, 0)
        assert isinstance(reject, Reject)
        assert reject.why is why
    assert bindings.names == []


def test_a_silent_reference_means_a_named_refusal_in_time() -> None:
    bindings = brain()
    bindings.handle(bind(1), 0)
    bindings.handle(bind(2), SECOND_NS)
    assert bindings.deadline_ns == TIMEOUT_NS
    (reject,) = bindings.handle(Passed(), TIMEOUT_NS)
    assert isinstance(reject, Reject)
    assert (reject.client, reject.why) == (1, Refusal.SILENT)
    assert bindings.deadline_ns == TIMEOUT_NS + SECOND_NS
    reject, destroy = bindings.handle(Passed(), TIMEOUT_NS + SECOND_NS)
    assert destroy == Destroy("wall")


def test_a_refused_timeline_rejects_all_who_wait() -> None:
    bindings = brain()
    bindings.handle(bind(1, "gl_utc"), 0)
    bindings.handle(bind(2, "gl_utc"), 0)
    *rejects, destroy = bindings.handle(Refused("gl_utc", Refusal.NO_UTC, "no UTC"), 0)
    assert [(r.client, r.why) for r in rejects if isinstance(r, Reject)] == [
        (1, Refusal.NO_UTC),
        (2, Refusal.NO_UTC),
    ]
    assert destroy == Destroy("gl_utc")


def test_nobody_touches_the_binding_of_another() -> None:
    bindings = brain()
    (number,) = bound(bindings, bind(1))
    for event in (Update(2, 1, number, accuracy_ns=5), Unbind(2, 1, number), Unbind(1, 1, 99)):
        (reject,) = bindings.handle(event, 0)
        assert isinstance(reject, Reject)
        assert reject.why is Refusal.NOT_BOUND


def test_a_standing_timeline_lives_without_bindings() -> None:
    fixed = PaceLimits(20 * MS, 250 * MS, pairs_only=True)
    bindings = brain(standing=[("wall", fixed)])
    assert bindings.handle(Measured("wall", GOOD), 0) == [
        SetPace("wall", Pace(250 * MS, True), None)
    ]
    (number,) = bound(bindings, bind(1, accuracy_ns=60_000))
    pace = bindings.pace("wall")
    assert pace is not None
    assert pace.period_ns < 250 * MS
    assert bindings.handle(Unbind(1, 2, number), 0) == [
        Left(1, 2),
        SetPace("wall", Pace(250 * MS, True), None),
    ]


class Histories(RuleBasedStateMachine):
    """Any history: timelines exist exactly while somebody is bound to them or waits."""

    def __init__(self) -> None:
        super().__init__()
        self.bindings = brain()
        self.alive: set[str] = set()
        self.now_ns = 0
        self.asked: set[tuple[int, int]] = set()
        self.numbers: dict[int, int] = {}
        self.request = 0

    def take(self, commands: list[Command]) -> None:
        for each in commands:
            if isinstance(each, Create):
                assert each.timeline not in self.alive
                self.alive.add(each.timeline)
            elif isinstance(each, Destroy):
                self.alive.remove(each.timeline)
            elif isinstance(each, SetPace):
                assert each.timeline in self.alive
            else:
                self.asked.remove((each.client, each.request))
                if isinstance(each, Accept):
                    self.numbers[each.binding.number] = each.client

    clients = st.integers(1, 4)
    names = st.sampled_from(("a", "b", "gl_c"))
    accuracies = st.integers(-1, 10 * MS)

    @rule(client=clients, name=names, accuracy_ns=accuracies)
    def bind(self, client: int, name: str, accuracy_ns: int) -> None:
        self.request += 1
        self.asked.add((client, self.request))
        event = Bind(client, self.request, name, "app", Demand(accuracy_ns, 1))
        self.take(self.bindings.handle(event, self.now_ns))

    @rule(client=clients, number=st.integers(1, 20), accuracy_ns=accuracies)
    def update(self, client: int, number: int, accuracy_ns: int) -> None:
        self.request += 1
        self.asked.add((client, self.request))
        event = Update(client, self.request, number, accuracy_ns)
        self.take(self.bindings.handle(event, self.now_ns))

    @rule(client=clients, number=st.integers(1, 20))
    def unbind(self, client: int, number: int) -> None:
        self.request += 1
        self.asked.add((client, self.request))
        self.take(self.bindings.handle(Unbind(client, self.request, number), self.now_ns))

    @rule(client=clients)
    def die(self, client: int) -> None:
        self.asked = {each for each in self.asked if each[0] != client}
        self.take(self.bindings.handle(ClientGone(client), self.now_ns))

    @rule(name=names, error_ns=st.integers(0, 5 * MS))
    def measure(self, name: str, error_ns: int) -> None:
        event = Measured(name, Delivered(2 * error_ns, error_ns, 100_000))
        self.take(self.bindings.handle(event, self.now_ns))

    @rule(name=names)
    def refuse(self, name: str) -> None:
        self.take(self.bindings.handle(Refused(name, Refusal.NO_UTC, "no"), self.now_ns))

    @rule(gone_ns=st.integers(0, 2 * TIMEOUT_NS))
    def pass_time(self, gone_ns: int) -> None:
        self.now_ns += gone_ns
        self.take(self.bindings.handle(Passed(), self.now_ns))

    @invariant()
    def what_exists_is_wanted(self) -> None:
        assert set(self.bindings.names) == self.alive
        held = {each.number for name in self.alive for each in self.bindings.of(name)}
        assert held <= set(self.numbers)
        waiting = self.bindings.deadline_ns is not None
        assert waiting == bool(self.asked)
        if not waiting:
            assert all(self.bindings.of(name) for name in self.alive)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
