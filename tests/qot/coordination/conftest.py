"""Stores and servers for the coordination service's tests; real ones are started here."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from qot.coordination.app import make_app
from qot.coordination.coordinator import Coordinator
from qot.coordination.openapi import document
from qot.coordination.routes import PREFIX
from qot.coordination.sqlite_store import SqliteStore

DEADLINE_S = 60
KEY = "a-key-for-tests-only"


def wait_for(state: Callable[[], bool], what: str) -> None:
    """Poll until ``state()`` holds; fails after a deadline that only a bug reaches."""
    end = time.monotonic() + DEADLINE_S
    while not state():
        assert time.monotonic() < end, f"{what} did not come within {DEADLINE_S} s"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def wait() -> Callable[[Callable[[], bool], str], None]:
    return wait_for


class Clock:
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 10**12

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Told:
    """A publisher that remembers."""

    lost = 0

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, object]]] = []

    def publish(self, subject, message):
        self.messages.append((subject, dict(message)))

    def about(self, subject):
        return [message for told, message in self.messages if told == subject]

    def close(self):
        pass


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "own.sqlite", "http://here:1")
    yield made
    made.close()


@pytest.fixture
def coordinator(store, told, clock) -> Coordinator:
    return Coordinator(store, told, clock_ns=clock)


class Rest:
    """Calls the application without sockets; holds every answer against the OpenAPI document."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.document = document("0")
        self._client = make_app(coordinator, KEY).test_client()
        self._headers = {"Authorization": f"Bearer {KEY}"}

    def __call__(self, method, path, body=None, *, headers=None):
        """(status, answer)"""
        answer = self._client.open(
            PREFIX + path,
            method=method,
            json=body,
            headers=self._headers if headers is None else headers,
        )
        self._check(method, path.partition("?")[0], answer)
        return answer.status_code, answer.get_json()

    def raw(self, method, path, **settings):
        answer = self._client.open(PREFIX + path, method=method, headers=self._headers, **settings)
        return answer.status_code, answer.get_json()

    def _check(self, method, path, answer):
        responses = self._operation(method, path)["responses"]
        described = responses.get(str(answer.status_code), responses["default"])
        if answer.status_code < 400:
            assert str(answer.status_code) in responses
        schema = described["content"]["application/json"]["schema"]
        whole = {**schema, "components": self.document["components"]}
        jsonschema.Draft202012Validator(whole).validate(answer.get_json())

    def _operation(self, method, path):
        """As a reader of the document would find it."""
        parts = (PREFIX + path).strip("/").split("/")
        for pattern, operations in self.document["paths"].items():
            wanted = pattern.strip("/").split("/")
            if len(wanted) == len(parts) and all(
                w.startswith("{") or w == p for w, p in zip(wanted, parts, strict=True)
            ):
                return operations.get(method.lower(), next(iter(operations.values())))
        raise AssertionError(f"{path} is not in the document")


@pytest.fixture
def rest(coordinator) -> Rest:
    return Rest(coordinator)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A real server on a port of its own, that can be stopped and started again."""

    def __init__(self, command: Callable[[int], list[str]], log: Path) -> None:
        self.port = free_port()
        self._command, self._log = command(self.port), log
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for(self._is_up, f"{self._command[0]} on port {self.port}")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _is_up(self) -> bool:
        ended = self._process.poll()
        assert ended is None, f"ended with {ended}: {self._log.read_text()[-2000:]}"
        return accepts(self.port)


ZOOKEEPER_JAR = Path("/usr/share/java/zookeeper.jar")


@pytest.fixture(scope="session")
def zookeeper_server(tmp_path_factory) -> Iterator[Server]:
    """Debian's package ``zookeeper``."""
    java = shutil.which("java")
    if java is None or not ZOOKEEPER_JAR.exists():
        pytest.skip("needs ZooKeeper: apt-get install zookeeper")
    folder = tmp_path_factory.mktemp("zookeeper")

    def command(port):
        config = folder / "zoo.cfg"
        config.write_text(
            f"tickTime=200\ndataDir={folder}\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\nmaxClientCnxns=0\nminSessionTimeout=400\n"
        )
        entry = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        return [java, "-Xmx128m", "-cp", str(ZOOKEEPER_JAR), entry, str(config)]

    made = Server(command, folder / "log")
    yield made
    made.stop()


def start_nats(folder: Path) -> Server:
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None:
        pytest.skip("needs NATS: apt-get install nats-server")
    return Server(lambda port: [program, "-a", "127.0.0.1", "-p", str(port)], folder / "log")


@pytest.fixture
def nats_server(tmp_path) -> Iterator[Server]:
    """Debian's package ``nats-server``."""
    made = start_nats(tmp_path)
    yield made
    made.stop()
