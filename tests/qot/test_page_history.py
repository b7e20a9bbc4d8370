"""Past stamps convert with the bound that was valid then, or are refused."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from qot.clock import SECOND_NS
from qot.errors import PageHistoryError
from qot.instant import Status
from qot.page import PageWriter
from qot.page_layout import ENTRY, HISTORY_AT
from qot.params import ClockParams
from qot.timeline import TimelineReader, WaitMode

MS = 1_000_000
FIRST = ClockParams(
    Status.SYNCHRONIZED,
    as_of_ns=0,
    timeline_ns=10**15,
    rate_ppb=20_000,
    early_ns=300,
    late_ns=200,
    early_growth_ppb=120_000,
    late_growth_ppb=80_000,
    sigma_ns=40,
    fresh_until_ns=2**60,
    void_after_ns=2**60,
    epoch=1,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clock.page"


@pytest.fixture
def writer(path: Path) -> Iterator[PageWriter]:
    with closing(PageWriter(path, "wall")) as made:
        yield made


@pytest.fixture
def reader(path: Path, writer: PageWriter) -> Iterator[TimelineReader]:
    with TimelineReader(path, "wall") as made:
        yield made


def publish(writer: PageWriter, as_of_ns: int, **change: object) -> ClockParams:
    params = replace(FIRST, as_of_ns=as_of_ns, timeline_ns=10**15 + as_of_ns, **change)  # type: ignore[arg-type]
    writer.write(params)
    return params


def test_a_stamp_gets_the_parameters_of_its_time(
    writer: PageWriter, reader: TimelineReader
) -> None:
    sets = [publish(writer, n * 100 * MS, early_ns=n) for n in range(1, 40)]
    for params in sets:
        for core in (params.as_of_ns, params.as_of_ns + 99 * MS):
            assert reader.params_at(core) == params
            assert reader.to_timeline(core) == reader.past(core) == params.instant_at(core)
    later = sets[-1].as_of_ns + 10**12
    assert reader.to_timeline(later) == sets[-1].instant_at(later)


def test_what_is_older_than_the_history_is_refused(
    writer: PageWriter, reader: TimelineReader
) -> None:
    publish(writer, 1_000)
    with pytest.raises(PageHistoryError, match="999 is 1 ns before"):
        reader.to_timeline(999)


def test_it_reaches_back_minutes_exactly_at_first(
    writer: PageWriter, reader: TimelineReader
) -> None:
    sets = [publish(writer, n * 125 * MS) for n in range(8 * 60 * 20)]
    now = sets[-1].as_of_ns
    assert [reader.params_at(each.as_of_ns) for each in sets[-64:]] == sets[-64:]
    for age_s, gap_s in ((14, 0.25), (120, 2), (620, 10)):
        core = now - age_s * SECOND_NS
        assert 0 <= core - reader.params_at(core).as_of_ns <= gap_s * SECOND_NS
    with pytest.raises(PageHistoryError):
        reader.to_timeline(now - 660 * SECOND_NS)


@pytest.mark.parametrize(
    "change", [{"status": Status.DISRUPTED}, {"epoch": 2}, {"step_marker": 1}], ids=str
)
def test_a_promise_ends_where_it_was_withdrawn(
    writer: PageWriter, reader: TimelineReader, change: dict[str, object]
) -> None:
    publish(writer, 0)
    broken = publish(writer, 50 * MS, **change)
    for n in range(1, 200):
        publish(writer, n * SECOND_NS, **change)
    assert reader.params_at(49 * MS) == FIRST
    assert reader.params_at(60 * MS) == broken


def test_a_restarted_service_continues_the_history(path: Path) -> None:
    with closing(PageWriter(path, "wall")) as first:
        before = [publish(first, n * SECOND_NS) for n in range(100)]
    with closing(PageWriter(path, "wall")) as second, TimelineReader(path) as reader:
        after = [publish(second, n * SECOND_NS) for n in range(100, 120)]
        for params in before[-40:] + after:
            assert reader.params_at(params.as_of_ns) == params


def test_an_entry_that_is_being_replaced_is_passed_over(path: Path, writer: PageWriter) -> None:
    sets = [publish(writer, n * 100 * MS) for n in range(1, 4)]
    with path.open("r+b") as file:  # the second set is in the first ring alone
        file.seek(HISTORY_AT + ENTRY.size + 24)
        file.write(struct.pack("<q", 77))
    with TimelineReader(path) as reader:
        assert reader.params_at(sets[1].as_of_ns) == sets[0]


def test_a_writer_that_died_after_the_history_uses_its_generation_never_again(path: Path) -> None:
    with closing(PageWriter(path, "wall")) as writer:
        sets = [publish(writer, n * 100 * MS) for n in range(3)]
    page = path.read_bytes()
    with closing(PageWriter(path, "wall")) as writer:
        publish(writer, 300 * MS)
    after = bytearray(path.read_bytes())
    after[:HISTORY_AT] = page[:HISTORY_AT]  # the page as the third set left it
    path.write_bytes(after)
    with TimelineReader(path) as reader, closing(PageWriter(path, "wall")) as again:
        assert reader.generation == 6
        assert reader.params() == sets[2]
        publish(again, 400 * MS)
        assert reader.generation == 10


def test_there_and_back_on_the_core_clock(writer: PageWriter, reader: TimelineReader) -> None:
    publish(writer, 0)
    for mode, side in (
        (WaitMode.ESTIMATE, "estimate_ns"),
        (WaitMode.AFTER, "earliest_ns"),
        (WaitMode.NOT_LATER, "latest_ns"),
    ):
        core = reader.to_core(10**15 + SECOND_NS, mode)
        assert core is not None
        assert abs(getattr(reader.to_timeline(core), side) - 10**15 - SECOND_NS) <= 1


def test_before_the_first_synchronisation_no_core_time_stands_for_a_time(
    writer: PageWriter, reader: TimelineReader
) -> None:
    publish(writer, 0, early_ns=2**60, status=Status.UNSYNCHRONIZED)
    assert reader.to_core(5) is None
