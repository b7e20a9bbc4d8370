"""The way to another node: deliveries go out in order, stay here until acknowledged, and go again
after every reconnection. The receiver knows what it has had and drops the second."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

import msgspec

from dispatcher.messages import (
    Acknowledged,
    Delivery,
    Finished,
    Peer,
    Probe,
    ProbeAnswer,
    decode_data,
    encode,
)
from transport.connection import Connection, connect

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5


class PeerLink:
    """Deliveries from this node to ``peer``. Lives in the node's event loop.

    acknowledged(delivery) is called once per delivery, when the peer has it on disk.
    """

    def __init__(
        self,
        peer: Peer,
        context: ssl.SSLContext,
        acknowledged: Callable[[Delivery], None],
    ) -> None:
        self.peer = peer
        self._context = context
        self._acknowledged = acknowledged
        self._unacknowledged: deque[tuple[Delivery, bytes | memoryview]] = deque()
        self._acknowledged_count = 0
        self._finished_below = 0
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._probes: dict[int, asyncio.Future[int]] = {}
        self._probe_number = 0
        self._keeper: asyncio.Task[None] | None = None
        self.last_problem = ""

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep_connected(), name=f"link to {self.peer.name}")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._connection is not None:
            self._connection.close()

    @property
    def queue_length(self) -> int:
        """Deliveries that the peer has not acknowledged."""
        return len(self._unacknowledged)

    def send(self, delivery: Delivery, payload: bytes | memoryview) -> None:
        """Deliver now or when the peer can be reached."""
        self._unacknowledged.append((delivery, payload))
        if self._connection is not None:
            self._connection.send(encode(delivery), payload)

    def tell_finished(self, below: int) -> None:
        """Pass on that jobs have ended; if the peer is away it learns so next time."""
        self._finished_below = below
        if self._connection is not None:
            self._connection.send(encode(Finished(below)))

    async def probe(self, payload: bytes, timeout_s: float) -> None:
        """One message there and a short one back.

        Raises TimeoutError when no answer comes, ConnectionError when the connection is lost.
        """
        async with asyncio.timeout(timeout_s):
            while self._connection is None:
                await self._connected.wait()
            self._probe_number += 1
            answer = asyncio.get_running_loop().create_future()
            self._probes[self._probe_number] = answer
            try:
                self._connection.send(encode(Probe(self._probe_number)), payload)
                await answer
            finally:
                self._probes.pop(self._probe_number, None)

    def received(self, connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        for header, _ in frames:
            try:
                record = decode_data(header)
            except msgspec.DecodeError as error:
                connection.close(f"{self.peer.name} sent what is no record: {error}")
                return
            if isinstance(record, Acknowledged):
                self._drop_acknowledged(record.count)
            elif isinstance(record, ProbeAnswer):
                answer = self._probes.get(record.number)
                if answer is not None and not answer.done():
                    answer.set_result(record.number)
            else:
                connection.close(f"{self.peer.name} sent a {type(record).__name__} as an answer")
                return

    def closed(self, connection: Connection, reason: str) -> None:
        self.last_problem = reason
        self._connection = None
        self._connected.clear()
        self._lost.set()
        for answer in self._probes.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError(reason))

    def take_up(self, connection: Connection) -> None:
        """Connected anew: say again what the peer may have missed."""
        self._lost.clear()
        self._acknowledged_count = 0
        self._connection = connection
        self._connected.set()
        if self._finished_below:
            connection.send(encode(Finished(self._finished_below)))
        for delivery, payload in self._unacknowledged:
            connection.send(encode(delivery), payload)

    def _drop_acknowledged(self, count: int) -> None:
        while self._acknowledged_count < count and self._unacknowledged:
            delivery, _ = self._unacknowledged.popleft()
            self._acknowledged_count += 1
            self._acknowledged(delivery)

    async def _keep_connected(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                connection = await connect(
                    self.peer.host, self.peer.port, self.peer.name, self._context, self
                )
            except OSError as error:
                self.last_problem = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                continue
            self.take_up(connection)
            await self._lost.wait()
            if self._acknowledged_count:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
