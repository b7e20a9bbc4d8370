"""Frames: whatever pieces the stream arrives in, the same frames come out, and nonsense ends it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.frames import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    FrameDecoder,
    FrameError,
    frame_head,
)

FRAMES = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=200)), max_size=12)


def stream_of(frames: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(frame_head(header, len(payload)) + payload for header, payload in frames)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[begin:end] for begin, end in itertools.pairwise(places)]


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 3000), max_size=40))
def test_any_split_of_the_stream_gives_the_same_frames(
    frames: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    decoder = FrameDecoder()
    decoded = [frame for piece in pieces(stream_of(frames), cuts) for frame in decoder.feed(piece)]
    assert decoded == frames


@given(frames=FRAMES)
def test_byte_by_byte(frames: list[tuple[bytes, bytes]]) -> None:
    decoder = FrameDecoder()
    decoded = []
    for byte in stream_of(frames):
        decoded += decoder.feed(bytes([byte]))
    assert decoded == frames


@given(frames=FRAMES, cut=st.integers(1, 3000))
def test_an_incomplete_frame_is_never_given(frames: list[tuple[bytes, bytes]], cut: int) -> None:
    stream = stream_of(frames)[:-cut]
    decoded = list(FrameDecoder().feed(stream))
    assert decoded == frames[: len(decoded)]
    assert len(stream_of(decoded)) <= len(stream)


@given(chunks=st.lists(st.binary(max_size=64), max_size=20))
def test_random_bytes_are_frames_or_a_frame_error(chunks: list[bytes]) -> None:
    decoder = FrameDecoder()
    taken = 0
    try:
        for chunk in chunks:
            taken += sum(len(stream_of([frame])) for frame in decoder.feed(chunk))
    except FrameError:
        return
    assert taken <= sum(map(len, chunks))


@pytest.mark.parametrize(
    ("header", "payload"), [(MAX_HEADER_BYTES + 1, 0), (0, MAX_PAYLOAD_BYTES + 1), (2**32 - 1, 0)]
)
def test_lengths_beyond_the_limit_are_refused_before_anything_is_kept(
    header: int, payload: int
) -> None:
    lengths = header.to_bytes(4, "big") + payload.to_bytes(4, "big")
    with pytest.raises(FrameError, match="beyond the limit"):
        list(FrameDecoder().feed(lengths))


def test_frames_before_nonsense_are_given() -> None:
    stream = stream_of([(b"h", b"p")]) + b"\xff" * 8
    given_first = []
    with pytest.raises(FrameError):
        given_first.extend(FrameDecoder().feed(stream))
    assert given_first == [(b"h", b"p")]


def test_payloads_are_copies_that_outlive_the_buffer() -> None:
    buffer = bytearray(stream_of([(b"h", b"payload")]))
    [(_, payload)] = FrameDecoder().feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert payload == b"payload"
