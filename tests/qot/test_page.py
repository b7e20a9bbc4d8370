"""The clock page: whole or not at all, and a named error for everything that is not a page."""

from __future__ import annotations

import struct
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from qot.clock import ClockModel, EmulatedClock, MonotonicClock
from qot.errors import (
    PageForeignError,
    PageMissingError,
    PageNeverWrittenError,
    PageTornError,
    PageTruncatedError,
    PageVersionError,
)
from qot.instant import Status
from qot.page import PageReader, PageWriter
from qot.page_layout import MAGIC, ORIGIN_CRC_AT, SIZE_BYTES, origin_crc, timeline_id
from qot.params import ClockParams

PARAMS = ClockParams(Status.HOLDOVER, 1, -2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

WRITER = """
import sys
from pathlib import Path
from qot.instant import Status
from qot.page import PageWriter
from qot.params import ClockParams
writer = PageWriter(Path(sys.argv[1]), "t")
number = 0
print("up", flush=True)
while True:
    number += 1
    n = number
    writer.write(ClockParams(Status.SYNCHRONIZED, *[n] * 15), (n,) * 8)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clock.page"


def test_what_is_written_is_read(path: Path) -> None:
    writer = PageWriter(path, "wall")
    writer.write(PARAMS, tuple(range(8)))
    reader = PageReader(path)
    generation, params = reader.read()
    assert params == PARAMS
    assert generation == reader.generation == 2
    assert reader.counters() == tuple(range(8))
    assert reader.timeline_id == timeline_id("wall") != timeline_id("other")
    writer.write(ClockParams(Status.DISRUPTED, 0, 0))
    assert reader.read() == (4, ClockParams(Status.DISRUPTED, 0, 0))
    reader.close()
    writer.close()


def test_a_page_that_is_not_there(path: Path) -> None:
    with pytest.raises(PageMissingError, match="start the time service"):
        PageReader(path)


def test_a_page_that_was_never_written(path: Path) -> None:
    PageWriter(path, "wall").close()
    reader = PageReader(path)
    with pytest.raises(PageNeverWrittenError, match="wait for the time service"):
        reader.read()
    reader.close()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", PageTruncatedError),
        (struct.pack("<8sII", MAGIC, 2, SIZE_BYTES), PageTruncatedError),
        (struct.pack("<8sII", MAGIC, 1, 256).ljust(256, b"\0"), PageVersionError),
        (struct.pack("<8sII", MAGIC, 3, SIZE_BYTES).ljust(SIZE_BYTES, b"\0"), PageVersionError),
        (struct.pack("<8sII", MAGIC, 2, SIZE_BYTES).ljust(SIZE_BYTES, b"\0"), PageForeignError),
        (b"#!/bin/sh\n".ljust(SIZE_BYTES, b"x"), PageForeignError),
    ],
)
def test_files_that_are_not_pages(path: Path, content: bytes, error: type[Exception]) -> None:
    path.write_bytes(content)
    with pytest.raises(error, match=r"clock\.page"):
        PageReader(path)
    PageWriter(path, "wall").close()
    assert path.stat().st_size == SIZE_BYTES


def test_a_restarted_writer_goes_on_where_readers_are(path: Path) -> None:
    first = PageWriter(path, "wall")
    first.write(PARAMS)
    reader = PageReader(path)
    reader.read()
    first.close()
    second = PageWriter(path, "wall")
    second.write(ClockParams(Status.UNSYNCHRONIZED, 7, 7))
    assert reader.read() == (4, ClockParams(Status.UNSYNCHRONIZED, 7, 7))
    reader.close()
    second.close()


def test_the_core_clock_is_on_the_page(path: Path) -> None:
    model = ClockModel(5, -6, 7, 8, 2**64 - 1, 50)
    PageWriter(path, "wall", model).close()
    with closing(PageReader(path)) as reader:
        assert isinstance(reader.clock, EmulatedClock)
        assert reader.clock.model == model
    PageWriter(path, "wall", max_drift_ppb=77).close()
    with closing(PageReader(path)) as reader:
        assert isinstance(reader.clock, MonotonicClock)
        assert reader.clock.max_drift_ppb == 77


@pytest.mark.parametrize(
    ("timeline", "model"), [("other", None), ("wall", ClockModel(1)), ("other", ClockModel(1))]
)
def test_a_page_of_another_timeline_or_clock_is_not_continued(
    path: Path, timeline: str, model: ClockModel | None
) -> None:
    with closing(PageWriter(path, "wall")) as writer:
        writer.write(PARAMS)
    old = PageReader(path)
    PageWriter(path, timeline, model).close()
    assert old.read() == (2, PARAMS)  # of the page that it has mapped; it grows stale there
    with closing(PageReader(path)) as new, pytest.raises(PageNeverWrittenError):
        new.read()
    old.close()


def test_a_page_of_an_earlier_boot_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(PageWriter(path, "wall")) as writer:
        writer.write(PARAMS)
    monkeypatch.setattr("qot.page.boot_id", lambda: 1)
    with pytest.raises(PageForeignError, match="restarted"):
        PageReader(path)


@pytest.mark.parametrize(
    ("change", "error"), [((240, 7), PageVersionError), ((248, 1), PageForeignError)]
)
def test_a_core_clock_that_is_not_one_is_refused(
    path: Path, change: tuple[int, int], error: type[Exception]
) -> None:
    PageWriter(path, "wall").close()
    page = bytearray(path.read_bytes())
    struct.pack_into("<q", page, *change)
    if error is PageVersionError:  # as a later release would write it
        struct.pack_into("<I", page, ORIGIN_CRC_AT, origin_crc(page))
    path.write_bytes(page)
    with pytest.raises(error, match=r"clock\.page"):
        PageReader(path)


@pytest.mark.parametrize(
    "beyond",
    [
        {"as_of_ns": 2**61},
        {"timeline_ns": -(2**63)},
        {"rate_ppb": 10**9},
        {"early_ns": -1},
        {"late_growth_ppb": -1},
        {"early_growth_ppb": 950_000_000},
    ],
)
def test_what_readers_could_not_compute_is_not_written(path: Path, beyond: dict[str, int]) -> None:
    with closing(PageWriter(path, "wall")) as writer, closing(PageReader(path)) as reader:
        writer.write(PARAMS)
        with pytest.raises(ValueError, match="beyond what a clock page holds"):
            writer.write(replace(PARAMS, **beyond))
        assert reader.read() == (2, PARAMS)


def test_a_writer_that_died_while_writing(path: Path) -> None:
    writer = PageWriter(path, "wall")
    writer.write(PARAMS)
    old = PageReader(path)
    old.read()
    with path.open("r+b") as file:
        file.seek(16)
        file.write(struct.pack("<Q", 3))
    assert old.read() == (2, PARAMS)
    new = PageReader(path)
    with pytest.raises(PageTornError, match="restart"):
        new.read()
    writer.close()
    again = PageWriter(path, "wall")
    again.write(PARAMS)
    assert new.read() == (6, PARAMS)
    for each in (old, new, again):
        each.close()


def test_a_body_that_does_not_fit_its_generation_is_not_believed(path: Path) -> None:
    writer = PageWriter(path, "wall")
    writer.write(PARAMS)
    with path.open("r+b") as file:
        file.seek(48)
        file.write(b"\x77")
    reader = PageReader(path)
    with pytest.raises(PageTornError):
        reader.read()
    reader.close()
    writer.close()


def test_no_torn_read_beside_a_writer_that_never_rests(path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        seen: set[int] = set()
        while len(seen) < 10_000:
            reader = PageReader(path)  # a new one keeps nothing to fall back on
            try:
                _, params = reader.read()
            except (PageNeverWrittenError, PageTornError):
                reader.close()
                continue
            numbers = {getattr(params, name) for name in params.__slots__ if name != "status"}
            assert len(numbers) == 1, f"a mixture of {sorted(numbers)}"
            seen |= numbers
            reader.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
