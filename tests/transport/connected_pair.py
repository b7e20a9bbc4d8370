"""Two members of a cluster on the loopback interface, connected, with ears that remember."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from transport.connection import Connection, connect
from transport.listener import Listener
from transport.tls import Credentials, client_context, server_context

HOST = "127.0.0.1"
TIMEOUT_S = 30


@dataclass
class Members:
    """Credentials of one cluster's members, and of a member of another cluster."""

    alice: Credentials
    bob: Credentials
    stranger: Credentials


@dataclass
class Ear:
    """Keeps what a connection tells, and lets a test wait for it."""

    frames: list[tuple[bytes, bytes]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    on_frames: Callable[[Connection, list[tuple[bytes, bytes]]], None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def received(self, connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        if self.on_frames is not None:
            self.on_frames(connection, frames)
        self.frames += frames
        self.changed.set()

    def closed(self, connection: Connection, reason: str) -> None:
        self.reasons.append(reason)
        self.changed.set()

    async def until(self, condition: Callable[[Ear], bool]) -> None:
        while not condition(self):
            self.changed.clear()
            await self.changed.wait()


@dataclass
class Pair:
    """alice listens; bob has connected to her."""

    listener: Listener
    alice_ear: Ear
    bob_ear: Ear
    alice: Connection
    bob: Connection


@asynccontextmanager
async def connected_pair(members: Members) -> AsyncIterator[Pair]:
    alice_ear, bob_ear = Ear(), Ear()
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    listener = Listener(
        HOST, 0, server_context(members.alice), lambda: alice_ear, accepted.set_result
    )
    bob = await connect(HOST, listener.port, "alice", client_context(members.bob), bob_ear)
    pair = Pair(listener, alice_ear, bob_ear, await accepted, bob)
    try:
        yield pair
    finally:
        pair.alice.close()
        pair.bob.close()
        listener.close()
