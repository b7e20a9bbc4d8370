"""``python -m qot.coordination`` as a process, and the client that talks to it."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from qot.coordination.client import Client, lease_clock_ns
from qot.coordination.errors import Reason, RefusedError, UnavailableError

KEY = "a-key-for-tests-only"
DEADLINE_S = 60


class Process:
    """A coordinator; ``url`` is known once it serves."""

    def __init__(self, folder, *words, key=KEY):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qot.coordination", *words],
            cwd=folder,
            env={**os.environ, "QOT_COORDINATION_KEY": key, "PYTHONPATH": os.getcwd()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.url = line.split()[1].removesuffix("/api/service/") if line else None

    def end(self, number=signal.SIGINT):
        """(exit code, what it said on stderr)"""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        _, said = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, said


@pytest.fixture
def start(tmp_path):
    made = []

    def run(*words, **settings):
        made.append(Process(tmp_path, *words, **settings))
        return made[-1]

    yield run
    for process in made:
        if process.process.poll() is None:
            process.process.kill()
        process.process.communicate()


@pytest.fixture
def service(start):
    return start("--port", "0")


@pytest.fixture
def client(service):
    with Client(service.url, KEY, timeout_s=DEADLINE_S) as made:
        yield made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_tidily(service, number, tmp_path):
    assert service.end(number) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "coordination.sqlite", "coordination.sqlite.lock",
    ]  # fmt: skip


def test_a_port_in_use_is_one_message(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = start("--port", str(port)).wait()
    assert code == 2
    assert said == (
        f"port: can't listen on 127.0.0.1:{port}: Address already in use\n"
        "  fix: stop what uses it, or give another --port or --host\n"
    )


def test_a_database_in_use_is_one_message(service, start):
    code, said = start("--port", "0").wait()
    assert (code, said.splitlines()[0]) == (
        2, "database: another coordinator uses coordination.sqlite",
    )  # fmt: skip


def test_without_a_key_nothing_starts(start, tmp_path):
    code, said = start("--port", "0", key="").wait()
    assert code == 2
    assert "there is no key in QOT_COORDINATION_KEY" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--backend", "zookeeper", "--zookeeper", "127.0.0.1:1"],
                                   ["--nats", "nats://127.0.0.1:1"]])  # fmt: skip
def test_nobody_at_the_other_end_is_one_message(start, words):
    code, said = start("--port", "0", *words).wait()
    assert code == 1
    assert "127.0.0.1:1" in said
    assert "Traceback" not in said


def test_a_missing_extra_is_one_message(tmp_path):
    (tmp_path / "flask.py").write_text("raise ModuleNotFoundError('no flask', name='flask')\n")
    done = subprocess.run(
        [sys.executable, "-m", "qot.coordination"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.getcwd()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "the coordination service needs flask, which is not installed\n"
        "  fix: pip install 'jupiter-dispersed[coordination]'\n"
    )


def test_the_rest_of_qot_needs_no_extra():
    program = (
        "import sys\n"
        "for name in ('flask', 'waitress', 'requests', 'kazoo', 'nats'): sys.modules[name] = None\n"
        "import qot.coordination, qot.coordination.coordinator, qot.coordination.terms\n"
        "import qot.coordination.__main__\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_whole_life_of_a_reference(client):
    client.add_timeline("wall")
    a = client.join("wall", "a", accuracy="1ms")
    b = client.join("wall", "b", accuracy=400_000)
    before_ns = lease_clock_ns()
    view = a.claim(address="h:1")
    assert (view.epoch, view.handover_ns) == (1, 200_000)
    assert before_ns <= a.held.sent_ns <= lease_clock_ns()
    with pytest.raises(RefusedError) as caught:
        b.claim(bound_ns=90_000)
    assert caught.value.reason is Reason.HELD
    assert 0 < caught.value.retry_ns <= 1_800_180_200
    assert a.renew().epoch == 1
    a.release()
    assert a.held is None
    with pytest.raises(RefusedError) as caught:
        b.claim(bound_ns=200_001)
    assert caught.value.reason is Reason.TOO_WIDE
    assert client.reference("wall").node is None
    assert b.heartbeat(bound_ns=90_000, status="synchronized").node.bound_ns == 90_000
    assert client.qot("wall").accuracy == 400_000
    b.leave()
    a.leave()
    client.delete_timeline("wall")
    assert client.timelines() == []


def test_who_was_fenced_out_holds_nothing(client, wait):
    client.add_timeline("wall")
    a, b = client.join("wall", "a"), client.join("wall", "b")
    a.claim()
    a.heartbeat()

    def taken():
        try:
            return b.claim(bound_ns=10).epoch == 2
        except RefusedError as error:
            if error.reason is not Reason.HELD:
                raise
            return False

    wait(taken, "the seat for b")
    with pytest.raises(RefusedError) as caught:
        a.renew()
    assert caught.value.reason is Reason.FENCED
    assert a.held is None
    with pytest.raises(RefusedError, match="claim the seat first"):
        a.renew()


def test_a_lost_session_is_joined_again_under_the_same_id(client):
    client.add_timeline("wall")
    a = client.join("wall", "a", accuracy=300_000)
    a.claim()
    path = "/timelines/wall/nodes/a"
    from qot.coordination.schemas import Done

    client.request("DELETE", path, Done)
    assert a.renew().epoch == 1
    client.request("DELETE", path, Done)
    assert a.heartbeat().node.accuracy == 300_000


def test_killed_and_started_again_it_remembers(start):
    first = start("--port", "0")
    with Client(first.url, KEY, timeout_s=DEADLINE_S) as client:
        client.add_timeline("wall")
        client.add_server("pool.example", 2, "global", "wall")
        a = client.join("wall", "a")
        a.claim()
    first.end(signal.SIGKILL)
    second = start("--port", "0")
    with Client([first.url, second.url], KEY, timeout_s=DEADLINE_S) as client:
        assert client.reference("wall").epoch == 1
        assert [server.name for server in client.servers("wall")] == ["pool.example"]
        a._client = client
        assert a.renew().epoch == 1
        a.release()
        client.delete_server("pool.example", "wall")


def test_nodes_that_fall_silent_are_removed_by_the_clock_alone(start, tmp_path, wait):
    (tmp_path / "c.toml").write_text('session = "200ms"\n')
    service = start("--port", "0", "--config", "c.toml")
    with Client(service.url, KEY, timeout_s=DEADLINE_S) as client:
        client.add_timeline("wall")
        client.join("wall", "a")
        wait(lambda: client.nodes("wall") == [], "the end of the session")


def test_many_at_once(client, service):
    client.add_timeline("wall")
    winners, errors = [], []

    def live(name):
        with Client(service.url, KEY, timeout_s=DEADLINE_S) as own:
            member = own.join("wall", name)
            try:
                winners.append((member.claim(bound_ns=5).epoch, name))
            except RefusedError as error:
                errors.append(error.reason)
            for _ in range(5):
                member.heartbeat(bound_ns=5)

    threads = [threading.Thread(target=live, args=(f"n{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [epoch for epoch, _ in winners] == [1]
    assert errors == [Reason.HELD] * 7
    assert len(client.nodes("wall")) == 8


def test_a_wrong_key_and_a_wrong_address_are_told_apart(service):
    with Client(service.url, "wrong-key", timeout_s=DEADLINE_S) as client:
        assert client.timelines() == []
        with pytest.raises(RefusedError) as caught:
            client.add_timeline("wall")
        assert caught.value.reason is Reason.UNAUTHORIZED
    with (
        Client("http://127.0.0.1:1", KEY) as nobody,
        pytest.raises(UnavailableError, match="no coordinator at"),
    ):
        nobody.timelines()
    with (
        Client(f"{service.url}/elsewhere", KEY, timeout_s=DEADLINE_S) as lost,
        pytest.raises(UnavailableError, match="not found"),
    ):
        lost.timelines()


def test_zookeeper_and_nats_together(start, zookeeper_server, nats_server, wait):
    words = ["--port", "0", "--backend", "zookeeper", "--zookeeper", zookeeper_server.address]
    words += ["--nats", f"nats://{nats_server.address}"]
    first, second = start(*words), start(*words)
    with Client([second.url, first.url], KEY, timeout_s=DEADLINE_S) as client:
        client.add_timeline("wall")
        a = client.join("wall", "a")
        assert a.claim().epoch == 1
        health = client.health()
        assert (health.leads, health.backend, health.lost_messages) == (True, "zookeeper", 0)
        first.end(signal.SIGKILL)

        def renewed():
            try:
                return a.renew().epoch == 1
            except UnavailableError:
                return False
            except RefusedError as error:
                if error.reason is not Reason.STANDBY:
                    raise
                return False

        wait(renewed, "the other coordinator's turn")
    assert second.end() == (0, "")
