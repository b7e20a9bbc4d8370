"""A client's line to the time service of its node: requests, answers, and noticing its end.

One thread, the *keeper* of a binding, reads and calls :meth:`ServiceLink.serve`; any thread may
ask. Nothing here retries: what a lost service means is decided in :mod:`qot.binding`.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from qot.binding_events import Refusal
from qot.errors import (
    BindingError,
    DemandError,
    NotBoundError,
    NoUtcError,
    ProtocolError,
    ReferenceSilentError,
    ServiceGoneError,
    UnknownTimelineError,
    UnmeetableError,
)
from qot.service_clients import socket_address
from qot.service_config import SOCKET_VARIABLE

BIND_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 10.0
_RECEIVE_BYTES = 65_536

Answer = dict[str, Any]

_ERRORS: dict[str, type[BindingError]] = {
    Refusal.DEMAND: DemandError,
    Refusal.UNKNOWN_TIMELINE: UnknownTimelineError,
    Refusal.NO_UTC: NoUtcError,
    Refusal.SILENT: ReferenceSilentError,
    Refusal.NOT_BOUND: NotBoundError,
    Refusal.PROTOCOL: ProtocolError,
}


def socket_path(given: str | Path | None) -> Path:
    """The socket to use. Raises ServiceGoneError when nobody says where it is."""
    found = given or os.environ.get(SOCKET_VARIABLE)
    if not found:
        raise ServiceGoneError(
            f"no socket of a time service is known: give socket=..., or set {SOCKET_VARIABLE} to "
            "the socket_path of this node's time service"
        )
    return Path(found)


def error_of(data: Answer) -> BindingError:
    """The exception that a refusal on the wire stands for."""
    message = str(data.get("message"))
    if data.get("kind") == Refusal.UNMEETABLE:
        return UnmeetableError(message, int(data.get("best_ns", 0)))
    return _ERRORS.get(str(data.get("kind")), BindingError)(message)


class ServiceLink:
    """One connection. Raises ServiceGoneError at once when nobody listens at the path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with socket_address(path) as address:
                self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise ServiceGoneError(
                f"there is no time service at {path}: {error}; start it, or give its socket_path"
            ) from None
        self._left = b""
        self._asked: dict[int, Future[Answer]] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        self.closed = False

    def ask(self, op: str, **fields: Any) -> Future[Answer]:
        """Send a request; its future ends with the answer or with a BindingError."""
        future: Future[Answer] = Future()
        with self._lock:
            if self.closed:
                future.set_exception(self._gone("is gone"))
                return future
            number = next(self._numbers)
            self._asked[number] = future
            line = json.dumps({"id": number, "op": op, **fields}).encode() + b"\n"
            try:
                self._socket.sendall(line)
            except OSError:
                # serve() will find the end of the line too, and fail whatever waits.
                del self._asked[number]
                future.set_exception(self._gone("is gone"))
        return future

    def request(self, op: str, timeout_s: float = ANSWER_TIMEOUT_S, **fields: Any) -> Answer:
        """Ask and wait. Not from the keeper's thread. Raises the BindingError that fits."""
        try:
            return self.ask(op, **fields).result(timeout_s)
        except TimeoutError:
            raise self._gone(f"has not answered for {timeout_s:g} s") from None

    def serve(self, timeout_s: float) -> bool:
        """Wait for answers and deliver them; False when the service is gone."""
        try:
            if not select.select([self._socket], [], [], timeout_s)[0]:
                return True
            data = self._socket.recv(_RECEIVE_BYTES)
        except OSError:
            data = b""  # Broken: the end, as well.
        if not data:
            self.close()
            return False
        *lines, self._left = (self._left + data).split(b"\n")
        for line in lines:
            self._deliver(line)
        return True

    def wait(self, future: Future[Answer], timeout_s: float) -> None:
        """For the thread that is the keeper: serve until the future is done or time is up."""
        end = time.monotonic() + timeout_s
        while not future.done() and time.monotonic() < end:
            if not self.serve(max(0.0, end - time.monotonic())):
                return

    def hang_up(self) -> None:
        """From any thread: end the line, which wakes the thread that serves it."""
        with suppress(OSError):  # It has ended already.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """For the thread that serves: let go. Who waits for an answer gets ServiceGoneError."""
        with self._lock:
            self.closed = True
            asked, self._asked = self._asked, {}
            self._socket.close()
        for future in asked.values():
            future.set_exception(self._gone("went away"))

    def _deliver(self, line: bytes) -> None:
        try:
            data = json.loads(line)
            number = data["id"]
            refused = data.get("error")
        except (ValueError, KeyError, TypeError, AttributeError):
            self.close()
            return
        with self._lock:
            future = self._asked.pop(number, None)
        if future is None:
            return  # Its asker gave up.
        if refused is not None:
            future.set_exception(error_of(refused))
        else:
            future.set_result(data.get("ok", {}))

    def _gone(self, what: str) -> ServiceGoneError:
        return ServiceGoneError(
            f"the time service at {self.path} {what}: the binding comes back by itself when the "
            "service does; start it if nobody else will"
        )


def report(socket: str | Path | None = None, timeout_s: float = 5.0) -> Answer:
    """What the time service of this node costs and delivers (docs/timeline_api.md)."""
    link = ServiceLink(socket_path(socket))
    try:
        future = link.ask("report")
        link.wait(future, timeout_s)
        if not future.done():
            raise ServiceGoneError(
                f"the time service at {link.path} has not answered for {timeout_s:g} s: see "
                "whether it is stopped"
            )
        return future.result()
    finally:
        link.close()
