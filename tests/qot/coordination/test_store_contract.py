"""What every store does alike."""

import threading
import uuid
from contextlib import ExitStack

import pytest

from qot.coordination.sqlite_store import SqliteStore
from qot.coordination.store import ChangedError, ExistsError
from qot.coordination.zookeeper_store import ZookeeperStore

DEADLINE_S = 60.0


@pytest.fixture(params=["sqlite", "zookeeper"])
def opened(request, tmp_path):
    """Opens the same store again and again, one at a time, as a restarted coordinator would."""
    here = "http://here:1"
    if request.param == "zookeeper":
        server = request.getfixturevalue("zookeeper_server")
        root = f"/{uuid.uuid4().hex}"

        def make():
            return ZookeeperStore(server.address, here, root=root, timeout_s=DEADLINE_S)
    else:

        def make():
            return SqliteStore(tmp_path / "contract.sqlite", here)

    with ExitStack() as stack:

        def open_store():
            stack.close()
            store = make()
            stack.callback(store.close)
            return store

        yield open_store


@pytest.fixture
def any_store(opened):
    return opened()


def test_nothing_is_there_at_first(any_store):
    assert any_store.get("/timelines/wall") is None
    assert any_store.children("/timelines") == []
    assert any_store.delete("/timelines/wall") is False


def test_what_was_made_is_found(any_store):
    made = any_store.create("/timelines/wall", b"1")
    assert any_store.get("/timelines/wall") == made
    assert made.data == b"1"


def test_nothing_is_made_twice(any_store):
    any_store.create("/a/b", b"1")
    with pytest.raises(ExistsError, match="exists already"):
        any_store.create("/a/b", b"2")
    assert any_store.get("/a/b").data == b"1"


def test_a_swap_needs_the_version_that_is_there(any_store):
    first = any_store.create("/seats/wall", b"1")
    second = any_store.swap("/seats/wall", b"2", first.version)
    assert second.version > first.version
    with pytest.raises(ChangedError):
        any_store.swap("/seats/wall", b"3", first.version)
    assert any_store.get("/seats/wall") == second


def test_nothing_can_be_swapped_for_what_is_gone(any_store):
    made = any_store.create("/seats/wall", b"1")
    any_store.delete("/seats/wall")
    with pytest.raises(ChangedError):
        any_store.swap("/seats/wall", b"2", made.version)


def test_children_are_those_directly_below_by_name(any_store):
    for path in ("/t/b", "/t/a", "/t/b/nodes/x", "/t0/c", "/u/d"):
        any_store.create(path, b"1")
    assert any_store.children("/t") == ["a", "b"]
    assert any_store.children("/t/b/nodes") == ["x"]


def test_delete_takes_all_below_and_nothing_beside(any_store):
    for path in ("/t/b", "/t/b/nodes/x", "/t/b/nodes/y", "/t/b0", "/t/b-1"):
        any_store.create(path, b"1")
    assert any_store.delete("/t/b") is True
    assert any_store.get("/t/b/nodes/x") is None
    assert any_store.children("/t") == ["b-1", "b0"]


def test_a_fleeting_document_lives_with_its_coordinator(any_store):
    made = any_store.create("/t/nodes/x", b"1", fleeting=True)
    assert any_store.swap("/t/nodes/x", b"2", made.version).data == b"2"
    assert any_store.children("/t/nodes") == ["x"]


def test_what_was_made_outlives_the_coordinator(opened):
    first = opened()
    made = first.create("/seats/wall", b"1")
    swapped = first.swap("/seats/wall", b"2", made.version)
    assert opened().get("/seats/wall") == swapped


def test_of_many_that_swap_at_once_one_wins(any_store):
    version = any_store.create("/seats/wall", b"0").version
    gate, won = threading.Barrier(8), []

    def swap(number):
        gate.wait()
        try:
            any_store.swap("/seats/wall", b"%d" % number, version)
        except ChangedError:
            return
        won.append(b"%d" % number)

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [any_store.get("/seats/wall").data]


def test_who_is_alone_leads(any_store):
    leader = any_store.leader()
    assert (leader.is_self, leader.address) == (True, "http://here:1")


def test_it_may_be_closed_twice(any_store):
    any_store.close()
    any_store.close()
