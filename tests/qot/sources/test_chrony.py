"""What a tracking reply is worth, and daemons that answer badly or not at all."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qot.instant import UNBOUNDED_NS, Status
from qot.sources.base import Report
from qot.sources.chrony import ChronySettings, ChronySource, tracking_report
from qot.sources.cmdmon import LOCAL_REFERENCE, Tracking, parse_tracking
from qot.sources.errors import (
    SourceRefusedError,
    SourceReplyError,
    SourceUnreachableError,
    SourceVersionError,
)

NOW_NS = 1_700_000_001 * 10**9
STEERED = ChronySettings(slew_ppb=100_000)
FREE = ChronySettings(slew_ppb=0)
QUIET = {"root_delay": 0.25, "root_dispersion": 0.125}
"""Numbers that chrony's floats hold exactly."""
ROUNDING_NS = 30


@pytest.fixture
def parse(tracking_packet: Any) -> Callable[..., Tracking]:
    def make(**fields: Any) -> Tracking:
        packet = tracking_packet(**fields)
        tracking = parse_tracking(bytes(packet), packet.sequence)
        assert tracking is not None
        return tracking

    return make


def error_ns(tracking: Tracking, settings: ChronySettings = STEERED) -> int:
    return tracking_report(tracking, settings, NOW_NS).error_ns


def test_the_error_is_half_the_delay_and_the_dispersion_and_never_less(parse: Any) -> None:
    error = error_ns(parse(**QUIET), FREE)
    assert 250_000_000 <= error <= 250_000_000 + ROUNDING_NS


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("field", ["correction", "last_offset"])
def test_the_corrections_magnitude_is_in_the_error_of_a_daemon_that_steers(
    parse: Any, field: str, sign: int
) -> None:
    more = error_ns(parse(**QUIET, **{field: sign * 0.5})) - error_ns(parse(**QUIET))
    assert 500_000_000 <= more <= 500_000_000 + 4 * ROUNDING_NS


def test_a_free_running_daemons_correction_is_applied_and_only_its_rounding_is_error(
    parse: Any,
) -> None:
    quiet, far = parse(**QUIET), parse(**QUIET, correction=1000.0)
    report = tracking_report(far, FREE, NOW_NS)
    assert abs(report.correction_ns - 10**12) <= 1
    assert 61_000 <= report.error_ns - error_ns(quiet, FREE) <= 62_000


def test_the_correction_has_the_sign_that_makes_a_slow_clock_later(parse: Any) -> None:
    assert tracking_report(parse(correction=0.5), FREE, NOW_NS).correction_ns == 500_000_000
    assert tracking_report(parse(correction=-0.5), FREE, NOW_NS).correction_ns == -500_000_000


def test_the_age_is_counted_from_the_reference_time(parse: Any) -> None:
    tracking = parse(reference_time=(0, 1_700_000_000, 0), update_interval=16.0)
    report = tracking_report(tracking, STEERED, NOW_NS)
    assert report.age_ns == 10**9
    assert report.age_growth_ppb == 50_000
    assert 16 * 10**9 <= report.interval_ns <= 16 * 10**9 + 2000
    assert report.update == 1_700_000_000 * 10**9


def test_a_reference_time_in_the_future_says_nothing_about_the_age(parse: Any) -> None:
    tracking = parse(reference_time=(0, 1_700_000_002, 0))
    assert tracking_report(tracking, STEERED, NOW_NS).age_ns == UNBOUNDED_NS


@pytest.mark.parametrize("fields", [{"leap": 3}, {"stratum": 0}, {"reference_id": LOCAL_REFERENCE}])
def test_who_does_not_know_the_time_is_unsynchronized(parse: Any, fields: dict[str, int]) -> None:
    assert tracking_report(parse(**fields), STEERED, NOW_NS) == Report(Status.UNSYNCHRONIZED)


def test_a_server_whose_clock_is_the_timeline_is_synchronized_with_itself(parse: Any) -> None:
    settings = replace(STEERED, local_is_truth=True)
    report = tracking_report(parse(reference_id=LOCAL_REFERENCE), settings, NOW_NS)
    assert report == Report(Status.SYNCHRONIZED, update=NOW_NS)


class FakeDaemon:
    """Answers each request with what a function makes of its sequence number."""

    def __init__(self, answer: Callable[[int], list[bytes]]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.socket.getsockname()
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, client = self.socket.recvfrom(1000)
            if data == b"end":
                return
            for packet in self._answer(struct.unpack_from(">I", data, 8)[0]):
                self.socket.sendto(packet, client)

    def end(self) -> None:
        self.socket.sendto(b"end", self.address)
        self._thread.join()
        self.socket.close()


@pytest.fixture
def ask() -> Iterator[Callable[..., Tracking]]:
    """Asks a fake daemon that answers so."""
    made: list[Any] = []

    def run(answer: Callable[[int], list[bytes]], timeout_ns: int = 10**10) -> Tracking:
        daemon = FakeDaemon(answer)
        source = ChronySource(ChronySettings(address=daemon.address, timeout_ns=timeout_ns))
        made.extend([daemon, source])
        return source.tracking()

    yield run
    for one in made:
        one.end() if isinstance(one, FakeDaemon) else one.close()


def test_the_reply_to_this_very_question_is_waited_for(ask: Any, tracking_packet: Any) -> None:
    def answer(sequence: int) -> list[bytes]:
        late = tracking_packet(sequence=sequence ^ 1, stratum=9)
        return [bytes(late), bytes(tracking_packet(sequence=sequence, stratum=4))]

    assert ask(answer).stratum == 4


def test_a_daemon_that_keeps_answering_other_questions_has_not_answered(
    ask: Any, tracking_packet: Any
) -> None:
    with pytest.raises(SourceUnreachableError, match=r"did not answer within 0.02 s"):
        ask(lambda sequence: [bytes(tracking_packet(sequence=sequence ^ 1))] * 3, 20_000_000)


def test_silence_ends_at_the_time_limit(ask: Any) -> None:
    with pytest.raises(SourceUnreachableError, match=r"did not answer within 0.02 s"):
        ask(lambda sequence: [], 20_000_000)


def test_rubbish_is_named(ask: Any, tracking_packet: Any) -> None:
    with pytest.raises(SourceReplyError, match="reply of 4 bytes"):
        ask(lambda sequence: [b"what"])


def test_another_version_and_a_refusal_are_named(ask: Any, tracking_packet: Any) -> None:
    with pytest.raises(SourceVersionError):
        ask(lambda sequence: [bytes(tracking_packet(sequence=sequence, version=5))])
    with pytest.raises(SourceRefusedError):
        ask(lambda sequence: [bytes(tracking_packet(sequence=sequence, status=2))])


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
    source = ChronySource(ChronySettings(address=("127.0.0.1", port)))
    with pytest.raises(SourceUnreachableError, match="start it or correct the address"):
        source.tracking()
    source.close()


@pytest.mark.parametrize(
    "address", [("no.such.host.invalid", 323), Path("/nonexistent/chronyd.sock")]
)
def test_an_address_that_is_none_is_unreachable(address: Any) -> None:
    with pytest.raises(SourceUnreachableError, match="can't be asked"):
        ChronySource(ChronySettings(address=address))


def test_a_unix_socket_without_daemon_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachableError):
        ChronySource(ChronySettings(address=tmp_path / "chronyd.sock"))
    assert list(tmp_path.iterdir()) == []
