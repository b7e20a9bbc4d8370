"""Deliveries between two nodes over real TLS: PeerLink at one end, InboundData at the other."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatcher.content import Content
from dispatcher.inbound import InboundData
from dispatcher.messages import (
    Acknowledged,
    Delivery,
    FileEntry,
    Finished,
    Peer,
    ProbeAnswer,
    encode,
)
from dispatcher.peer_link import PeerLink
from jupiter.events import Stamp
from transport.connection import Connection, connect
from transport.identity import Authority
from transport.listener import Listener
from transport.tls import Credentials, client_context, server_context

HOST = "127.0.0.1"
NOW = Stamp(1, 2, 3, 4)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Credentials]:
    folder: Path = tmp_path_factory.mktemp("keys")
    authority = Authority("c")
    return {name: authority.issue(name, folder / name) for name in ("n1", "n2", "home")}


def delivery(index: int, payload: bytes = b"abc", **changes: Any) -> Delivery:
    made = Delivery(
        job=f"job-{index}",
        index=index,
        parent="a",
        child="b",
        source="n1",
        files=(FileEntry("f", len(payload)),),
        crc32=zlib.crc32(payload),
        sent=NOW,
    )
    return msgspec.structs.replace(made, **changes)


@dataclass
class Receiver:
    """n2: takes deliveries, spools them with tickets, and commits when a test says so."""

    keys: dict[str, Credentials]
    port: int = 0
    is_taking: bool = True
    commits_at_once: bool = True
    spooled: dict[int, Delivery] = field(default_factory=dict)
    duplicates: int = 0
    finished: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    inbound: set[InboundData] = field(default_factory=set)
    connections: list[Connection] = field(default_factory=list)
    ticket: int = 0

    def listen(self) -> None:
        self.listener = Listener(
            HOST,
            self.port,
            server_context(self.keys["n2"]),
            self._visitor,
            self.connections.append,
        )
        self.port = self.listener.port

    def _visitor(self) -> InboundData:
        made = InboundData(
            self._accept, self.finished.append, self.inbound.discard, self.warnings.append
        )
        self.inbound.add(made)
        return made

    def _accept(self, made: Delivery, content: Content) -> int | None:
        if not self.is_taking:
            return None
        if made.index in self.spooled:
            self.duplicates += 1
        else:
            self.spooled[made.index] = made
            self.ticket += 1
        if self.commits_at_once:
            asyncio.get_running_loop().call_soon(self.commit, self.ticket)
        return self.ticket

    def commit(self, ticket: int) -> None:
        for inbound in self.inbound:
            inbound.committed(ticket)

    def cut(self) -> None:
        for connection in self.connections:
            connection.close("cut by the test")
        self.connections.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0)

    def stop(self) -> None:
        self.listener.close()
        self.cut()


class Bench:
    """n1's link to n2."""

    def __init__(self, keys: dict[str, Credentials], sender: str = "n1") -> None:
        self.keys = keys
        self.receiver = Receiver(keys)
        self.receiver.listen()
        self.acknowledged: list[int] = []
        peer = Peer("n2", HOST, self.receiver.port)
        self.link = PeerLink(peer, client_context(keys[sender]), self._acknowledged)

    def _acknowledged(self, made: Delivery) -> None:
        self.acknowledged.append(made.index)

    def send(self, *indexes: int) -> None:
        for index in indexes:
            self.link.send(delivery(index), b"abc")

    async def until_acknowledged(self, count: int) -> None:
        await self.receiver.until(lambda: len(self.acknowledged) >= count)

    async def stop(self) -> None:
        await self.link.stop()
        self.receiver.stop()


def run(
    keys: dict[str, Credentials], scenario: Callable[[Bench], Awaitable[None]], sender: str = "n1"
) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            bench = Bench(keys, sender)
            try:
                await scenario(bench)
            finally:
                await bench.stop()

    asyncio.run(main())


def test_deliveries_arrive_in_order_and_are_acknowledged_once(
    keys: dict[str, Credentials],
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.send(0, 1, 2)  # before there is a connection
        bench.link.start()
        await bench.until_acknowledged(3)
        bench.send(*range(3, 100))
        await bench.until_acknowledged(100)
        assert bench.acknowledged == list(range(100))
        assert list(bench.receiver.spooled) == list(range(100))
        assert bench.link.queue_length == 0
        assert bench.receiver.duplicates == 0

    run(keys, scenario)


def test_nothing_is_acknowledged_before_it_is_on_disk(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        receiver = bench.receiver
        receiver.commits_at_once = False
        bench.link.start()
        bench.send(0, 1, 2, 3)
        await receiver.until(lambda: receiver.ticket == 4)
        await bench.link.probe(b"", 30)  # whatever was said before has arrived
        assert bench.acknowledged == []
        receiver.commit(2)
        await bench.until_acknowledged(2)
        await bench.link.probe(b"", 30)
        assert bench.acknowledged == [0, 1]
        receiver.commit(4)
        await bench.until_acknowledged(4)

    run(keys, scenario)


def test_after_a_cut_all_that_is_owed_goes_again_and_the_second_is_dropped(
    keys: dict[str, Credentials],
) -> None:
    async def scenario(bench: Bench) -> None:
        receiver = bench.receiver
        receiver.commits_at_once = False
        bench.link.start()
        bench.send(*range(10))
        await receiver.until(lambda: receiver.ticket == 10)
        receiver.commit(4)
        await bench.until_acknowledged(4)
        receiver.cut()
        bench.send(10, 11)
        await receiver.until(lambda: receiver.ticket == 12)
        assert receiver.duplicates == 6
        receiver.commit(12)
        await bench.until_acknowledged(12)
        assert bench.acknowledged == list(range(12)), "the count begins anew with the connection"
        assert bench.link.queue_length == 0

    run(keys, scenario)


def test_cuts_at_any_time_lose_and_double_nothing(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link.start()
        for number in range(8):
            for index in range(number * 25, number * 25 + 25):
                bench.link.send(delivery(index, bytes(20_000)), bytes(20_000))
            await bench.receiver.until(
                lambda wanted=number * 25 + 3: len(bench.receiver.spooled) > wanted
            )
            bench.receiver.cut()
        await bench.until_acknowledged(200)
        assert sorted(bench.acknowledged) == list(range(200))
        assert sorted(bench.receiver.spooled) == list(range(200))

    run(keys, scenario)


def test_a_receiver_that_takes_nothing_now_gets_it_later(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.receiver.is_taking = False
        bench.link.start()
        bench.send(0)
        await bench.receiver.until(lambda: bool(bench.receiver.connections))
        await bench.receiver.until(lambda: bench.receiver.connections[0].is_closed)
        assert bench.receiver.warnings == []
        bench.receiver.is_taking = True
        await bench.until_acknowledged(1)

    run(keys, scenario)


def test_a_peer_that_comes_back_on_its_port_is_found(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link.start()
        bench.send(0)
        await bench.until_acknowledged(1)
        bench.receiver.stop()
        bench.send(1)
        bench.receiver.listen()
        await bench.until_acknowledged(2)

    run(keys, scenario)


# Other records


def test_what_has_ended_is_said_again_after_a_cut(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        receiver = bench.receiver
        bench.link.tell_finished(3)  # nobody hears it yet
        bench.link.start()
        await bench.link.probe(b"", 30)
        assert receiver.finished == [3]
        bench.link.tell_finished(5)
        await bench.link.probe(b"", 30)
        receiver.cut()
        while bench.link._connection is not None:
            await asyncio.sleep(0)
        await bench.link.probe(b"", 30)
        assert receiver.finished == [3, 5, 5]

    run(keys, scenario, sender="home")


def test_only_home_says_what_has_ended(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link.start()
        bench.link.tell_finished(3)
        await bench.receiver.until(lambda: bool(bench.receiver.connections))
        await bench.receiver.until(lambda: bench.receiver.connections[0].is_closed)
        assert bench.receiver.finished == []
        assert "is not home" in bench.receiver.warnings[0]

    run(keys, scenario)


def test_a_probe_fails_when_the_connection_does(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link.start()
        await bench.link.probe(b"x" * 100_000, 30)
        asking = asyncio.create_task(bench.link.probe(b"", 30))
        await asyncio.sleep(0)
        bench.link._connection.close("lost")  # type: ignore[union-attr]
        with pytest.raises(ConnectionError, match="lost"):
            await asking

    run(keys, scenario)


@pytest.mark.parametrize(
    "nonsense", [b"", b"\xc1", b"\x93\x01\x02\x03", encode({"a": 1}), encode(delivery(1))]
)
def test_an_answer_that_is_none_closes_the_connection(
    keys: dict[str, Credentials], nonsense: bytes
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link.start()
        await bench.link.probe(b"", 30)
        [connection] = bench.receiver.connections
        connection.send(nonsense)
        while not connection.is_closed:
            await asyncio.sleep(0)
        await bench.link.probe(b"", 30)  # and it is connected again

    run(keys, scenario)


def test_an_acknowledgement_of_more_than_was_sent_does_no_harm(
    keys: dict[str, Credentials],
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link.start()
        bench.send(0)
        await bench.until_acknowledged(1)
        [connection] = bench.receiver.connections
        connection.send(encode(Acknowledged(1000)))
        connection.send(encode(ProbeAnswer(1000)))
        bench.send(1)
        await bench.receiver.until(lambda: 1 in bench.receiver.spooled)

    run(keys, scenario)


# What is refused


@pytest.mark.parametrize(
    ("changes", "payload", "says"),
    [
        ({"source": "n7"}, b"abc", "in the name of n7"),
        ({"crc32": 1}, b"abc", "checksum"),
        ({}, b"abd", "checksum"),
        ({"files": (FileEntry("f", 2),)}, b"abc", "sizes"),
        ({"files": (FileEntry("f", 5), FileEntry("g", -2))}, b"abc", "the file name 'g'"),
        ({"files": (FileEntry("../f", 3),)}, b"abc", "'../f'"),
        ({"files": (FileEntry("/etc/passwd", 3),)}, b"abc", "'/etc/passwd'"),
        ({"files": (FileEntry("..", 3),)}, b"abc", "'..'"),
        ({"files": (FileEntry("", 3),)}, b"abc", "''"),
        ({"files": (FileEntry("a\0b", 3),)}, b"abc", "a\\x00b"),
        ({"files": (FileEntry("n" * 256, 3),)}, b"abc", "nnn"),
    ],
)
def test_a_bad_delivery_is_refused_and_told(
    keys: dict[str, Credentials], changes: dict[str, Any], payload: bytes, says: str
) -> None:
    async def scenario(bench: Bench) -> None:
        ends: list[str] = []

        class Caller:
            def received(self, connection: Connection, frames: Any) -> None:
                raise AssertionError(frames)

            def closed(self, connection: Connection, reason: str) -> None:
                ends.append(reason)

        connection = await connect(
            HOST, bench.receiver.port, "n2", client_context(keys["n1"]), Caller()
        )
        connection.send(encode(delivery(0, **changes)), payload)
        connection.send(encode(delivery(1)), b"abc")
        while not ends:
            await asyncio.sleep(0)
        assert bench.receiver.spooled == {}
        [warning] = bench.receiver.warnings
        assert says in warning

    run(keys, scenario)


def test_a_record_of_the_wrong_kind_is_refused(keys: dict[str, Credentials]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link.start()
        await bench.link.probe(b"", 30)
        bench.link._connection.send(encode(Acknowledged(1)))  # type: ignore[union-attr]
        await bench.receiver.until(lambda: bench.receiver.connections[0].is_closed)
        assert "sent a Acknowledged as a request" in bench.receiver.warnings[0]

    run(keys, scenario)


def test_a_finished_record_has_one_form() -> None:
    assert msgspec.msgpack.decode(encode(Finished(3))) == ["Finished", 3]
