"""Publishes changes on NATS. A thread of its own runs the connection; publishing never waits."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Coroutine, Mapping
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import Error

from qot.coordination.errors import UnavailableError

_LOG = logging.getLogger(__name__)
DEFAULT_TIMEOUT_S = 2.0


class NatsPublisher:
    """Raises UnavailableError when ``url`` can't be reached at first.

    Later it connects again by itself; what is published meanwhile waits in a buffer (2 MiB), and
    what does not fit is lost, counted and logged.
    """

    def __init__(self, url: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._count = threading.Lock()
        self._lost = 0
        self._losing = False  # for the log: said once, not for each message
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        try:
            self._client: Client = self._do(self._connect(url))
        except (OSError, TimeoutError, Error) as error:
            self._end_thread()
            raise UnavailableError(
                f"no NATS server at {_shown(url)}: {error or type(error).__name__}; start it, or "
                "give its address (nats://host:4222)"
            ) from None

    @property
    def lost(self) -> int:
        with self._count:
            return self._lost

    def publish(self, subject: str, message: Mapping[str, object]) -> None:
        data = json.dumps(message).encode()
        with self._count:
            if self._closed:
                self._lost += 1
                return
            asyncio.run_coroutine_threadsafe(self._publish(subject, data), self._loop)

    def close(self) -> None:
        with self._count:
            if self._closed:
                return
            self._closed = True
        for end in (self._client.drain, self._client.close):
            try:
                self._do(end())
                break
            except (OSError, TimeoutError, Error) as error:
                why = error or type(error).__name__
                _LOG.warning("NATS: the last messages may be lost: %s", why)
        self._end_thread()

    async def _connect(self, url: str) -> Client:
        async def failed(error: Exception) -> None:
            _LOG.warning("NATS: %s", error or type(error).__name__)

        connecting = nats.connect(
            url,
            name="qot.coordination",
            max_reconnect_attempts=-1,
            error_cb=failed,
            drain_timeout=max(1, round(self._timeout_s)),
        )
        try:
            return await asyncio.wait_for(connecting, self._timeout_s)
        except TimeoutError:  # it would try for ever
            raise OSError(f"nobody answers within {self._timeout_s:g} s") from None

    async def _publish(self, subject: str, data: bytes) -> None:
        try:
            await self._client.publish(subject, data)
        except (OSError, Error) as error:
            with self._count:
                self._lost += 1
            if not self._losing:
                why = error or type(error).__name__
                _LOG.warning("NATS: messages are lost, from one on %s: %s", subject, why)
            self._losing = True
        else:
            if self._losing:
                _LOG.warning("NATS: messages are sent again; lost so far: %d", self.lost)
            self._losing = False

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(self._timeout_s + 3)

    def _end_thread(self) -> None:
        self._do(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _shown(url: str) -> str:
    """Without user and password."""
    scheme, mark, rest = url.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]


async def _cancel_others() -> None:
    """End what the client left running: a connection attempt, for one."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
