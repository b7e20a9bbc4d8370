"""The rhythm of a follower."""

from __future__ import annotations

from qot.sync_client import (
    BURST,
    BURST_GAP_NS,
    PAIR_GAP_NS,
    PROBE_NS,
    SLOW_PROBE_NS,
    Pacer,
)

PERIOD_NS = 250_000_000


def test_it_looks_for_the_reference_eagerly_then_patiently() -> None:
    pacer = Pacer(PERIOD_NS)
    delays = [pacer.delay_ns(0) for _ in range(510)]
    assert set(delays[:500]) == {PROBE_NS}
    assert set(delays[500:]) == {SLOW_PROBE_NS}


def test_the_first_answer_starts_a_burst_and_then_pairs_once_a_period() -> None:
    pacer = Pacer(PERIOD_NS)
    pacer.answered()
    assert [pacer.delay_ns(0) for _ in range(BURST - 1)] == [BURST_GAP_NS] * (BURST - 1)
    pacer.answered()
    steady = [pacer.delay_ns(random) for random in (0, 0, 0, 25, 0, 50)]
    assert steady[0::2] == [PAIR_GAP_NS] * 3
    assert steady[1::2] == [PERIOD_NS, PERIOD_NS * 975 // 1000, PERIOD_NS * 95 // 100]


def test_a_lost_reference_is_looked_for_again() -> None:
    pacer = Pacer(PERIOD_NS)
    pacer.answered()
    pacer.lost()
    assert pacer.delay_ns(0) == PROBE_NS
    pacer.answered()
    assert pacer.delay_ns(0) == BURST_GAP_NS
