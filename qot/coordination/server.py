"""The coordinator as a process: store, publisher, application, waitress, ticker; and their end."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from waitress.server import BaseWSGIServer, MultiSocketServer, create_server

from jupiter.errors import InputError
from qot.coordination.app import make_app
from qot.coordination.config import Backend, Config, read_key
from qot.coordination.coordinator import Coordinator
from qot.coordination.errors import CoordinationError
from qot.coordination.publisher import Publisher, Silent
from qot.coordination.sqlite_store import SqliteStore
from qot.coordination.store import Store

_LOG = logging.getLogger(__name__)
_THREADS = 8
_TICKS_PER_SESSION = 4


def serve(config: Config, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; call it in the main thread.

    ``ready`` is told the address once requests are taken. Raises InputError when the settings
    can't be used, UnavailableError when ZooKeeper or NATS can't be reached.
    """
    key = read_key(config.key_file)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(config.host, config.port))
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        store = _open_store(config, config.advertise or url)
        stack.callback(store.close)
        publisher = _open_publisher(config)
        stack.callback(publisher.close)
        coordinator = Coordinator(store, publisher, config.limits, backend=config.backend)
        server = create_server(
            make_app(coordinator, key, _version()),
            sockets=[listener],
            threads=_THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        stack.enter_context(_ticking(coordinator, config.session / 1e9 / _TICKS_PER_SESSION))
        _run(server, lambda: ready(url))


def _run(server: MultiSocketServer | BaseWSGIServer, ready: Callable[[], None]) -> None:
    """Until a signal: waitress ends its loop and finishes what it is at on SystemExit."""

    def stop(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ready()
        server.run()
    except SystemExit:
        _LOG.debug("stopped between two requests")
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # one is enough; the end takes a moment
        server.close()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _ticking(coordinator: Coordinator, period_s: float) -> Iterator[None]:
    """Call tick again and again beside what is inside."""
    over = threading.Event()

    def tick() -> None:
        said = ""
        while not over.wait(period_s):
            try:
                coordinator.tick()
                said = ""
            except CoordinationError as error:
                if str(error) != said:  # once, not as long as it lasts
                    said = str(error)
                    _LOG.warning("looking after timelines: %s", said)

    thread = threading.Thread(target=tick, name="tick", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _listen(host: str, port: int) -> socket.socket:
    """Bound before anything else is opened: a port in use costs nothing."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise InputError(
            f"can't listen on {host}:{port}: {error.strerror}",
            "stop what uses it, or give another --port or --host",
            field="port",
        ) from None
    return listener


def _open_store(config: Config, address: str) -> Store:
    if config.backend is Backend.SQLITE:
        return SqliteStore(config.database, address)
    from qot.coordination.zookeeper_store import ZookeeperStore

    return ZookeeperStore(config.zookeeper, address)


def _open_publisher(config: Config) -> Publisher:
    if config.nats is None:
        return Silent()
    from qot.coordination.nats_publisher import NatsPublisher

    return NatsPublisher(config.nats)


def _version() -> str:
    try:
        return version("jupiter-dispersed")
    except PackageNotFoundError:
        return "0"
