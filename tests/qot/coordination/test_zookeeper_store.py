"""What only ZooKeeper does: coordinators that stand in for each other. A real server."""

import uuid

import pytest

from qot.coordination.coordinator import Coordinator
from qot.coordination.errors import Reason, RefusedError, UnavailableError
from qot.coordination.schemas import NewNode, NewTimeline, NodeChange, ReferenceRequest
from qot.coordination.zookeeper_store import ZookeeperStore

DEADLINE_S = 60.0
VACANCY_NS = 1_800_180_200


@pytest.fixture
def stores(zookeeper_server):
    """Makes stores on one fresh root."""
    root, made = f"/{uuid.uuid4().hex}", []

    def open_store(address):
        store = ZookeeperStore(
            zookeeper_server.address, address, root=root, session_s=1.0, timeout_s=DEADLINE_S
        )
        made.append(store)
        return store

    yield open_store
    for store in made:
        store.close()


def test_the_first_leads_and_the_next_one_follows_when_it_is_gone(stores, wait):
    first, second = stores("http://one"), stores("http://two")
    assert first.leader().is_self
    assert second.leader().address == "http://one"
    assert not second.leader().is_self
    first.close()
    wait(lambda: second.leader().is_self, "the second one's turn")


def test_a_coordinator_that_lost_its_session_goes_to_the_end_of_the_line(stores, wait):
    first, second = stores("http://one"), stores("http://two")
    assert first.leader().is_self
    assert not second.leader().is_self
    first.delete(f"/coordinators/{first._place}")  # as the server does when the session lapses
    assert first.leader().address == "http://two"
    assert second.leader().is_self


def test_a_place_that_was_made_without_an_answer_is_its_coordinators(stores):
    store = stores("http://one")
    store._take_place()
    assert store.leader().is_self
    assert len(store.children("/coordinators")) == 2


def test_fleeting_documents_end_with_their_coordinator(stores, wait):
    first, second = stores("http://one"), stores("http://two")
    first.create("/timelines/wall", b"1")
    first.create("/timelines/wall/nodes/a", b"1", fleeting=True)
    assert second.children("/timelines/wall/nodes") == ["a"]
    first.close()
    wait(lambda: second.children("/timelines/wall/nodes") == [], "the end of the node")
    assert second.get("/timelines/wall").data == b"1"


def test_nobody_there_is_said(tmp_path):
    with pytest.raises(UnavailableError, match=r"no ZooKeeper at 127\.0\.0\.1:1 within"):
        ZookeeperStore("127.0.0.1:1", "", timeout_s=0.2)


def test_a_server_that_is_gone_is_said_and_one_that_is_back_is_used(zookeeper_server, wait):
    root = f"/{uuid.uuid4().hex}"
    store = ZookeeperStore(zookeeper_server.address, "x", root=root, timeout_s=DEADLINE_S)
    store.create("/seats/wall", b"1")
    impatient = ZookeeperStore(zookeeper_server.address, "y", root=root, timeout_s=DEADLINE_S)
    impatient._timeout_s = 0.2
    zookeeper_server.stop()
    try:
        with pytest.raises(UnavailableError, match="does not answer about /seats/wall"):
            impatient.get("/seats/wall")
    finally:
        zookeeper_server.start()
    impatient.close()

    def answers():
        try:
            return store.get("/seats/wall") is not None
        except UnavailableError:
            return False

    wait(answers, "an answer after the restart")
    assert store.swap("/seats/wall", b"2", store.get("/seats/wall").version).data == b"2"
    store.close()


def refused(call, *words):
    with pytest.raises(RefusedError) as caught:
        call(*words)
    return caught.value.reason


def test_a_seat_survives_the_coordinator_that_gave_it_out(stores, told, clock, wait):
    one, two = stores("http://one"), stores("http://two")
    first = Coordinator(one, told, clock_ns=clock)
    second = Coordinator(two, told, clock_ns=clock)
    first.add_timeline(NewTimeline(name="wall"))
    for name in "ab":
        first.join("wall", NewNode(name=name, session=f"s{name}"))
    first.ask_reference("wall", ReferenceRequest(node="a", session="sa"))
    assert refused(second.timelines) is Reason.STANDBY

    one.close()
    wait(lambda: two.leader().is_self, "the second one's turn")
    wait(lambda: two.children("/timelines/wall/nodes") == [], "the end of the old sessions")
    renewal = ReferenceRequest(node="a", session="sa", epoch=1)
    claim = ReferenceRequest(node="b", session="sb", bound_ns=5)
    assert refused(second.ask_reference, "wall", renewal) is Reason.NO_SESSION
    for name in "ab":
        second.join("wall", NewNode(name=name, session=f"s{name}"))
    assert second.ask_reference("wall", renewal).epoch == 1
    assert refused(second.ask_reference, "wall", claim) is Reason.HELD
    clock.now_ns += VACANCY_NS
    assert second.ask_reference("wall", claim).epoch == 2
    assert refused(second.ask_reference, "wall", renewal) is Reason.FENCED


def test_a_node_whose_record_vanished_is_told_to_join(stores, told, clock):
    store = stores("http://one")
    coordinator = Coordinator(store, told, clock_ns=clock)
    coordinator.add_timeline(NewTimeline(name="wall"))
    coordinator.join("wall", NewNode(name="a", session="sa"))
    store.delete("/timelines/wall/nodes/a")
    beat = NodeChange(session="sa")
    assert refused(coordinator.heartbeat, "wall", "a", beat) is Reason.NO_SESSION
    coordinator.join("wall", NewNode(name="a", session="sa"))
    assert coordinator.heartbeat("wall", "a", beat).node.name == "a"
