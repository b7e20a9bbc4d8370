"""The relay with real sockets: it carries, both ways, for many, and does what it was asked to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from qot.faults.link import Way
from qot.faults.relay import Relay, main

TIMEOUT_S = 30
NOW = Way(delay_ns=0)


def udp() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(TIMEOUT_S)
    made.bind(("127.0.0.1", 0))
    return made


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """A target and two senders."""
    made = udp(), udp(), udp()
    yield made
    for each in made:
        each.close()


def test_it_carries_both_ways_and_keeps_senders_apart(
    ends: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    target, *senders = ends
    with Relay(target.getsockname(), NOW, Way(delay_ns=1_000_000)) as relay:
        seen = set()
        for number, sender in enumerate(senders):
            sender.sendto(b"ask %d" % number, relay.address)
            data, address = target.recvfrom(100)
            assert data == b"ask %d" % number
            seen.add(address)
            target.sendto(b"answer %d" % number, address)
        assert len(seen) == 2
        for number, sender in enumerate(senders):
            assert sender.recvfrom(100) == (b"answer %d" % number, relay.address)
        figures = relay.figures()
    assert figures["forward"]["sent"] == figures["backward"]["sent"] == 2
    assert figures["both"]["refused"] == 0


def test_a_way_can_be_changed_while_it_runs(
    ends: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    target, sender, _ = ends
    with Relay(target.getsockname(), Way(loss=1), NOW) as relay:
        sender.sendto(b"lost", relay.address)
        while relay.figures()["forward"]["lost"] < 1:
            pass
        relay.forward = Way(delay_ns=0, duplicate=1)
        sender.sendto(b"twice", relay.address)
        assert [target.recv(100), target.recv(100)] == [b"twice", b"twice"]


def test_overtaking_packets(ends: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    target, sender, _ = ends
    with Relay(target.getsockname(), Way(delay_ns=2_000_000_000), NOW) as relay:
        sender.sendto(b"first", relay.address)
        while relay.figures()["forward"]["sent"] < 1:
            pass
        relay.forward = NOW
        sender.sendto(b"second", relay.address)
        assert [target.recv(100), target.recv(100)] == [b"second", b"first"]


def test_a_target_that_is_not_there_is_survived(
    ends: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    target, sender, gone = ends
    address = gone.getsockname()
    gone.close()
    with Relay(address, NOW, NOW) as relay:
        while relay.refused == 0:
            sender.sendto(b"x", relay.address)
        relay.target = target.getsockname()
        other = udp()
        other.sendto(b"y", relay.address)
        assert target.recv(100) == b"y"
        other.close()


def test_an_address_in_use_is_an_error(
    ends: tuple[socket.socket, socket.socket, socket.socket], capsys: pytest.CaptureFixture[str]
) -> None:
    target, used, _ = ends
    with pytest.raises(OSError, match="in use"):
        Relay(target.getsockname(), NOW, NOW, bind=used.getsockname())
    port = used.getsockname()[1]
    assert main(["--to", "127.0.0.1:9", "--listen", f"127.0.0.1:{port}"]) == 1
    assert "give a free --listen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "nowhere"], "write host:port"),
        (["--to", "a:1", "--loss", "0.3"], "write a percentage"),
        (["--to", "a:1", "--loss", "130%"], "give a chance from 0 to 1"),
        (["--to", "a:1", "--round-trip", "20"], "units"),
        (["--to", "a:1", "--asymmetry", "200%"], "give -1 to 1"),
        ([], "--to"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(options)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_the_command_says_where_it_listens_and_at_the_end_what_it_did(
    ends: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    target, sender, _ = ends
    host, port = target.getsockname()
    command = [sys.executable, "-m", "qot.faults.relay", "--to", f"{host}:{port}"]
    command += ["--round-trip", "2ms", "--asymmetry", "100%", "--duplicate", "100%", "--seed", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        listen = json.loads(process.stdout.readline())["listen"]
        sender.sendto(b"hello", tuple(listen))
        assert [target.recv(100), target.recv(100)] == [b"hello", b"hello"]
        process.send_signal(signal.SIGTERM)
        figures = json.loads(process.stdout.readline())
        assert process.wait(TIMEOUT_S) == 0
    assert figures["forward"] == {
        "sent": 1,
        "lost": 0,
        "duplicated": 1,
        "replayed": 0,
        "forged": 0,
    }
