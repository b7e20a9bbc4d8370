"""The reader's side."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from qot.errors import PageForeignError, PageMissingError
from qot.instant import Status
from qot.timeline import TimelineReader, WaitMode


def test_now_is_between_the_reads_around_it(own_page: Any) -> None:
    own_page.write(10**15, error_ns=500)
    before = time.monotonic_ns()
    instant = own_page.reader.now()
    after = time.monotonic_ns()
    assert before <= instant.estimate_ns - 10**15 <= after
    assert (instant.early_ns, instant.late_ns) == (500, 500)


def test_a_stamp_and_its_instant_agree(own_page: Any) -> None:
    own_page.write(-7, error_ns=3)
    estimate, earliest, latest, monotonic = own_page.reader.stamp()
    instant = own_page.reader.at_monotonic(monotonic)
    assert (estimate, earliest, latest) == (
        instant.estimate_ns,
        instant.earliest_ns,
        instant.latest_ns,
    )
    assert estimate == monotonic - 7


def test_projection_by_mode(own_page: Any) -> None:
    own_page.write(1_000, error_ns=10)
    target = 5 * 10**15
    moments = [own_page.reader.to_monotonic_ns(target, mode) for mode in WaitMode]
    assert moments == [target - 1_000, target - 990, target - 1_010]


def test_before_the_first_synchronisation_no_moment_stands_for_a_time(own_page: Any) -> None:
    own_page.write(0, error_ns=2**60, status=Status.UNSYNCHRONIZED)
    assert own_page.reader.to_monotonic_ns(5) is None
    assert own_page.reader.status() is Status.UNSYNCHRONIZED


def test_staleness_is_seen_by_the_reader(own_page: Any) -> None:
    own_page.write(0, fresh_until_ns=0)
    assert own_page.reader.status() is own_page.reader.now().status is Status.HOLDOVER
    own_page.write(0, fresh_until_ns=0, void_after_ns=0)
    assert own_page.reader.now().status is Status.UNSYNCHRONIZED


def test_the_page_of_another_timeline_is_refused(own_page: Any, tmp_path: Path) -> None:
    with pytest.raises(PageForeignError, match="another timeline"):
        TimelineReader(tmp_path / "own.page", "other")
    with pytest.raises(PageMissingError):
        TimelineReader(tmp_path / "none.page")
