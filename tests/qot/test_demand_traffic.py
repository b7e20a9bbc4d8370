"""A demand is held over virtual time by the code of the time service, at little cost."""

from __future__ import annotations

from pathlib import Path

from benchmarks import demand_traffic
from benchmarks.demand_traffic import Node, World, run
from qot.binding_events import ClientGone, SetPace, Update
from qot.clock import SECOND_NS
from qot.instant import Status

MS = 1_000_000


def until(world: World, end_ns: int) -> None:
    while world.now_ns < end_ns:
        world.step()


def test_1_ms_is_held_at_a_tenth_of_the_exchanges(tmp_path: Path) -> None:
    ours = run(2, 0.1, tmp_path, MS, MS)
    theirs = run(2, 0.1, tmp_path, None, MS)
    assert ours["inside_percent"] == theirs["inside_percent"] == 100
    assert ours["held_percent"] >= 99.9
    assert ours["per_hour"] < theirs["per_hour"] / 10


def test_the_rate_follows_the_demand_down_and_up(tmp_path: Path) -> None:
    world = World()
    node = Node(world, 1, tmp_path, MS)
    until(world, 60 * SECOND_NS)
    usual = node.share.pace
    (binding,) = node.bindings.of("cell")
    node.take(Update(1, 2, binding.number, accuracy_ns=300_000))
    until(world, 61 * SECOND_NS)
    tight = node.share.pace
    assert usual is not None
    assert tight is not None
    assert tight.period_ns < usual.period_ns / 3
    node.take(Update(1, 3, binding.number, accuracy_ns=10 * MS))
    loose = node.share.pace
    assert loose is not None
    assert loose.period_ns > 5 * usual.period_ns
    assert not any(
        isinstance(each, SetPace) for each in node.bindings.handle(ClientGone(1), world.now_ns)
    )
    assert node.bindings.names == []


def test_a_silent_reference_is_asked_again_soon_and_then_it_is_holdover(tmp_path: Path) -> None:
    world = World()
    node = Node(world, 1, tmp_path, MS)
    until(world, 60 * SECOND_NS)
    node.socket.desk = None
    node.socket._serve = lambda packet, lag_ns: None
    asked_ns = node.share._asked_ns
    pace = node.share.pace
    assert pace is not None
    sent = node.share.counters.sent
    until(world, asked_ns + pace.period_ns + 1_400_000_000)
    assert node.share.counters.sent >= sent + 5
    core_ns = node.clock.now_ns()
    assert node.share.params.status_at(core_ns) is Status.HOLDOVER
    assert node.share.params.instant_at(core_ns).contains(node.reference.now_ns())


def test_a_page_tells_soon_that_nobody_renews_it(tmp_path: Path) -> None:
    world = World()
    node = Node(world, 1, tmp_path, 10 * MS)
    until(world, 60 * SECOND_NS)
    assert node.share.pace is not None
    assert node.share.pace.period_ns > 20 * SECOND_NS
    stopped_ns = world.now_ns
    params = node.share.page.params
    assert params is not None
    for after_ns, status in (
        (900 * MS, Status.SYNCHRONIZED),
        (1_300 * MS, Status.HOLDOVER),
    ):
        assert params.status_at(node.clock.from_monotonic_ns(stopped_ns + after_ns)) is status


def test_the_link_of_the_benchmark_is_no_dream() -> None:
    assert demand_traffic.LINK.loss > 0
    assert demand_traffic.LINK.spike_chance > 0
