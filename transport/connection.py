"""A TLS connection that carries frames, driven by asyncio's selector.

The TLS socket itself is read and written in the event loop (``add_reader``), not through asyncio's
TLS transport: OpenSSL works on the socket directly, and one turn of the loop moves many frames with
one system call. What is sent in one turn of the loop leaves together.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol

from transport.frames import FrameDecoder, FrameError, frame_head
from transport.tls import peer_name

_READ_BYTES = 256 * 1024
_JOIN_BYTES = 256 * 1024
_SOCKET_BUFFER_BYTES = 1 << 20


class Receiver(Protocol):
    """What the owner of a connection is told, in the event loop's thread."""

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
        self._is_closed = False
        self._drained: list[Callable[[], None]] = []
        tls_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(tls_socket.fileno(), self._read)
        self._loop.call_soon(self._read)  # what came along with the handshake

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
        if not self._flush_planned and not self._writing:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

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

    def _read(self) -> None:
        if self._is_closed:
            return
        frames: list[tuple[bytes, bytes]] = []
        reason = ""
        view = memoryview(self._read_buffer)
        filled = 0
        try:
            while filled < _READ_BYTES:
                count = self._socket.recv_into(view[filled:])
                if count == 0:
                    reason = f"{self.peer} closed the connection"
                    break
                filled += count
            else:  # more may be decrypted already, and no event will tell
                self._loop.call_soon(self._read)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            reason = f"connection to {self.peer} failed: {error}"
        if filled:
            try:
                frames.extend(self._decoder.feed(view[:filled]))
            except FrameError as error:
                reason = f"{self.peer} does not speak our protocol: {error}"
        if frames:
            self._receiver.received(self, frames)
        if reason:
            self.close(reason)

    def _flush(self) -> None:
        self._flush_planned = False
        if self._is_closed:
            return
        try:
            while self._outgoing:
                piece = self._next_piece()
                sent = self._socket.send(piece)
                self._outgoing_bytes -= sent
                if sent < len(piece):
                    self._outgoing.appendleft(memoryview(piece)[sent:])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            # OpenSSL wants the same bytes again; the piece stays at the front.
            self._outgoing.appendleft(piece)
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._socket.fileno(), self._flush)
            return
        except OSError as error:
            self.close(f"connection to {self.peer} failed: {error}")
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._socket.fileno())
        if self._drained:
            waiting, self._drained = self._drained, []
            for callback in waiting:
                callback()

    def _next_piece(self) -> bytes | memoryview:
        """Many small frames become one piece for the socket; a large payload is cut into such pieces."""
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


async def _handshake(tls_socket: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    descriptor = tls_socket.fileno()
    while True:
        ready = loop.create_future()

        def wake(ready: asyncio.Future[None] = ready) -> None:
            if not ready.done():
                ready.set_result(None)

        try:
            tls_socket.do_handshake()
            return
        except ssl.SSLWantReadError:
            loop.add_reader(descriptor, wake)
        except ssl.SSLWantWriteError:
            loop.add_writer(descriptor, wake)
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)


async def connect(
    host: str, port: int, name: str, context: ssl.SSLContext, receiver: Receiver
) -> Connection:
    """Connect to the member ``name``. Raises OSError (ssl.SSLError is one) when it can't."""
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
        await _handshake(tls_socket)
        return Connection(tls_socket, receiver)
    except BaseException:
        tls_socket.close()
        raise


class Listener:
    """Accepts connections on one port; each goes to ``accepted`` after its handshake."""

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        receiver_for: Callable[[], Receiver],
        accepted: Callable[[Connection], None],
    ) -> None:
        """Bind now. Raises OSError when the address can't be had; port 0 takes a free one."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setblocking(False)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.listen(128)
        self.port: int = self._socket.getsockname()[1]
        self._context = context
        self._receiver_for = receiver_for
        self._accepted = accepted
        self._handshakes: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in self._handshakes:
            task.cancel()

    def _accept(self) -> None:
        try:
            plain, _ = self._socket.accept()
        except OSError:
            return  # the caller went away before we answered
        plain.setblocking(False)
        task = self._loop.create_task(self._greet(plain))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _greet(self, plain: socket.socket) -> None:
        try:
            tls_socket = self._context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        except OSError:
            plain.close()
            return
        try:
            async with asyncio.timeout(10):
                await _handshake(tls_socket)
            connection = Connection(tls_socket, self._receiver_for())
        except (OSError, TimeoutError):
            with contextlib.suppress(OSError):
                tls_socket.close()
            return
        except BaseException:
            tls_socket.close()
            raise
        self._accepted(connection)
