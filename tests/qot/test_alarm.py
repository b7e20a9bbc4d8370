"""The alarm thread: order, cancellation, re-arming, and callbacks that fail."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest

from qot.alarm import Alarm
from qot.clock import monotonic_ns
from qot.instant import Status
from qot.timeline import WaitMode
from qot.wait import Wake

MS = 1_000_000
HOUR = 3600 * 10**9


class Calls:
    """Collects wake-ups with a label."""

    def __init__(self) -> None:
        self.queue: queue.Queue[tuple[str, Wake]] = queue.Queue()

    def note(self, label: str) -> Any:
        return lambda wake: self.queue.put((label, wake))

    def take(self, number: int) -> list[str]:
        return [self.queue.get(timeout=30)[0] for _ in range(number)]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def alarm(own_page: Any) -> Iterator[Alarm]:
    with Alarm(own_page.reader) as made:
        yield made


def now(own_page: Any) -> int:
    return own_page.reader.now().estimate_ns  # type: ignore[no-any-return]


def test_instants_fire_in_their_order_whatever_the_order_of_adding(
    own_page: Any, alarm: Alarm, calls: Calls
) -> None:
    start = now(own_page) + 20 * MS
    for index in (3, 1, 2, 0):
        alarm.add(start + index * MS, calls.note(str(index)))
    for same in "abc":
        alarm.add(start + 9 * MS, calls.note(same))
    assert calls.take(7) == ["0", "1", "2", "3", "a", "b", "c"]
    assert alarm.pending == 0


def test_it_never_fires_early(own_page: Any, alarm: Alarm, calls: Calls) -> None:
    targets = [now(own_page) + index * 777_777 for index in range(40)]
    for target in targets:
        alarm.add(target, calls.note(""))
    for target in targets:
        _, wake = calls.queue.get(timeout=30)
        assert wake.target_ns == target
        assert wake.instant.estimate_ns >= target
        assert wake.late_ns == wake.instant.estimate_ns - target


def test_a_cancelled_instant_is_not_fired(own_page: Any, alarm: Alarm, calls: Calls) -> None:
    start = now(own_page) + 30 * MS
    doomed = alarm.add(start, calls.note("doomed"))
    alarm.add(start + 1, calls.note("kept"))
    assert alarm.cancel(doomed)
    assert not alarm.cancel(doomed)
    assert calls.take(1) == ["kept"]


def test_an_earlier_instant_overtakes_the_sleep(own_page: Any, alarm: Alarm, calls: Calls) -> None:
    alarm.add(now(own_page) + HOUR, calls.note("far"))
    alarm.add(now(own_page) + MS, calls.note("near"))
    assert calls.take(1) == ["near"]
    assert alarm.pending == 1


def test_a_correction_re_arms(own_page: Any, alarm: Alarm, calls: Calls) -> None:
    alarm.add(now(own_page) + HOUR, calls.note("far"))
    own_page.write(HOUR)
    assert calls.take(1) == ["far"]


def test_nothing_fires_before_the_first_synchronisation(
    own_page: Any, alarm: Alarm, calls: Calls
) -> None:
    own_page.write(0, error_ns=2**60, status=Status.UNSYNCHRONIZED)
    alarm.add(0, calls.note("past"))
    synchronised_ns = monotonic_ns()
    own_page.write(0)
    _, wake = calls.queue.get(timeout=30)
    assert wake.monotonic_ns >= synchronised_ns


def test_modes_side_by_side(own_page: Any, alarm: Alarm, calls: Calls) -> None:
    own_page.write(0, error_ns=5 * MS)
    target = now(own_page) + 30 * MS
    for mode in (WaitMode.AFTER, WaitMode.ESTIMATE, WaitMode.NOT_LATER):
        alarm.add(target, calls.note(mode), mode)
    assert calls.take(3) == ["not_later", "estimate", "after"]


def test_a_callback_that_fails_harms_no_other(own_page: Any, calls: Calls) -> None:
    errors: list[BaseException] = []

    def fail(_: Wake) -> None:
        raise RuntimeError("mine")

    with Alarm(own_page.reader, on_error=errors.append) as alarm:
        alarm.add(now(own_page), fail)
        alarm.add(now(own_page) + 1, calls.note("next"))
        assert calls.take(1) == ["next"]
    assert [str(error) for error in errors] == ["mine"]


def test_a_callback_may_add_and_cancel(own_page: Any, alarm: Alarm, calls: Calls) -> None:
    target = now(own_page)
    alarm.add(target, lambda wake: alarm.add(wake.target_ns + MS, calls.note("second")) and None)
    assert calls.take(1) == ["second"]


def test_stopping_drops_what_is_pending(own_page: Any, calls: Calls) -> None:
    alarm = Alarm(own_page.reader)
    assert alarm.start().timer_slack_ns is not None
    alarm.add(now(own_page) + HOUR, calls.note("never"))
    alarm.stop()
    assert alarm.pending == 0
    assert calls.queue.empty()
