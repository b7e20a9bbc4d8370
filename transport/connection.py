"""A TLS connection that carries frames, driven by asyncio's selector.

The TLS socket itself is read and written in the event loop (``add_reader``), not through asyncio's
TLS transport: OpenSSL works on the socket directly, and one turn of the loop moves many frames with
one system call. What is sent in one turn of the loop leaves together. One turn moves a bounded
number of bytes, so that a busy connection does not starve the others.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol

from transport.frames import FrameDecoder, FrameError, frame_head
from transport.handshake import shake_hands
from transport.tls import peer_name

_READ_BYTES = 256 * 1024
_JOIN_BYTES = 256 * 1024
_WRITE_BYTES = 1 << 20
"""At most so much is read and written of one connection in one turn of the loop."""
_SOCKET_BUFFER_BYTES = 1 << 20


class Receiver(Protocol):
    """What the owner of a connection is told, in the event loop's thread.

    When ``received`` raises, the connection is closed: a stream with a hole in it is worth nothing.
    """

    def received(self, connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        """Every (header, payload) that arrived since the last turn, in order."""

    def closed(self, connection: Connection, reason: str) -> None:
        """The connection is gone; called exactly once."""


class Connection:
    """One authenticated, encrypted, ordered stream of frames to ``peer``.

    Not thread-safe: use it in its event loop alone.
    """

    def __init__(self, tls_socket: ssl.SSLSocket, receiver: Receiver) -> None:
        self.peer = peer_name(tls_socket)
        self._socket = tls_socket
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._decoder = FrameDecoder()
        self._read_buffer = bytearray(_READ_BYTES)
        self._outgoing: deque[bytes | memoryview] = deque()
        self._outgoing_bytes = 0
        self._writing = False
        self._flush_planned = False
        self._read_planned = False
        self._read_awaits_writable = False
        self._flush_awaits_readable = False
        self._is_closed = False
        self._drained: list[Callable[[], None]] = []
        tls_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(tls_socket.fileno(), self._read)
        self._plan_read()  # what came along with the handshake

    @property
    def outgoing_bytes(self) -> int:
        """How much waits to be written."""
        return self._outgoing_bytes

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def send(self, header: bytes, payload: bytes | memoryview = b"") -> None:
        """Queue one frame; it leaves at the end of this turn of the loop. Ignored once closed."""
        if self._is_closed:
            return
        head = frame_head(header, len(payload))
        self._outgoing.append(head)
        self._outgoing_bytes += len(head)
        if len(payload):
            self._outgoing.append(payload)
            self._outgoing_bytes += len(payload)
        self._plan_flush()

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back once, when all that is queued now has been handed to the operating system."""
        if self._outgoing or self._writing:
            self._drained.append(callback)
        else:
            self._loop.call_soon(callback)

    async def drain(self) -> None:
        """Wait until all that is queued has been handed to the operating system."""
        if not self._is_closed:
            done = self._loop.create_future()
            self.when_drained(lambda: None if done.done() else done.set_result(None))
            await done

    def close(self, reason: str = "closed here") -> None:
        """Drop the connection at once; what was not sent is gone."""
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._outgoing.clear()
        self._outgoing_bytes = 0
        waiting, self._drained = self._drained, []
        for callback in waiting:
            callback()
        self._receiver.closed(self, reason)

    def _plan_read(self) -> None:
        if not self._read_planned:
            self._read_planned = True
            self._loop.call_soon(self._read_as_planned)

    def _read_as_planned(self) -> None:
        self._read_planned = False
        self._read()

    def _read(self) -> None:
        if self._is_closed:
            return
        filled, reason = self._take_bytes()
        frames: list[tuple[bytes, bytes]] = []
        try:
            frames.extend(self._decoder.feed(memoryview(self._read_buffer)[:filled]))
        except FrameError as error:
            reason = f"{self.peer} does not speak our protocol: {error}"
        if frames:
            try:
                self._receiver.received(self, frames)
            except BaseException as error:
                self.close(f"what {self.peer} sent can't be handled: {error!r}")
                raise
        if reason:
            self.close(reason)
        elif self._flush_awaits_readable:
            self._flush_awaits_readable = False
            self._flush()

    def _take_bytes(self) -> tuple[int, str]:
        """Fill the read buffer: how many bytes, and why the connection must end, or nothing."""
        view = memoryview(self._read_buffer)
        filled = 0
        try:
            while filled < _READ_BYTES:
                count = self._socket.recv_into(view[filled:])
                if count == 0:
                    return filled, f"{self.peer} closed the connection"
                filled += count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:  # OpenSSL has to answer something first, such as a new key
            self._read_awaits_writable = True
            self._watch_writable()
        except OSError as error:
            return filled, f"connection to {self.peer} failed: {error}"
        else:  # more may be decrypted already, and no event will tell
            self._plan_read()
        return filled, ""

    def _plan_flush(self) -> None:
        if not (self._flush_planned or self._writing or self._flush_awaits_readable):
            self._flush_planned = True
            self._loop.call_soon(self._flush_as_planned)

    def _flush_as_planned(self) -> None:
        self._flush_planned = False
        self._flush()

    def _watch_writable(self) -> None:
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        if self._read_awaits_writable:
            self._read_awaits_writable = False
            self._read()
        self._flush()

    def _flush(self) -> None:
        if self._is_closed:
            return
        written = 0
        while self._outgoing and written < _WRITE_BYTES:
            # If OpenSSL can't take a piece now, it wants the same bytes again: they stay in front.
            piece = self._next_piece()
            try:
                sent = self._socket.send(piece)
            except ssl.SSLWantWriteError:
                self._outgoing.appendleft(piece)
                self._watch_writable()
                return
            except ssl.SSLWantReadError:
                self._outgoing.appendleft(piece)
                self._flush_awaits_readable = True
                break
            except OSError as error:
                self.close(f"connection to {self.peer} failed: {error}")
                return
            written += sent
            self._outgoing_bytes -= sent
            if sent < len(piece):
                self._outgoing.appendleft(memoryview(piece)[sent:])
        if self._writing and not self._read_awaits_writable:
            self._writing = False
            self._loop.remove_writer(self._socket.fileno())
        if self._outgoing:
            self._plan_flush()
            return
        waiting, self._drained = self._drained, []
        for callback in waiting:
            callback()

    def _next_piece(self) -> bytes | memoryview:
        """Many small frames become one piece for the socket; a large payload becomes several."""
        first = self._outgoing.popleft()
        if len(first) > _JOIN_BYTES:
            whole = memoryview(first)
            self._outgoing.appendleft(whole[_JOIN_BYTES:])
            return whole[:_JOIN_BYTES]
        if not self._outgoing:
            return first
        pieces = [first]
        size = len(first)
        while self._outgoing and size + len(self._outgoing[0]) <= _JOIN_BYTES:
            piece = self._outgoing.popleft()
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces) if len(pieces) > 1 else first


async def connect(
    host: str, port: int, name: str, context: ssl.SSLContext, receiver: Receiver
) -> Connection:
    """Connect to the member ``name``.

    Raises OSError (ssl.SSLError and TimeoutError are some) when it can't.
    """
    loop = asyncio.get_running_loop()
    plain = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    plain.setblocking(False)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
    try:
        await loop.sock_connect(plain, (host, port))
        tls_socket = context.wrap_socket(
            plain, server_hostname=name, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
    except BaseException:
        plain.close()
        raise
    try:
        await shake_hands(tls_socket)
        return Connection(tls_socket, receiver)
    except BaseException:
        tls_socket.close()
        raise
