"""A port where members of the cluster, and nobody else, get a connection."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable

from transport.connection import Connection, Receiver
from transport.handshake import shake_hands

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_ACCEPT_AGAIN_S = 0.5


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
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._listen()

    def close(self) -> None:
        """Accept no more; those in their handshake are dropped, the connected ones stay."""
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in self._handshakes:
            task.cancel()

    def _listen(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            plain, _ = self._socket.accept()
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:  # the caller waits in the backlog, and so do we
                self._loop.remove_reader(self._socket.fileno())
                self._loop.call_later(_ACCEPT_AGAIN_S, self._listen)
            return  # else the caller went away before we answered
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
            await shake_hands(tls_socket)
            connection = Connection(tls_socket, self._receiver_for())
        except (OSError, TimeoutError):
            with contextlib.suppress(OSError):
                tls_socket.close()
            return
        except BaseException:
            tls_socket.close()
            raise
        self._accepted(connection)
