"""Real time services over loopback: several emulated clocks, one hidden truth."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qot.clock import EmulatedClock
from qot.exchange import PACKET_BYTES, Counters
from qot.instant import Status
from qot.page_layout import SIZE_BYTES
from qot.service_config import Role
from qot.timeline import TimelineReader

NODES = ("node1", "node2", "node3")
SYNCHRONIZED, HOLDOVER = Status.SYNCHRONIZED, Status.HOLDOVER


def counters(reader: TimelineReader) -> Counters:
    return Counters(*reader.counters())


def audit(reader: TimelineReader, truth: EmulatedClock, reads: int) -> int:
    """Checks that every read holds the truth; gives the width of the last interval."""
    width = 0
    for _ in range(reads):
        _, earliest, latest, monotonic = reader.stamp()
        assert earliest <= truth.from_monotonic_ns(monotonic) <= latest
        width = latest - earliest
    return width


def test_followers_with_clocks_of_their_own_agree_with_the_hidden_truth(cluster: Any) -> None:
    home = cluster.start("home", Role.REFERENCE)
    for node in NODES:
        cluster.start(node, reference=home.address)
    truth = cluster.clock("home")
    assert audit(cluster.reader("home"), truth, 100) == 0
    for node in NODES:
        reader = cluster.reader(node)
        cluster.wait_for_status(reader, SYNCHRONIZED)
        audit(reader, truth, 2_000)
        cluster.wait_for(lambda reader=reader: counters(reader).accepted >= 12, "12 exchanges")
        width_ns = audit(reader, truth, 2_000)
        assert width_ns < abs(cluster.model(node).offset_ns - cluster.model("home").offset_ns) / 100
        assert reader.params().epoch == 1


def test_a_frozen_reference_means_holdover_and_a_growing_bound_that_holds(cluster: Any) -> None:
    home = cluster.start("home", Role.REFERENCE)
    cluster.start("node1", reference=home.address)
    reader, own, truth = cluster.reader("node1"), cluster.reader("home"), cluster.clock("home")
    cluster.wait_for_status(reader, SYNCHRONIZED)
    home.process.send_signal(signal.SIGSTOP)
    cluster.wait_for_status(reader, HOLDOVER)
    cluster.wait_for_status(own, HOLDOVER)
    first = audit(reader, truth, 500)
    assert audit(reader, truth, 500) > first
    home.process.send_signal(signal.SIGCONT)
    cluster.wait_for_status(reader, SYNCHRONIZED)
    audit(reader, truth, 500)


def test_a_frozen_service_is_noticed_by_its_readers(cluster: Any) -> None:
    home = cluster.start("home", Role.REFERENCE)
    follower = cluster.start("node1", reference=home.address)
    reader = cluster.reader("node1")
    cluster.wait_for_status(reader, SYNCHRONIZED)
    follower.process.send_signal(signal.SIGSTOP)
    cluster.wait_for_status(reader, HOLDOVER)
    audit(reader, cluster.clock("home"), 500)


def test_the_reference_may_come_later_and_come_back_elsewhere(cluster: Any) -> None:
    follower = cluster.start("node1")
    reader = cluster.reader("node1")
    assert reader.status() is Status.UNSYNCHRONIZED
    first = cluster.start("home", Role.REFERENCE)
    follower.send(f'{{"reference": ["127.0.0.1", {first.address[1]}]}}')
    cluster.wait_for_status(reader, SYNCHRONIZED)
    first.process.kill()
    cluster.wait_for_status(reader, HOLDOVER)
    second = cluster.start("home", Role.REFERENCE)
    follower.send(f'{{"reference": ["127.0.0.1", {second.address[1]}]}}')
    cluster.wait_for_status(reader, SYNCHRONIZED)
    audit(reader, cluster.clock("home"), 500)


def test_forged_and_replayed_answers_change_nothing(cluster: Any) -> None:
    home = cluster.start("home", Role.REFERENCE)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back,
    ):
        for each in (front, back):
            each.settimeout(30)
            each.bind(("127.0.0.1", 0))
        back.connect(home.address)
        cluster.start("node1", reference=front.getsockname())
        recorded = b""
        for _ in range(10):
            request, follower = front.recvfrom(PACKET_BYTES)
            back.send(request)
            answer = back.recv(PACKET_BYTES)
            forged = bytearray(answer)
            forged[40] ^= 1  # a bit of t3
            for packet in (bytes(forged), recorded, answer, answer, b"noise"):
                front.sendto(packet, follower)
            recorded = answer
    reader = cluster.reader("node1")
    cluster.wait_for(lambda: counters(reader).replayed >= 19, "the last replay")
    cluster.wait_for(lambda: counters(reader).malformed >= 11, "the last noise")
    seen = counters(reader)
    assert (seen.accepted, seen.forged, seen.replayed, seen.malformed) == (10, 10, 19, 11)
    audit(reader, cluster.clock("home"), 500)


def test_it_ends_when_its_parent_closes_stdin_and_not_by_ctrl_c(cluster: Any) -> None:
    service = cluster.start("home", Role.REFERENCE)
    service.process.send_signal(signal.SIGINT)
    service.send("not json")
    assert "not JSON" in service.receive()["error"]
    service.send('{"follow": 1}')
    assert "unknown order" in service.receive()["error"]
    service.send('{"reference": ["127.0.0.1", 1]}')
    assert "followers only" in service.receive()["error"]
    assert service.end() == 0


def test_it_never_outlives_its_parent(cluster: Any) -> None:
    code = (
        "import subprocess, sys, signal\n"
        "child = subprocess.Popen([sys.executable, '-m', 'qot.service_main'],"
        " stdin=subprocess.PIPE)\n"
        "child.stdin.write(sys.argv[1].encode() + b'\\n'); child.stdin.flush()\n"
        "signal.pause()\n"
    )
    line = cluster.config("home", Role.REFERENCE).to_json()
    parent = subprocess.Popen([sys.executable, "-c", code, line], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert b'"ready": true' in parent.stdout.readline()
    parent.kill()
    parent.wait()
    assert parent.stdout.read() == b""  # the end: nobody holds the other side any more
    parent.stdout.close()


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"key_hex": "00"}, 2, "key_hex"),
        ({"page_path": "no/such/folder/page"}, 1, "can't be written"),
        ({"bind": ("127.0.0.1", -1)}, 2, "bind"),
    ],
)
def test_what_it_can_not_do_is_said(
    cluster: Any, settings: dict[str, Any], code: int, message: str
) -> None:
    service = cluster.start("home", Role.REFERENCE, **settings)
    assert service.ready["ready"] is False
    assert message in service.ready["error"]
    assert service.process.wait() == code


def test_a_port_in_use_is_said(cluster: Any, tmp_path: Path) -> None:
    first = cluster.start("home", Role.REFERENCE)
    second = cluster.start(
        "other", Role.REFERENCE, bind=first.address, page_path=str(tmp_path / "second.page")
    )
    assert second.ready["ready"] is False
    assert str(first.address[1]) in second.ready["error"]
    assert second.process.wait() == 1


def test_the_page_is_for_reading_only(cluster: Any) -> None:
    cluster.start("home", Role.REFERENCE)
    reader = cluster.reader("home")
    with pytest.raises(TypeError):
        reader._page._words[2] = 0
    assert os.path.getsize(cluster.folder / "home.page") == SIZE_BYTES
