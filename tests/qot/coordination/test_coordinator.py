"""What requests do, without HTTP, in time that the test moves."""

import pytest

from qot.coordination.coordinator import DEFAULT_SESSION_NS, Coordinator
from qot.coordination.election import SeatState
from qot.coordination.errors import Reason, RefusedError
from qot.coordination.schemas import (
    NewNode,
    NewServer,
    NewTimeline,
    NodeChange,
    ReferenceRequest,
    TimelineChange,
)
from qot.coordination.store import Leader

VACANCY_NS = 1_800_180_200  # 1.8 s and what two clocks of 50 ppm may differ in it


@pytest.fixture
def wall(coordinator):
    coordinator.add_timeline(NewTimeline(name="wall"))
    for name in "ab":
        coordinator.join("wall", NewNode(name=name, session=f"s{name}", accuracy=1_000_000))
    return coordinator


def ask(coordinator, node, **settings):
    request = ReferenceRequest(node=node, session=f"s{node}", **settings)
    return coordinator.ask_reference("wall", request)


def beat(coordinator, node, **settings):
    return coordinator.heartbeat("wall", node, NodeChange(session=f"s{node}", **settings))


def pass_time(clock, ns, coordinator, *nodes):
    """With heartbeats."""
    end_ns = clock.now_ns + ns
    while clock.now_ns < end_ns:
        clock.now_ns = min(end_ns, clock.now_ns + DEFAULT_SESSION_NS // 3)
        for node in nodes:
            beat(coordinator, node)


def refused(call, *words, **settings):
    with pytest.raises(RefusedError) as caught:
        call(*words, **settings)
    return caught.value.reason


def test_qot_is_the_tightest_demand_and_the_worst_delivery(wall):
    beat(wall, "a", accuracy=300_000, resolution=50, bound_ns=120_000)
    beat(wall, "b", bound_ns=90_000)
    qot = wall.qot("wall")
    assert (qot.accuracy, qot.resolution, qot.bound_ns) == (300_000, 50, 120_000)


def test_a_demand_can_be_relaxed(wall):
    beat(wall, "a", accuracy=300_000)
    beat(wall, "a", accuracy=5_000_000)
    assert wall.qot("wall").accuracy == 1_000_000
    assert wall.node("wall", "a").accuracy == 5_000_000


def test_a_node_that_stops_renewing_is_gone_and_its_demand_too(wall, clock, told):
    beat(wall, "a", accuracy=300_000)
    pass_time(clock, 2 * DEFAULT_SESSION_NS, wall, "b")
    assert [node.name for node in wall.nodes("wall").nodes] == ["b"]
    assert wall.qot("wall").accuracy == 1_000_000
    assert refused(beat, wall, "a") is Reason.NO_SESSION
    gone = {"event": "gone", "timeline": "wall", "node": "a", "num_nodes": 1}
    assert gone in told.about("coordination.timelines.wall.nodes")


def test_gone_nodes_are_told_of_without_any_request(wall, clock, told):
    clock.now_ns += 2 * DEFAULT_SESSION_NS
    wall.tick()
    events = told.about("coordination.timelines.wall.nodes")
    assert [event["node"] for event in events if event["event"] == "gone"] == ["a", "b"]


def test_a_name_belongs_to_one_process_at_a_time(wall, clock):
    assert refused(wall.join, "wall", NewNode(name="a", session="other")) is Reason.EXISTS
    clock.now_ns += 2 * DEFAULT_SESSION_NS
    assert wall.join("wall", NewNode(name="a", session="other")).session == "other"
    assert refused(beat, wall, "a") is Reason.NO_SESSION


def test_joining_twice_is_joining_once(wall):
    wall.join("wall", NewNode(name="a", session="sa", accuracy=1_000_000))
    wall.join("wall", NewNode(name="a", session="sa", accuracy=700_000))
    assert wall.nodes("wall").num_nodes == 2
    assert wall.qot("wall").accuracy == 700_000


def test_joining_again_with_another_demand_renews_the_session(wall, clock):
    clock.now_ns += DEFAULT_SESSION_NS - 1
    wall.join("wall", NewNode(name="a", session="sa", accuracy=700_000))
    clock.now_ns += DEFAULT_SESSION_NS - 1
    assert [node.name for node in wall.nodes("wall").nodes] == ["a"]


def test_a_session_is_made_for_who_brings_none(wall):
    member = wall.join("wall", NewNode(name="c"))
    assert wall.heartbeat("wall", "c", NodeChange(session=member.session)).node.name == "c"


def test_the_seat_passes_from_a_dead_reference_to_the_best(wall, clock, told):
    assert ask(wall, "a", address="h:1").epoch == 1
    wall.join("wall", NewNode(name="c", session="sc"))
    pass_time(clock, VACANCY_NS - 1000, wall, "b", "c")
    assert refused(ask, wall, "b", bound_ns=90_000) is Reason.HELD
    assert refused(ask, wall, "c", bound_ns=80_000) is Reason.HELD
    clock.now_ns += 1000
    assert refused(ask, wall, "b", bound_ns=90_000) is Reason.OUTBID
    view = ask(wall, "c", bound_ns=80_000, address="h:3")
    assert (view.epoch, view.node, view.address, view.state) == (2, "c", "h:3", SeatState.HELD)
    assert refused(ask, wall, "a", epoch=1) is Reason.FENCED
    params = told.about("qot.timeline.wall.params")[-1]
    assert (params["epoch"], params["node"], params["accuracy"]) == (2, "c", 1_000_000)


def test_renewals_keep_the_seat_and_the_membership(wall, clock):
    ask(wall, "a")
    for _ in range(20):
        clock.now_ns += 500_000_000
        assert ask(wall, "a", epoch=1).epoch == 1
        beat(wall, "b")
        assert refused(ask, wall, "b", bound_ns=1) is Reason.HELD


def test_only_members_may_claim(wall):
    assert refused(ask, wall, "c") is Reason.NO_SESSION


def test_who_is_given_up_by_its_holder_leaves_the_seat(wall, clock):
    ask(wall, "a")
    view = wall.release("wall", "a", "sa", 1)
    assert (view.node, view.state) == (None, SeatState.SILENT)
    clock.now_ns += 1_000_200_000
    assert ask(wall, "b", bound_ns=5).epoch == 2


def test_handover_follows_the_tightest_demand_downwards(wall):
    assert wall.reference("wall").handover_ns == 500_000
    beat(wall, "a", accuracy=400_000)
    assert wall.reference("wall").handover_ns == 200_000
    beat(wall, "a", accuracy=4_000_000)
    assert wall.reference("wall").handover_ns == 200_000


def test_an_operator_sets_handover_until_it_is_taken_back(wall):
    wall.change_timeline("wall", TimelineChange(handover_ns=5_000_000))
    wall.tick()
    assert wall.reference("wall").handover_ns == 5_000_000
    wall.change_timeline("wall", TimelineChange(meta_data=3))
    assert wall.timeline("wall").handover_ns == 5_000_000
    wall.change_timeline("wall", TimelineChange(handover_ns=None))
    wall.tick()
    assert wall.reference("wall").handover_ns == 500_000


def test_a_timeline_in_use_stays(wall, clock):
    assert refused(wall.delete_timeline, "wall") is Reason.IN_USE
    clock.now_ns += 2 * DEFAULT_SESSION_NS
    wall.delete_timeline("wall")
    assert refused(wall.timeline, "wall") is Reason.UNKNOWN


def test_epochs_go_on_when_a_name_is_used_again(wall, clock):
    ask(wall, "a")
    for name in "ab":
        wall.leave("wall", name, f"s{name}")
    wall.delete_timeline("wall")
    wall.add_timeline(NewTimeline(name="wall"))
    wall.join("wall", NewNode(name="b", session="sb"))
    assert refused(ask, wall, "b", bound_ns=1) is Reason.HELD
    clock.now_ns += VACANCY_NS
    assert ask(wall, "b", bound_ns=1).epoch == 2


def test_a_restarted_coordinator_knows_members_and_waits_for_the_seat(wall, store, told, clock):
    ask(wall, "a")
    clock.now_ns += VACANCY_NS - 1
    again = Coordinator(store, told, clock_ns=clock)
    assert [node.name for node in again.nodes("wall").nodes] == ["a", "b"]
    assert ask(again, "a", epoch=1).epoch == 1
    third = Coordinator(store, told, clock_ns=clock)
    clock.now_ns += VACANCY_NS // 2
    assert refused(ask, third, "b", bound_ns=1) is Reason.HELD
    clock.now_ns += VACANCY_NS
    assert ask(third, "b", bound_ns=1).epoch == 2


def test_servers_are_told_by_type(wall, told):
    wall.add_server("wall", NewServer(name="pool.example", stratum=2, server_type="global"))
    wall.add_server("wall", NewServer(name="rack", stratum=3, server_type="local"))
    wall.delete_server("wall", "rack")
    names = [
        [server["name"] for server in message["servers"]]
        for message in told.about("coordination.timelines.wall.servers")
    ]
    assert names == [["pool.example"], ["pool.example", "rack"], ["pool.example"]]
    assert told.about("coordination.timelines.wall.local")[-1]["servers"] == []
    assert len(told.about("coordination.timelines.wall.global")) == 1


def test_a_coordinator_on_standby_says_who_leads(wall, store, monkeypatch):
    monkeypatch.setattr(store, "leader", lambda: Leader("http://there:2", is_self=False))
    with pytest.raises(RefusedError, match="ask http://there:2") as caught:
        wall.timelines()
    assert (caught.value.reason, caught.value.leader) == (Reason.STANDBY, "http://there:2")
    assert wall.health().leads is False
    wall.tick()
    monkeypatch.undo()
    assert wall.nodes("wall").num_nodes == 2
