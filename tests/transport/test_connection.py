"""Connections over real sockets and real TLS, on the loopback interface."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from connected_pair import HOST, TIMEOUT_S, Ear, Members, Pair, connected_pair
from hypothesis import given, settings
from hypothesis import strategies as st

from transport import connection as connection_module
from transport.connection import Connection, connect
from transport.frames import frame_head
from transport.listener import Listener
from transport.tls import client_context, server_context

RunPair = Callable[[Callable[[Pair], Awaitable[None]]], None]
LARGE = 32 << 20


def frames_count(count: int) -> Callable[[Ear], bool]:
    return lambda ear: len(ear.frames) >= count


def is_closed(ear: Ear) -> bool:
    return bool(ear.reasons)


def raw_socket(connection: Connection) -> ssl.SSLSocket:
    """The socket below, to do to a connection what only a broken peer would."""
    return connection._socket


# What arrives


def test_both_know_who_is_at_the_other_end(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        assert pair.bob.peer == "alice"
        assert pair.alice.peer == "bob"

    run_pair(scenario)


def test_frames_arrive_whole_and_in_order(run_pair: RunPair) -> None:
    sent = [(b"head %d" % number, os.urandom(number * 37 % 5000)) for number in range(500)]

    async def scenario(pair: Pair) -> None:
        for header, payload in sent:
            pair.bob.send(header, payload)
        await pair.alice_ear.until(frames_count(len(sent)))
        assert pair.alice_ear.frames == sent

    run_pair(scenario)


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 700_000), min_size=1, max_size=8))
def test_any_sizes_arrive(members: Members, sizes: list[int]) -> None:
    sent = [(b"%d" % size, os.urandom(size)) for size in sizes]

    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S), connected_pair(members) as pair:
            for header, payload in sent:
                pair.alice.send(header, memoryview(payload))
            await pair.bob_ear.until(frames_count(len(sent)))
            assert pair.bob_ear.frames == sent

    asyncio.run(main())


def test_large_payloads_in_both_directions_at_once(run_pair: RunPair) -> None:
    up, down = os.urandom(LARGE), os.urandom(LARGE)

    async def scenario(pair: Pair) -> None:
        pair.bob.send(b"up", up)
        pair.alice.send(b"down", down)
        await pair.alice_ear.until(frames_count(1))
        await pair.bob_ear.until(frames_count(1))
        assert pair.alice_ear.frames == [(b"up", up)]
        assert pair.bob_ear.frames == [(b"down", down)]
        await pair.bob.drain()
        assert pair.bob.outgoing_bytes == 0

    run_pair(scenario)


def test_a_frame_cut_anywhere_on_the_wire_is_put_together(run_pair: RunPair) -> None:
    payload = os.urandom(300)
    stream = (frame_head(b"header", len(payload)) + payload) * 3

    async def scenario(pair: Pair) -> None:
        below = raw_socket(pair.bob)
        for begin in range(0, len(stream), 7):
            below.send(stream[begin : begin + 7])
            await asyncio.sleep(0)  # a TLS record of its own each
        await pair.alice_ear.until(frames_count(3))
        assert pair.alice_ear.frames == [(b"header", payload)] * 3

    run_pair(scenario)


# Fairness


def test_a_busy_connection_leaves_the_loop_to_others(run_pair: RunPair) -> None:
    """Between two turns of another task no more than a bounded number of bytes is moved."""
    moved: list[int] = []

    async def scenario(pair: Pair) -> None:
        pair.bob.send(b"", bytes(LARGE))
        waiting = pair.bob.outgoing_bytes
        while waiting:
            await asyncio.sleep(0)
            moved.append(waiting - pair.bob.outgoing_bytes)
            waiting = pair.bob.outgoing_bytes
        await pair.alice_ear.until(frames_count(1))

    run_pair(scenario)
    limit = connection_module._WRITE_BYTES + connection_module._JOIN_BYTES
    assert max(moved) <= limit


def test_a_long_stream_is_read_by_at_most_two_callbacks_a_turn(
    run_pair: RunPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    original = Connection._take_bytes

    def counted(self: Connection) -> tuple[int, str]:
        nonlocal reads
        reads += 1
        return original(self)

    async def scenario(pair: Pair) -> None:
        nonlocal reads
        pair.bob.send(b"", bytes(LARGE))
        while not pair.alice_ear.frames:
            reads = 0
            await asyncio.sleep(0)
            assert reads <= 4, "two for each of the two connections"

    monkeypatch.setattr(Connection, "_take_bytes", counted)
    run_pair(scenario)


# What OpenSSL may ask for


class Reluctant:
    """An SSL socket that now and then wants the other direction first, as TLS allows."""

    def __init__(self, below: ssl.SSLSocket, reads: int, writes: int) -> None:
        self._below = below
        self._reads = reads
        self._writes = writes

    def recv_into(self, view: memoryview) -> int:
        if self._reads:
            self._reads -= 1
            raise ssl.SSLWantWriteError
        return self._below.recv_into(view)

    def send(self, piece: bytes) -> int:
        if self._writes:
            self._writes -= 1
            raise ssl.SSLWantReadError
        return self._below.send(piece)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)


def test_reading_goes_on_when_it_had_to_write_first(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        pair.alice._socket = Reluctant(raw_socket(pair.alice), 3, 0)  # type: ignore[assignment]
        pair.bob.send(b"question", b"x" * 100_000)
        await pair.alice_ear.until(frames_count(1))
        pair.alice.send(b"answer")
        await pair.bob_ear.until(frames_count(1))

    run_pair(scenario)


def test_writing_goes_on_when_it_had_to_read_first(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        pair.alice._socket = Reluctant(raw_socket(pair.alice), 0, 1)  # type: ignore[assignment]
        pair.alice.send(b"first")
        pair.alice.send(b"second")
        await asyncio.sleep(0)
        pair.bob.send(b"what it waits for")
        await pair.bob_ear.until(frames_count(2))
        assert [header for header, _ in pair.bob_ear.frames] == [b"first", b"second"]

    run_pair(scenario)


# How it ends


def test_each_end_is_told_once_and_why(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        pair.bob.close("enough")
        pair.bob.close("again")
        await pair.alice_ear.until(is_closed)
        assert pair.bob_ear.reasons == ["enough"]
        assert pair.alice_ear.reasons == ["bob closed the connection"]
        assert pair.alice.is_closed
        pair.alice.send(b"into the void")
        await pair.alice.drain()

    run_pair(scenario)


def test_frames_sent_before_the_end_arrive_before_it(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        pair.bob.send(b"last words", b"." * 10_000)
        await pair.bob.drain()
        pair.bob.close()
        await pair.alice_ear.until(is_closed)
        assert pair.alice_ear.frames == [(b"last words", b"." * 10_000)]

    run_pair(scenario)


def test_a_half_closed_peer_is_closed(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        pair.bob.send(b"then nothing")
        await pair.bob.drain()
        socket.socket.shutdown(raw_socket(pair.bob), socket.SHUT_WR)
        await pair.alice_ear.until(is_closed)
        assert pair.alice_ear.frames == [(b"then nothing", b"")]
        assert pair.alice_ear.reasons == ["bob closed the connection"]

    run_pair(scenario)


def test_a_peer_that_stops_reading_holds_nothing_but_its_own_queue(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        asyncio.get_running_loop().remove_reader(raw_socket(pair.alice).fileno())
        pair.bob.send(b"", bytes(LARGE))
        drained = asyncio.create_task(pair.bob.drain())
        for _ in range(200):
            await asyncio.sleep(0)
        assert not drained.done()
        pair.alice.send(b"still heard")
        await pair.bob_ear.until(frames_count(1))
        pair.bob.close()
        await drained

    run_pair(scenario)


@settings(max_examples=30, deadline=None)
@given(junk=st.binary(min_size=8, max_size=200))
def test_bytes_that_are_no_frames_close_it_or_wait(members: Members, junk: bytes) -> None:
    """An authenticated peer that talks nonsense can't crash the reader."""

    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S), connected_pair(members) as pair:
            raw_socket(pair.bob).send(b"\xff" + junk)
            await pair.alice_ear.until(is_closed)
            assert "does not speak our protocol" in pair.alice_ear.reasons[0]

    asyncio.run(main())


def test_bytes_that_are_no_tls_close_it(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        socket.socket.send(raw_socket(pair.bob), b"GET / HTTP/1.1\r\n\r\n" * 10)
        await pair.alice_ear.until(is_closed)
        assert "connection to bob failed" in pair.alice_ear.reasons[0]

    run_pair(scenario)


def test_a_receiver_that_raises_closes_the_connection(run_pair: RunPair) -> None:
    """Else the stream would go on with a hole in it, and what was lost would count as taken."""
    reported: list[dict[str, Any]] = []

    def defect(connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        raise ZeroDivisionError("a defect")

    async def scenario(pair: Pair) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        pair.alice_ear.on_frames = defect
        pair.bob.send(b"one")
        pair.bob.send(b"two")
        await pair.bob_ear.until(is_closed)
        assert pair.alice_ear.frames == []
        assert "can't be handled: ZeroDivisionError" in pair.alice_ear.reasons[0]
        assert isinstance(reported[0]["exception"], ZeroDivisionError)

    run_pair(scenario)


def test_a_receiver_may_close_in_the_middle(run_pair: RunPair) -> None:
    async def scenario(pair: Pair) -> None:
        pair.alice_ear.on_frames = lambda connection, frames: connection.close("I am done")
        pair.bob.send(b"one")
        await pair.bob_ear.until(is_closed)
        assert pair.alice_ear.reasons == ["I am done"]

    run_pair(scenario)


# Who is let in


async def refused_by(members: Members, context: ssl.SSLContext, name: str = "alice") -> list[Any]:
    """Try to talk to alice; gives what she accepted, after she has refused or the caller has."""
    accepted: list[Any] = []
    ear = Ear()
    listener = Listener(
        HOST,
        0,
        server_context(members.alice),
        lambda: Ear(on_frames=lambda _, frames: accepted.extend(frames)),
        accepted.append,
    )
    try:
        connection = await connect(HOST, listener.port, name, context, ear)
        connection.send(b"let me in")
        await ear.until(is_closed)
    except ssl.SSLError:
        pass  # refused by the caller's own side, or told at once
    finally:
        await asyncio.gather(*listener._handshakes, return_exceptions=True)
        listener.close()
    return accepted


def test_a_peer_without_a_certificate_is_refused(
    members: Members, bare_client: ssl.SSLContext
) -> None:
    assert asyncio.run(refused_by(members, bare_client)) == []


def test_a_member_of_another_cluster_is_refused(members: Members) -> None:
    context = client_context(members.stranger)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert asyncio.run(refused_by(members, context)) == []


def test_a_caller_leaves_a_listener_with_another_name(members: Members) -> None:
    async def main() -> None:
        listener = Listener(HOST, 0, server_context(members.alice), Ear, lambda _: None)
        with pytest.raises(ssl.SSLCertVerificationError, match="carol"):
            await connect(HOST, listener.port, "carol", client_context(members.bob), Ear())
        await asyncio.gather(*listener._handshakes, return_exceptions=True)
        listener.close()

    asyncio.run(main())


def test_a_caller_leaves_a_listener_of_another_cluster(members: Members) -> None:
    async def main() -> None:
        listener = Listener(HOST, 0, server_context(members.stranger), Ear, lambda _: None)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(HOST, listener.port, "bob", client_context(members.alice), Ear())
        await asyncio.gather(*listener._handshakes, return_exceptions=True)
        listener.close()

    asyncio.run(main())


def test_plain_bytes_instead_of_a_handshake_are_refused(members: Members) -> None:
    async def main() -> None:
        accepted: list[Connection] = []
        listener = Listener(HOST, 0, server_context(members.alice), Ear, accepted.append)
        reader, writer = await asyncio.open_connection(HOST, listener.port)
        writer.write(b"SSH-2.0-nothing\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1 << 16)
        writer.close()
        listener.close()
        assert accepted == []

    asyncio.run(main())


def test_older_tls_is_refused(members: Members) -> None:
    async def main() -> None:
        context = client_context(members.bob)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await refused_by(members, context) == []

    asyncio.run(main())


# The listener


def test_a_port_in_use_is_an_error(members: Members) -> None:
    async def main() -> None:
        context = server_context(members.alice)
        first = Listener(HOST, 0, context, Ear, lambda _: None)
        with pytest.raises(OSError, match="in use"):
            Listener(HOST, first.port, context, Ear, lambda _: None)
        first.close()
        first.close()

    asyncio.run(main())


def test_nobody_listens(members: Members) -> None:
    async def main() -> None:
        with socket.create_server((HOST, 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await connect(HOST, port, "alice", client_context(members.bob), Ear())

    asyncio.run(main())


def test_closing_the_listener_drops_a_handshake_that_hangs(members: Members) -> None:
    async def main() -> None:
        listener = Listener(HOST, 0, server_context(members.alice), Ear, lambda _: None)
        reader, writer = await asyncio.open_connection(HOST, listener.port)
        while not listener._handshakes:
            await asyncio.sleep(0)
        listener.close()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()

    asyncio.run(main())
