"""chronyd's protocol: golden bytes, round trips, and replies that are none."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qot.sources.cmdmon import PACKET_BYTES, WireFloat, parse_tracking, tracking_request
from qot.sources.errors import SourceRefusedError, SourceReplyError, SourceVersionError

SEQUENCE = 0x01020304
U32 = st.integers(0, 2**32 - 1)


def test_the_request_byte_by_byte() -> None:
    request = tracking_request(SEQUENCE)
    assert request[:4] == bytes([6, 1, 0, 0])  # version, request, reserved
    assert request[4:6] == bytes([0, 33])  # tracking
    assert request[6:8] == bytes([0, 0])  # attempt
    assert request[8:12] == bytes([1, 2, 3, 4])
    assert request[12:] == bytes(92)
    assert len(request) == PACKET_BYTES


def test_a_reply_byte_by_byte() -> None:
    data = bytes([6, 2, 0, 0, 0, 33, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0])
    data += bytes([1, 2, 3, 4]) + bytes(8)
    data += bytes([192, 0, 2, 7])  # reference id
    data += bytes([192, 0, 2, 7]) + bytes(12) + bytes([0, 1, 0, 0])  # address, IPv4
    data += bytes([0, 3, 0, 1])  # stratum 3, a second will be inserted
    data += bytes([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3])  # 2^32 + 2 seconds, 3 ns
    data += bytes([0x02, 0x80, 0, 0])  # 2^23 × 2^(1 - 25) = 0.5
    data += bytes([0x03, 0x80, 0, 0])  # -2^23 × 2^(1 - 25) = -0.5
    data += bytes([0xFE, 0x00, 0, 1])  # 1 × 2^(-1 - 25)
    data += bytes(4 * 6)
    tracking = parse_tracking(data, SEQUENCE)
    assert tracking is not None
    assert (tracking.reference_id, tracking.family) == (0xC0000207, 1)
    assert tracking.address[:4] == bytes([192, 0, 2, 7])
    assert (tracking.stratum, tracking.leap) == (3, 1)
    assert tracking.reference_time_ns == (2**32 + 2) * 10**9 + 3
    assert tracking.correction == WireFloat(2**23, 1)
    assert tracking.last_offset == WireFloat(-(2**23), 1)
    assert tracking.rms_offset == WireFloat(1, -1)
    assert tracking.update_interval == WireFloat(0, 0)


def test_a_time_without_high_seconds_is_a_32_bit_one(tracking_packet: Any) -> None:
    tracking = parse_tracking(bytes(tracking_packet(reference_time=(2**31 - 1, 5, 6))), SEQUENCE)
    assert tracking is not None
    assert tracking.reference_time_ns == 5_000_000_006


@given(
    reference_id=U32,
    address=st.binary(min_size=16, max_size=16),
    family=st.integers(0, 2**16 - 1),
    stratum=st.integers(0, 2**16 - 1),
    leap=st.integers(0, 3),
    seconds=st.integers(0, 2**62 - 1),
    nanoseconds=st.integers(0, 10**9 - 1),
    bits=st.lists(U32, min_size=9, max_size=9),
)
def test_every_field_comes_through(
    tracking_packet: Any,
    reference_id: int,
    address: bytes,
    family: int,
    stratum: int,
    leap: int,
    seconds: int,
    nanoseconds: int,
    bits: list[int],
) -> None:
    packet = tracking_packet(
        reference_id=reference_id,
        address=address,
        family=family,
        stratum=stratum,
        leap=leap,
        reference_time=(seconds >> 32, seconds & 0xFFFFFFFF, nanoseconds),
    )
    data = bytes(packet)[:68] + struct.pack(">9I", *bits)
    tracking = parse_tracking(data, SEQUENCE)
    assert tracking is not None
    assert (tracking.reference_id, tracking.address, tracking.family) == (
        reference_id,
        address,
        family,
    )
    assert (tracking.stratum, tracking.leap) == (stratum, leap)
    assert tracking.reference_time_ns == seconds * 10**9 + nanoseconds
    for name, word in zip(packet.FLOATS, bits, strict=True):
        number = getattr(tracking, name)
        assert -(2**24) <= number.coefficient < 2**24
        assert (number.exponent & 0x7F) << 25 | (number.coefficient & 0x1FFFFFF) == word


@given(st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-15))
def test_a_number_is_within_what_its_rounding_leaves_open(
    tracking_packet: Any, value: float
) -> None:
    data = bytes(tracking_packet(correction=value))
    tracking = parse_tracking(data, SEQUENCE)
    assert tracking is not None
    low, high = tracking.correction.nanoseconds
    assert low <= Fraction(value) * 10**9 <= high
    assert high - low <= abs(value) * 1e9 / 2**22 + 2
    assert tracking.correction.most_ns >= math.floor(abs(value) * 1e9)


def test_a_zero_is_exact_and_a_thousand_seconds_are_not() -> None:
    assert WireFloat(0, 0).nanoseconds == (0, 0)
    thousand = WireFloat(1000 << 14, 11)
    assert thousand.nanoseconds == (10**12 - 61_036, 10**12 + 61_036)


@pytest.mark.parametrize("size", [0, 1, 27])
def test_less_than_a_head_is_no_reply(tracking_packet: Any, size: int) -> None:
    with pytest.raises(SourceReplyError, match=f"reply of {size} bytes"):
        parse_tracking(bytes(tracking_packet())[:size], SEQUENCE)


@given(size=st.integers(28, 200).filter(lambda size: size != PACKET_BYTES))
def test_another_length_is_another_reply(tracking_packet: Any, size: int) -> None:
    data = bytes(tracking_packet()).ljust(size, b"\0")[:size]
    with pytest.raises(SourceReplyError, match=f"of {size} bytes"):
        parse_tracking(data, SEQUENCE)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"kind": 1}, SourceReplyError, "kind 1"),
        ({"command": 14}, SourceReplyError, "command 14"),
        ({"reply": 6}, SourceReplyError, "reply 6"),
        ({"leap": 4}, SourceReplyError, "leap status is 4"),
        ({"reference_time": (0, 0, 10**9)}, SourceReplyError, "nanoseconds 1000000000"),
        ({"version": 5}, SourceVersionError, "version 5"),
        ({"version": 5, "status": 18}, SourceVersionError, "version 5"),
        ({"status": 2}, SourceRefusedError, "status 2 .not authorised."),
        ({"status": 77}, SourceRefusedError, "status 77"),
    ],
)
def test_a_reply_that_is_none_says_why(
    tracking_packet: Any, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        parse_tracking(bytes(tracking_packet(**changes)), SEQUENCE)


def test_the_reply_to_an_earlier_question_is_not_this_one(tracking_packet: Any) -> None:
    assert parse_tracking(bytes(tracking_packet(sequence=SEQUENCE + 1)), SEQUENCE) is None


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_raise_a_named_error(data: bytes) -> None:
    with suppress(SourceReplyError, SourceVersionError, SourceRefusedError):
        parse_tracking(data, SEQUENCE)
