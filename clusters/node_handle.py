"""The roof's end of a node's control connection: questions with answers, and the node's reports."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

import msgspec

from dispatcher.messages import (
    Admitted,
    Control,
    LogPart,
    Refused,
    decode_control,
    encode,
)
from jupiter.errors import ClusterError, InputError
from transport.connection import Connection, connect

Answer = TypeVar("Answer", bound=Control)


class NodeGoneError(ClusterError):
    """The node was lost before it answered, or another that it needed for its answer."""


class NodeHandle:
    """One node, as the roof sees it. Lives in the roof's event loop."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.on_log: Callable[[int, bytes], None] = lambda offset, part: None
        self.on_admitted: Callable[[int], None] = lambda index: None
        self.on_refused: Callable[[Refused], None] = lambda refused: None
        self.gone = asyncio.Event()
        """The control connection was there and has ended."""
        self._connection: Connection | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[tuple[Control, bytes]]] = {}

    async def connect(self, context: ssl.SSLContext) -> None:
        """Open the control connection. Raises ClusterError."""
        try:
            self._connection = await connect(self.host, self.port, self.name, context, self)
        except OSError as error:
            raise ClusterError(
                f"{self.name} at {self.host}:{self.port} can't be reached: {error}"
            ) from error

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def tell(self, record: Control, payload: bytes = b"") -> None:
        """Send a record that has no answer of its own."""
        if self._connection is not None:
            self._connection.send(encode(record), payload)

    async def ask(
        self, record: Control, answer_type: type[Answer], payload: bytes = b""
    ) -> tuple[Answer, bytes]:
        """Send a question and wait for its answer and the answer's payload.

        Raises InputError when the node refuses for a reason the user can mend, ClusterError when it
        refuses for another, NodeGoneError when it ends before it answers.
        """
        if self._connection is None:
            raise NodeGoneError(f"{self.name} is not connected")
        self._number += 1
        number = self._number
        answer: asyncio.Future[tuple[Control, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        numbered = msgspec.structs.replace(record, request=number)
        self._connection.send(encode(numbered), payload)
        try:
            reply, content = await answer
        finally:
            self._waiting.pop(number, None)
        if isinstance(reply, Refused):
            if reply.fix:
                raise InputError(f"{self.name}: {reply.seen}", reply.fix)
            raise ClusterError(f"{self.name}: {reply.seen}")
        if not isinstance(reply, answer_type):
            raise ClusterError(f"{self.name} answered with a {type(reply).__name__}")
        return reply, content

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def received(self, connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        for header, payload in frames:
            record = decode_control(header)
            if isinstance(record, LogPart):
                self.on_log(record.offset, payload)
            elif isinstance(record, Admitted):
                self.on_admitted(record.index)
            elif record.request in self._waiting:
                waiting = self._waiting[record.request]
                if not waiting.done():
                    waiting.set_result((record, payload))
            elif isinstance(record, Refused) and not record.request:
                self.on_refused(record)  # else nobody waits for that answer any more

    def closed(self, connection: Connection, reason: str) -> None:
        self._connection = None
        self.gone.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NodeGoneError(f"{self.name}: {reason}"))
