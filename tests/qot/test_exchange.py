"""The wire format, and what is dropped: forged, replayed, stale, malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qot.exchange import (
    ANSWER,
    ANSWER_TIMEOUT_NS,
    PACKET_BYTES,
    REQUEST,
    Counters,
    Requester,
    Responder,
    Seal,
)
from qot.hard_bound import Sample

KEY = bytes(range(32))


def pair(epoch: int = 1) -> tuple[Requester, Responder]:
    return Requester(Seal("wall", KEY)), Responder(Seal("wall", KEY), epoch)


def ask(requester: Requester, responder: Responder, nonce: int, t1_ns: int) -> bytes:
    packet = requester.request(nonce)
    requester.sent(nonce, t1_ns)
    answer = responder.answer(packet, t1_ns + 10, lambda: t1_ns + 20)
    assert answer is not None
    return answer


def test_an_exchange_makes_a_sample() -> None:
    requester, responder = pair(epoch=7)
    answer = ask(requester, responder, 42, 1_000)
    assert len(answer) == len(requester.request(1)) == PACKET_BYTES
    assert requester.answer(answer, 1_030) == Sample(1_000, 1_010, 1_020, 1_030, 7)
    assert requester.counters == Counters(sent=1, accepted=1)
    assert responder.counters == Counters(sent=1, accepted=1)


def test_an_answer_is_believed_once() -> None:
    requester, responder = pair()
    answer = ask(requester, responder, 42, 1_000)
    assert requester.answer(answer, 1_030) is not None
    assert requester.answer(answer, 1_040) is None
    ask(requester, responder, 43, 2_000)
    assert requester.answer(answer, 2_030) is None
    assert requester.counters.replayed == 2


def test_overtaking_answers_find_their_requests() -> None:
    requester, responder = pair()
    first, second = ask(requester, responder, 1, 1_000), ask(requester, responder, 2, 2_000)
    late = requester.answer(second, 2_100)
    early = requester.answer(first, 2_200)
    assert late is not None
    assert early is not None
    assert (late.t1_ns, early.t1_ns) == (2_000, 1_000)


@given(st.integers(0, PACKET_BYTES * 8 - 1))
def test_no_flipped_bit_is_believed(bit: int) -> None:
    requester, responder = pair()
    answer = bytearray(ask(requester, responder, 42, 1_000))
    answer[bit // 8] ^= 1 << bit % 8
    assert requester.answer(bytes(answer), 1_030) is None
    request = bytearray(requester.request(43))
    request[bit // 8] ^= 1 << bit % 8
    assert responder.answer(bytes(request), 0, lambda: 0) is None
    for counters in (requester.counters, responder.counters):
        assert counters.forged + counters.malformed == 1


@given(st.binary(max_size=200))
def test_noise_is_counted_and_dropped(data: bytes) -> None:
    requester, responder = pair()
    assert requester.answer(data, 0) is None
    assert responder.answer(data, 0, lambda: 0) is None
    assert requester.counters.malformed + requester.counters.forged == 1


def test_another_key_or_timeline_or_direction_is_not_ours() -> None:
    requester, responder = pair()
    assert responder.answer(Seal("wall", KEY[::-1]).pack(REQUEST, 1), 0, lambda: 0) is None
    assert responder.answer(Seal("other", KEY).pack(REQUEST, 1), 0, lambda: 0) is None
    assert responder.answer(Seal("wall", KEY).pack(ANSWER, 1), 0, lambda: 0) is None
    assert (responder.counters.forged, responder.counters.malformed) == (1, 2)
    requester.sent(5, 0)
    assert requester.answer(requester.request(5), 10) is None
    assert requester.counters.malformed == 1


def test_an_answer_that_comes_too_late_is_stale() -> None:
    requester, responder = pair()
    answer = ask(requester, responder, 1, 0)
    assert requester.answer(answer, ANSWER_TIMEOUT_NS + 1) is None
    assert requester.counters.stale == 1
    forgotten = ask(requester, responder, 2, 0)
    ask(requester, responder, 3, 2 * ANSWER_TIMEOUT_NS)
    assert requester.counters.lost == 1
    assert requester.answer(forgotten, 2 * ANSWER_TIMEOUT_NS + 5) is None
    assert requester.counters.stale == 2


def test_a_deposed_reference_is_not_believed() -> None:
    requester, new = pair(epoch=2)
    old = Responder(Seal("wall", KEY), epoch=1)
    assert requester.answer(ask(requester, new, 1, 0), 30) is not None
    assert requester.answer(ask(requester, old, 2, 100), 130) is None
    assert requester.counters.stale == 1


def test_open_requests_are_bounded() -> None:
    requester, _ = pair()
    for nonce in range(1_000):
        requester.sent(nonce, nonce)
    assert requester.counters.lost == 1_000 - 64


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        Seal("wall", b"secret")
