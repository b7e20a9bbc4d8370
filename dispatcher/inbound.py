"""One incoming data connection: deliveries come in, and are acknowledged when they are on disk."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable

import msgspec

from dispatcher.content import Content
from dispatcher.file_names import is_plain_name
from dispatcher.messages import (
    Acknowledged,
    Delivery,
    Finished,
    Probe,
    ProbeAnswer,
    decode_data,
    encode,
)
from jupiter.app import HOME
from transport.connection import Connection


class InboundData:
    """Checks what a neighbour sends and answers it.

    accept(delivery, content) returns the spool ticket after which the delivery may be acknowledged,
    or None when this node can't take deliveries now; then the connection is closed and the sender,
    which keeps its copy, comes back.
    """

    def __init__(
        self,
        accept: Callable[[Delivery, Content], int | None],
        finished: Callable[[int], None],
        gone: Callable[[InboundData], None],
        warn: Callable[[str], None],
    ) -> None:
        self._accept = accept
        self._finished = finished
        self._gone = gone
        self._warn = warn
        self._tickets: deque[int] = deque()
        self._count = 0
        self._connection: Connection | None = None

    def received(self, connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        self._connection = connection
        for header, payload in frames:
            try:
                record = decode_data(header)
            except msgspec.DecodeError as error:
                return self._refuse(connection, f"sent what is no record: {error}")
            if isinstance(record, Delivery):
                problem = _fault(record, payload, connection.peer)
                if problem:
                    return self._refuse(connection, problem)
                ticket = self._accept(record, Content(record.files, payload, record.crc32))
                if ticket is None:
                    return connection.close("not taking deliveries now")
                self._tickets.append(ticket)
            elif isinstance(record, Probe):
                connection.send(encode(ProbeAnswer(record.number)))
            elif isinstance(record, Finished):
                if connection.peer != HOME:
                    return self._refuse(connection, "is not home and says that jobs have ended")
                self._finished(record.below)
            else:
                return self._refuse(connection, f"sent a {type(record).__name__} as a request")
        return None

    def closed(self, connection: Connection, reason: str) -> None:
        self._gone(self)

    def committed(self, ticket: int) -> None:
        """All up to ``ticket`` is on disk: acknowledge what that covers."""
        before = self._count
        tickets = self._tickets
        while tickets and tickets[0] <= ticket:
            tickets.popleft()
            self._count += 1
        if self._count > before and self._connection is not None:
            self._connection.send(encode(Acknowledged(self._count)))

    def close(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.close(reason)

    def _refuse(self, connection: Connection, problem: str) -> None:
        self._warn(f"{connection.peer} {problem}; its connection was closed and it will send again")
        connection.close(problem)


def _fault(delivery: Delivery, payload: bytes, sender: str) -> str:
    """Why a delivery can't be taken, or nothing."""
    if delivery.source != sender:
        return f"sent a delivery in the name of {delivery.source}"
    if zlib.crc32(payload) != delivery.crc32:
        return "sent a delivery whose checksum does not hold"
    if sum(entry.size_bytes for entry in delivery.files) != len(payload):
        return "sent a delivery whose sizes do not add up"
    for entry in delivery.files:
        if not is_plain_name(entry.name) or entry.size_bytes < 0:
            return f"sent a delivery with the file name {entry.name!r}"
    return ""
