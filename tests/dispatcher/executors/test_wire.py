"""Frames, tails and the progress page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.executors.wire import Frames, Progress, Tail, frame


@given(st.lists(st.binary(max_size=50), max_size=10), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(bodies, data):
    stream = b"".join(map(frame, bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames = Frames()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += frames.feed(memoryview(stream)[start:end])
    assert received == bodies


@given(st.lists(st.binary(max_size=20)), st.integers(1, 30))
def test_a_tail_keeps_the_end(parts, limit):
    tail = Tail(limit)
    for part in parts:
        tail.feed(part)
    assert tail.text == b"".join(parts)[-limit:].decode("utf-8", "replace")


def test_the_progress_page_tells_the_call_and_its_start():
    page = memoryview(bytearray(64))
    writer, reader = Progress(page), Progress(page)
    assert reader.read() == (0, 0)
    writer.enter(7, 10**18)
    assert reader.read() == (7, 10**18)
    writer.leave()
    assert reader.read() == (0, 0)


def test_a_body_too_large_for_its_length_field_is_refused():
    class Huge(bytes):
        def __len__(self) -> int:
            return 2**32

    with pytest.raises(ValueError, match="at most 4 GiB"):
        frame(Huge())
