"""Waits: never early, re-armed, cancellable. Lateness is reported, not judged."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from qot.clock import monotonic_ns
from qot.instant import Status
from qot.realtime import prepare_thread
from qot.timeline import WaitMode
from qot.wait import Period, sleep, wait_until

MS = 1_000_000


@pytest.mark.parametrize("spin", [False, True])
def test_it_wakes_at_the_instant_or_later_and_says_how_late(own_page: Any, spin: bool) -> None:
    own_page.write(10**12)
    target = own_page.reader.now().estimate_ns + 30 * MS
    wake = wait_until(own_page.reader, target, spin=spin)
    assert wake is not None
    assert wake.instant.estimate_ns >= target
    assert wake.late_ns == wake.instant.estimate_ns - target
    assert wake.monotonic_ns == wake.instant.estimate_ns - 10**12


def test_the_modes_keep_their_word(own_page: Any) -> None:
    own_page.write(0, error_ns=5 * MS)
    target = own_page.reader.now().estimate_ns + 20 * MS
    not_later = wait_until(own_page.reader, target, WaitMode.NOT_LATER)
    after = wait_until(own_page.reader, target, WaitMode.AFTER)
    assert not_later is not None
    assert after is not None
    assert not_later.instant.latest_ns - not_later.late_ns <= target
    assert after.instant.earliest_ns >= target


def test_a_target_in_the_past_counts_from_itself(own_page: Any) -> None:
    wake = wait_until(own_page.reader, own_page.reader.now().estimate_ns - 3 * MS)
    assert wake is not None
    assert wake.late_ns >= 3 * MS


def in_thread(*arguments: Any) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(wait_until(*arguments)))
    thread.start()
    return thread, results


@pytest.mark.parametrize("offset_ns", [-60 * MS, 3600 * 10**9])
def test_a_correction_during_the_wait_moves_the_wake_up(own_page: Any, offset_ns: int) -> None:
    far = 3600 * 10**9 if offset_ns > 0 else 20 * MS
    target = own_page.reader.now().estimate_ns + far
    thread, results = in_thread(own_page.reader, target)
    own_page.write(offset_ns)
    thread.join(30)
    assert not thread.is_alive()
    wake = results[0]
    assert wake.instant.estimate_ns >= target
    assert wake.monotonic_ns >= target - offset_ns


def test_cancelling_ends_the_wait(own_page: Any) -> None:
    cancel = threading.Event()
    thread, results = in_thread(
        own_page.reader, own_page.reader.now().estimate_ns + 10**12, WaitMode.ESTIMATE, cancel
    )
    cancel.set()
    thread.join(30)
    assert results == [None]


def test_it_does_not_wake_by_a_clock_that_was_never_synchronised(own_page: Any) -> None:
    own_page.write(0, error_ns=2**60, status=Status.UNSYNCHRONIZED)
    target = monotonic_ns() - 10**9
    thread, results = in_thread(own_page.reader, target)
    synchronised_ns = monotonic_ns()
    own_page.write(0)
    thread.join(30)
    assert results[0].monotonic_ns >= synchronised_ns
    assert results[0].late_ns >= 10**9


def test_what_the_system_grants_is_reported() -> None:
    grants = []
    thread = threading.Thread(target=lambda: grants.append(prepare_thread(fifo_priority=1)))
    thread.start()
    thread.join()
    grant = grants[0]
    assert grant.timer_slack_ns == 1 or "slack" in grant.refused
    assert grant.fifo or "SCHED_FIFO" in grant.refused


def test_sleeping(own_page: Any) -> None:
    begin = own_page.reader.now().estimate_ns
    wake = sleep(own_page.reader, 10 * MS)
    assert wake is not None
    assert wake.instant.estimate_ns >= wake.target_ns >= begin + 10 * MS


def test_a_rhythm_has_no_drift_and_counts_what_it_missed(own_page: Any) -> None:
    period = Period(own_page.reader, 7 * MS, offset_ns=3)
    targets = [wake.target_ns for wake, _ in zip(period, range(5), strict=False)]
    assert all(target % (7 * MS) == 3 for target in targets)
    assert (targets[-1] - targets[0]) // (7 * MS) == 4 + period.missed
    before = period.missed
    own_page.write(70 * MS)
    assert period.wait() is not None
    assert period.missed - before >= 8
    with pytest.raises(ValueError, match="more than 0"):
        Period(own_page.reader, 0)


def test_a_rhythm_can_be_cancelled_before_the_first_synchronisation(own_page: Any) -> None:
    own_page.write(0, error_ns=2**60, status=Status.UNSYNCHRONIZED)
    cancel = threading.Event()
    cancel.set()
    assert Period(own_page.reader, MS).wait(cancel) is None
    assert sleep(own_page.reader, MS, cancel) is None
