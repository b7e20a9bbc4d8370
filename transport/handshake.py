"""The TLS handshake of a socket that the event loop drives."""

from __future__ import annotations

import asyncio
import ssl

HANDSHAKE_TIMEOUT_S = 20.0


async def shake_hands(tls_socket: ssl.SSLSocket) -> None:
    """Do the handshake of a socket that does not block.

    Raises OSError: the peer is refused or refuses (ssl.SSLError), is gone, or takes too long
    (TimeoutError).
    """
    async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
        await _shake_hands(tls_socket)


async def _shake_hands(tls_socket: ssl.SSLSocket) -> None:
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
