"""What qot.h makes of good, bad and changing pages."""

from __future__ import annotations

import ctypes
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qot.clock import monotonic_ns
from qot.instant import Status
from qot.page import PageWriter
from qot.page_layout import MAGIC, ORIGIN_CRC_AT, SIZE_BYTES, origin_crc
from qot.params import ClockParams

PARAMS = ClockParams(Status.HOLDOVER, 1, -2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clock.page"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "TRUNCATED"),
        (struct.pack("<8sII", MAGIC, 2, SIZE_BYTES), "TRUNCATED"),
        (struct.pack("<8sII", MAGIC, 1, 256).ljust(256, b"\0"), "VERSION"),
        (struct.pack("<8sII", MAGIC, 2, SIZE_BYTES).ljust(SIZE_BYTES, b"\0"), "FOREIGN"),
        (struct.pack("<8sII", MAGIC, 2, SIZE_BYTES + 1).ljust(SIZE_BYTES, b"\0"), "TRUNCATED"),
        (b"#!/bin/sh\n".ljust(SIZE_BYTES, b"x"), "FOREIGN"),
    ],
)
def test_files_that_are_not_pages(
    path: Path, open_c: Any, c_error: type[Exception], content: bytes, error: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(c_error, match=error):
        open_c(path)


def test_a_page_that_is_not_there(path: Path, open_c: Any, c_error: type[Exception]) -> None:
    with pytest.raises(c_error, match="MISSING"):
        open_c(path)
    with pytest.raises(c_error, match="SYSTEM"):
        open_c(path.parent)


@pytest.mark.parametrize(("at", "value", "error"), [(232, 9, "FOREIGN"), (240, 2, "VERSION")])
def test_a_page_of_another_boot_or_kind_of_clock(
    path: Path, open_c: Any, c_error: type[Exception], at: int, value: int, error: str
) -> None:
    PageWriter(path, "wall").close()
    page = bytearray(path.read_bytes())
    struct.pack_into("<q", page, at, value)
    path.write_bytes(page)
    with pytest.raises(c_error, match="FOREIGN"):  # the checksum speaks first
        open_c(path)
    struct.pack_into("<I", page, ORIGIN_CRC_AT, origin_crc(page))
    path.write_bytes(page)
    with pytest.raises(c_error, match=error):
        open_c(path)


def test_the_page_of_another_timeline(path: Path, open_c: Any, c_error: type[Exception]) -> None:
    PageWriter(path, "wall").close()
    open_c(path, "wall")
    with pytest.raises(c_error, match="FOREIGN"):
        open_c(path, "other")


def test_a_page_that_was_never_written(path: Path, open_c: Any, structures: Any) -> None:
    PageWriter(path, "wall").close()
    c = open_c(path)
    for name in ("now", "refresh"):
        assert c.attempt(name, structures.Params()) == "NEVER_WRITTEN"
    assert c.attempt("wait_until", structures.Wake(), 0, 0, None) == "NEVER_WRITTEN"


def test_new_parameters_are_seen_and_writes_under_way_are_not(
    path: Path, open_c: Any, structures: Any
) -> None:
    with closing(PageWriter(path, "wall")) as writer:
        writer.write(PARAMS)
        c = open_c(path)
        assert c.call("refresh", structures.Params()).numbers()[1:3] == (1, -2)
        writer.write(ClockParams(Status.DISRUPTED, 5, 6))
        assert c.call("refresh", structures.Params()).numbers()[:3] == (3, 5, 6)
    with path.open("r+b") as file:
        file.seek(16)
        file.write(struct.pack("<Q", 5))
    assert c.call("refresh", structures.Params()).numbers()[:3] == (3, 5, 6)
    assert open_c(path).attempt("refresh", structures.Params()) == "TORN"
    with path.open("r+b") as file:  # ended, with a body that does not fit
        file.seek(16)
        file.write(struct.pack("<Q", 6))
    assert c.call("refresh", structures.Params()).numbers()[:3] == (3, 5, 6)
    assert open_c(path).attempt("refresh", structures.Params()) == "TORN"


def test_a_set_whose_entry_is_being_replaced_is_found_in_another_ring(
    path: Path, open_c: Any, structures: Any
) -> None:
    with closing(PageWriter(path, "wall")) as writer:
        for as_of in (10, 20):
            writer.write(ClockParams(Status.SYNCHRONIZED, as_of, as_of))
        writer.write(ClockParams(Status.DISRUPTED, 30, 30))
        writer.write(ClockParams(Status.DISRUPTED, 40, 40))
    c = open_c(path)
    for ring, second in enumerate((2, 1, 1, 1)):  # where the third set is in each
        assert c.call("to_timeline", structures.Instant(), 35).status == 0  # void since 0
        assert c.call("params_at", structures.Params(), 35).numbers()[:2] == (3, 30)
        with path.open("r+b") as file:
            file.seek(512 + 144 * (64 * ring + second) + 64)
            file.write(b"\x77")
    assert c.call("params_at", structures.Params(), 35).numbers()[:2] == (1, 20)


def test_now_is_between_the_reads_around_it(own_page: Any, open_c: Any, structures: Any) -> None:
    own_page.write(10**15, error_ns=500)
    c = open_c(own_page.writer.path, "wall")
    before = monotonic_ns()
    now = c.call("now", structures.Instant())
    after = monotonic_ns()
    assert before <= now.estimate_ns - 10**15 <= after
    assert (now.estimate_ns - now.earliest_ns, now.latest_ns - now.estimate_ns) == (500, 500)
    assert now.status == 1
    own_page.write(0, fresh_until_ns=0)
    assert c.call("now", structures.Instant()).status == 2
    own_page.write(0, fresh_until_ns=0, void_after_ns=0)
    assert c.call("now", structures.Instant()).status == 0


def test_every_error_says_something_of_its_own(library: ctypes.CDLL) -> None:
    messages = {library.driver_message(number) for number in range(13)}
    assert len(messages) == 13
    assert library.driver_message(12) == b"unknown error"
