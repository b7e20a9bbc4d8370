"""The audit counts what is there; a promise that failed is never lost among the others."""

from __future__ import annotations

import json

from qot.audit import Audit, format_table
from qot.instant import Instant, Status


def instant(status: Status = Status.SYNCHRONIZED, half: int = 100) -> Instant:
    return Instant(1_000, 1_000 - half, 1_000 + half, status)


def test_truths_inside_and_outside_are_counted_with_how_far() -> None:
    audit = Audit("one")
    audit.add(instant(), 1_100, (950, 1_050))
    audit.add(instant(Status.HOLDOVER), 890, (890, 1_050))
    report = audit.report(shortest_round_trip_ns=80)
    assert (report.samples, report.promised, report.holdover) == (2, 2, 1)
    assert (report.hard_outside, report.worst_outside_ns) == (1, 10)
    assert report.hard_containment == 0.5
    assert (report.statistical, report.statistical_outside) == (2, 1)
    assert report.statistical_wider == 1
    assert report.worst_error_ns == 110
    assert report.tightness == 100 / (110 + 40)
    assert not report.holds


def test_samples_without_a_promise_are_not_judged() -> None:
    audit = Audit()
    for status in (Status.DISRUPTED, Status.UNSYNCHRONIZED):
        audit.add(instant(status), 10**9)
    report = audit.report()
    assert (report.promised, report.disrupted, report.unsynchronized) == (0, 1, 1)
    assert report.holds
    assert report.tightness is None


def test_what_happens_in_a_stated_window_is_told_apart() -> None:
    audit = Audit()
    audit.add(instant(), 1_150, blind=True)
    audit.add(instant(), 1_000, blind=True)
    audit.add(instant(Status.DISRUPTED), 5_000, blind=True)
    report = audit.report()
    assert (report.blind, report.blind_outside, report.blind_outside_ns) == (3, 1, 50)
    assert report.promised == report.hard_outside == 0


def test_bounds_are_summed_up_by_their_larger_side() -> None:
    audit = Audit()
    for half in range(1, 101):
        audit.add(instant(half=half), 1_000, (999, 1_001))
    report = audit.report(0)
    assert (report.hard_bound_median_ns, report.hard_bound_p99_ns) == (51, 100)
    assert report.hard_bound_worst_ns == report.worst_tightness == 100
    assert report.statistical_bound_worst_ns == 1
    assert report.holds


def test_it_prints_as_a_table_and_as_data() -> None:
    good, bad = Audit("good"), Audit("bad link")
    good.add(instant(), 1_000, (990, 1_010))
    bad.add(instant(), 0)
    bad.add(instant(), 1_000, blind=True)
    reports = [good.report(100), bad.report()]
    lines = format_table(reports).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "| 100 %" in lines[2]
    assert "| 0.00000 %" in lines[3]
    data = json.loads(json.dumps(reports[0].as_dict()))
    assert data["hard_containment"] == 1
    assert data["tightness"] == 2


def test_one_failure_among_millions_is_not_rounded_away() -> None:
    audit = Audit()
    for truth in (0, *[1_000] * 20_000):
        audit.add(instant(), truth)
    assert "| 99.99500 %" in format_table([audit.report()])
