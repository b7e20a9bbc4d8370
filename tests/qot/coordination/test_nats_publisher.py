"""Changes on a real NATS server."""

import asyncio
import json

import nats
import pytest

from qot.coordination.coordinator import Coordinator
from qot.coordination.errors import UnavailableError
from qot.coordination.nats_publisher import NatsPublisher
from qot.coordination.schemas import NewNode, NewTimeline, ReferenceRequest

DEADLINE_S = 60.0


def listen(server, publish, count):
    """What comes on every subject while ``publish`` is called, until there are ``count``."""

    async def run():
        client = await nats.connect(f"nats://{server.address}")
        subscription = await client.subscribe(">")
        await client.flush()
        await asyncio.to_thread(publish)
        found = [await subscription.next_msg(DEADLINE_S) for _ in range(count)]
        await client.close()
        return [(message.subject, json.loads(message.data)) for message in found]

    return asyncio.run(run())


def test_changes_are_told_on_quartzs_subjects(nats_server, store, clock):
    publisher = NatsPublisher(f"nats://{nats_server.address}")
    coordinator = Coordinator(store, publisher, clock_ns=clock)

    def change():
        coordinator.add_timeline(NewTimeline(name="wall"))
        coordinator.join("wall", NewNode(name="a", session="sa", accuracy=1_000_000))
        coordinator.ask_reference("wall", ReferenceRequest(node="a", session="sa", address="h:1"))

    told = listen(nats_server, change, 5)
    assert [subject for subject, _ in told] == [
        "coordination.timelines.wall",
        "coordination.timelines.wall.nodes",
        "qot.timeline.wall.params",
        "coordination.timelines.wall.reference",
        "qot.timeline.wall.params",
    ]
    assert told[-1][1] == {
        "timeline": "wall", "epoch": 1, "node": "a", "address": "h:1", "bound_ns": None,
        "lease_ns": 800_000_000, "silence_ns": 1_000_000_000, "handover_ns": 500_000,
        "accuracy": 1_000_000, "resolution": 100,
    }  # fmt: skip
    publisher.close()
    assert publisher.lost == 0


def test_what_waits_is_sent_before_the_end(nats_server):
    publisher = NatsPublisher(f"nats://{nats_server.address}")

    def publish():
        for number in range(200):
            publisher.publish("a.b", {"number": number})
        publisher.close()
        publisher.close()
        publisher.publish("a.b", {"too": "late"})

    told = listen(nats_server, publish, 200)
    assert [message["number"] for _, message in told] == list(range(200))
    assert publisher.lost == 1


def test_nobody_there_is_said():
    with pytest.raises(UnavailableError, match=r"no NATS server at nats://127\.0\.0\.1:1: nobody"):
        NatsPublisher("nats://me:secret@127.0.0.1:1", timeout_s=0.3)


def test_a_server_that_goes_and_comes_back_is_used_again(nats_server, wait):
    publisher = NatsPublisher(f"nats://{nats_server.address}")
    nats_server.stop()
    nats_server.start()
    told = []

    def publish():
        wait(lambda: publisher._client.is_connected, "the connection after the restart")
        publisher.publish("a.b", {"after": "restart"})

    told = listen(nats_server, publish, 1)
    assert told == [("a.b", {"after": "restart"})]
    publisher.close()


def test_what_could_not_be_sent_is_counted(nats_server, wait):
    publisher = NatsPublisher(f"nats://{nats_server.address}")
    nats_server.stop()
    wait(lambda: not publisher._client.is_connected, "the end of the connection")
    for _ in range(3000):
        publisher.publish("a.b", {"text": "x" * 1000})
    wait(lambda: publisher.lost > 0, "a message too many")
    publisher.close()
