"""The desk: one port, many timelines."""

from __future__ import annotations

import pytest

from qot.clock import MonotonicClock
from qot.exchange import GLOBAL, LOCAL, Counters, No, Requester, Seal
from qot.hard_bound import Sample
from qot.page_layout import timeline_id
from qot.sync_server import Desk, Utc

KEY = bytes(16)


def desk(mine: str = "cell", utc: Utc | None = None) -> Desk:
    number = timeline_id(mine)
    return Desk(KEY, 3, MonotonicClock(), lambda each: each == number, utc)


def ask(desk: Desk, name: str, scope: int = LOCAL) -> tuple[Sample | None, Requester]:
    requester = Requester(Seal(name, KEY, scope))
    clock = MonotonicClock()
    packet = requester.request(5)
    requester.sent(5, clock.now_ns())
    answer = desk.answer(packet, clock.now_ns())
    assert answer is not None
    return requester.answer(answer, clock.now_ns()), requester


def test_its_own_timeline_is_its_core_clock() -> None:
    made = desk()
    sample, requester = ask(made, "cell")
    assert sample is not None
    assert sample.t1_ns <= sample.t2_ns <= sample.t3_ns <= sample.t4_ns
    assert sample.epoch == 3
    assert requester.refused is None
    assert made.counters(timeline_id("cell"), LOCAL).accepted == 1
    assert made.counters(timeline_id("other"), LOCAL) == Counters()


@pytest.mark.parametrize(
    ("name", "scope", "why"),
    [("other", LOCAL, No.NOT_THE_REFERENCE), ("gl_utc", GLOBAL, No.NO_UTC)],
)
def test_what_it_can_not_answer_it_refuses(name: str, scope: int, why: No) -> None:
    sample, requester = ask(desk(), name, scope)
    assert sample is None
    assert requester.refused is why
    assert requester.counters.accepted == 0


def test_utc_is_answered_with_its_error_on_both_sides() -> None:
    utc = Utc(2_000_000)
    before = utc.now_ns()
    sample, _ = ask(desk(utc=utc), "gl_utc", GLOBAL)
    after = utc.now_ns()
    assert sample is not None
    assert before + 2_000_000 <= sample.t2_ns <= after + 2_000_000
    assert before - 2_000_000 <= sample.t3_ns <= after - 2_000_000


def test_strangers_are_counted_and_not_remembered() -> None:
    made = desk()
    for packet in (
        b"noise",
        Seal("cell", bytes(15) + b"x").pack(1, 7),
        Seal("cell", KEY).pack(2, 7),
    ):
        assert made.answer(packet, 0) is None
    assert (made.strangers.malformed, made.strangers.forged) == (2, 1)
    assert made.counters(timeline_id("cell"), LOCAL) == Counters()


def test_a_refusal_can_not_be_forged_or_misread() -> None:
    requester = Requester(Seal("cell", KEY))
    requester.sent(5, 0)
    assert requester.answer(Seal("cell", bytes(15) + b"x").pack(3, 5, 1, 1), 10) is None
    assert requester.refused is None
    assert requester.counters.forged == 1
    assert requester.answer(Seal("cell", KEY).pack(3, 5, 1, 99), 10) is None
    assert requester.refused is None
    assert requester.counters.malformed == 1
