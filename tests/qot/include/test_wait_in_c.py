"""Waits of qot.h: never early, re-armed, cancellable, without drift."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import pytest

from qot.clock import ClockModel, EmulatedClock, monotonic_ns
from qot.instant import Status
from qot.page import PageWriter
from qot.params import ClockParams
from qot.timeline import WaitMode

MS = 1_000_000
ESTIMATE, AFTER, NOT_LATER = range(3)


@pytest.fixture
def c(own_page: Any, open_c: Any) -> Any:
    return open_c(own_page.writer.path, "wall")


def in_thread(c: Any, wake: Any, target_ns: int, cancel: Any = None) -> tuple[Any, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(c.attempt("wait_until", wake, target_ns, ESTIMATE, cancel))
    )
    thread.start()
    return thread, results


def test_it_wakes_at_the_instant_or_later_and_says_how_late(
    own_page: Any, c: Any, structures: Any
) -> None:
    own_page.write(10**12)
    target = own_page.reader.now().estimate_ns + 30 * MS
    wake = c.call("wait_until", structures.Wake(), target, ESTIMATE, None)
    assert wake.target_ns == target <= wake.instant.estimate_ns
    assert wake.late_ns == wake.instant.estimate_ns - target
    assert wake.monotonic_ns == wake.instant.estimate_ns - 10**12


def test_the_modes_keep_their_word(own_page: Any, c: Any, structures: Any) -> None:
    own_page.write(0, error_ns=5 * MS)
    target = own_page.reader.now().estimate_ns + 20 * MS
    not_later = c.call("wait_until", structures.Wake(), target, NOT_LATER, None)
    after = c.call("wait_until", structures.Wake(), target, AFTER, None)
    assert not_later.instant.latest_ns - not_later.late_ns <= target
    assert after.instant.earliest_ns >= target


@pytest.mark.parametrize("offset_ns", [-60 * MS, 3600 * 10**9])
def test_a_correction_during_the_wait_moves_the_wake_up(
    own_page: Any, c: Any, structures: Any, offset_ns: int
) -> None:
    far = 3600 * 10**9 if offset_ns > 0 else 20 * MS
    target = own_page.reader.now().estimate_ns + far
    thread, results = in_thread(c, structures.Wake(), target)
    own_page.write(offset_ns)
    thread.join(30)
    assert not thread.is_alive()
    assert results[0].instant.estimate_ns >= target
    assert results[0].monotonic_ns >= target - offset_ns


def test_cancelling_ends_the_wait(own_page: Any, c: Any, structures: Any) -> None:
    cancel = ctypes.c_int()
    target = own_page.reader.now().estimate_ns + 10**12
    thread, results = in_thread(c, structures.Wake(), target, ctypes.byref(cancel))
    cancel.value = 1
    thread.join(30)
    assert results == ["CANCELLED"]


def test_it_does_not_wake_by_a_clock_that_was_never_synchronised(
    own_page: Any, c: Any, structures: Any
) -> None:
    own_page.write(0, error_ns=2**60, status=Status.UNSYNCHRONIZED)
    target = monotonic_ns() - 10**9
    thread, results = in_thread(c, structures.Wake(), target)
    assert thread.is_alive()
    own_page.write(0)
    thread.join(30)
    assert results[0].instant.status == 1
    own_page.write(0, error_ns=2**60, status=Status.UNSYNCHRONIZED)
    cancel = ctypes.c_int(1)
    assert c.attempt("sleep", structures.Wake(), 5, ctypes.byref(cancel)) == "CANCELLED"


def test_sleeping(own_page: Any, c: Any, structures: Any) -> None:
    begin = own_page.reader.now().estimate_ns
    wake = c.call("sleep", structures.Wake(), 10 * MS, None)
    assert wake.instant.estimate_ns >= wake.target_ns >= begin + 10 * MS


def test_a_rhythm_has_no_drift_and_counts_what_it_missed(
    own_page: Any, c: Any, structures: Any
) -> None:
    period = structures.Period(period_ns=7 * MS, offset_ns=3)
    targets = []
    for _ in range(5):
        wake = structures.Wake()
        c.call("wait_period", wake, ctypes.byref(period))
        targets.append(wake.target_ns)
    assert all(target % (7 * MS) == 3 for target in targets)
    assert (targets[-1] - targets[0]) // (7 * MS) == 4 + period.missed
    before = period.missed
    own_page.write(70 * MS)
    c.call("wait_period", structures.Wake(), ctypes.byref(period))
    assert period.missed - before >= 9
    period.period_ns = 0
    assert c.attempt("wait_period", structures.Wake(), ctypes.byref(period)) == "RANGE"


def test_an_emulated_clock_is_waited_for(tmp_path: Any, open_c: Any, structures: Any) -> None:
    model = ClockModel(monotonic_ns() - 10**12, -(10**14), 40_000, 9_000, 5)
    clock = EmulatedClock(model)
    writer = PageWriter(tmp_path / "page", "wall", model)
    core = clock.now_ns()
    far = core + 10**12
    writer.write(ClockParams(Status.SYNCHRONIZED, core, 0, 0, 5, 5, 0, 0, 0, 0, far, far))
    writer.close()
    wake = open_c(tmp_path / "page").call("wait_until", structures.Wake(), 9 * MS, ESTIMATE, None)
    assert wake.instant.estimate_ns == clock.from_monotonic_ns(wake.monotonic_ns) - core >= 9 * MS
    assert list(WaitMode)[ESTIMATE] is WaitMode.ESTIMATE


def test_what_the_system_grants_is_told(library: ctypes.CDLL) -> None:
    granted: list[int] = []
    thread = threading.Thread(target=lambda: granted.append(library.driver_prepare_thread(0)))
    thread.start()
    thread.join()
    assert granted == [1]
