"""The line through the exchanges: what it believes, and when it forgets."""

from __future__ import annotations

from random import Random

from qot.clock import SECOND_NS
from qot.hard_bound import Sample
from qot.offset_fit import OffsetFit

PERIOD_NS = SECOND_NS // 4


def exchange(at: int, offset: int, there: int = 40_000, back: int = 40_000) -> Sample:
    return Sample(at, at + there + offset, at + there + offset, at + there + back)


def feed(fit: OffsetFit, skew_ppb: int, begin: int, count: int, seed: int = 1) -> int:
    """Exchanges of a clock that runs at ``skew_ppb`` from offset 0; gives the time afterwards."""
    random = Random(seed)
    for number in range(count):
        at = begin + number * PERIOD_NS
        there, back = (40_000 + round(random.expovariate(1 / 3_000)) for _ in range(2))
        fit.add(exchange(at, skew_ppb * (at - begin) // SECOND_NS, there, back))
    return begin + count * PERIOD_NS


def test_nothing_is_known_before_the_first_exchange() -> None:
    fit = OffsetFit(100_000)
    assert fit.at(0) is None
    assert fit.raw_skew_ppb == 0


def test_the_line_finds_offset_and_skew_within_its_deviations() -> None:
    fit = OffsetFit(100_000)
    end = feed(fit, 20_000, 0, 32)
    line = fit.at(end)
    assert line is not None
    truth = 20_000 * end // SECOND_NS
    assert abs(line.offset_ns - truth) < 4 * line.offset_sigma_ns
    assert abs(line.skew_ppb - 20_000) < 4 * line.skew_sigma_ppb < 20_000
    later = fit.at(end + 100 * SECOND_NS)
    assert later is not None
    assert later.offset_sigma_ns > 10 * line.offset_sigma_ns
    assert fit.surprises == 0


def test_a_skew_beyond_the_limit_is_clamped_but_known() -> None:
    fit = OffsetFit(10_000)
    feed(fit, 60_000, 0, 32)
    line = fit.at(8 * SECOND_NS)
    assert line is not None
    assert line.skew_ppb == 10_000
    assert fit.raw_skew_ppb > 40_000


def test_one_late_packet_is_no_surprise() -> None:
    fit = OffsetFit(100_000)
    end = feed(fit, 0, 0, 20)
    for number in range(4):
        fit.add(exchange(end + number * PERIOD_NS, 0, there=5_000_000))
    assert fit.surprises == 0
    assert len(fit.samples) == 24


def test_a_rate_that_jumps_makes_it_forget_what_was_before() -> None:
    fit = OffsetFit(100_000)
    end = feed(fit, 0, 0, 24)
    feed(fit, 80_000, end, 8)
    assert fit.surprises >= 1
    assert len(fit.samples) < 10
    assert fit.raw_skew_ppb > 50_000


def test_one_surprise_alone_is_not_believed() -> None:
    fit = OffsetFit(100_000)
    end = feed(fit, 0, 0, 20)
    fit.add(exchange(end, 200_000))
    fit.add(exchange(end + PERIOD_NS, 0))
    assert fit.surprises == 0
    fit.clear()
    assert fit.at(end) is None
    assert len(fit.samples) == 0
