"""Waiting for an instant: absolute, re-armed when the clock is corrected, honest about lateness.

The sleep is on CLOCK_MONOTONIC, in slices; after each one the target is projected anew with the
page's present parameters, so a correction moves the wake-up. Blocking; for a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from qot.instant import UNBOUNDED_NS, Instant
from qot.timeline import TimelineReader, WaitMode

SLICE_NS = 20_000_000
"""The longest sleep without a look at the parameters: how long a correction may go unnoticed."""
SPIN_NS = 100_000
"""How much of a wait is spun, under SCHED_FIFO alone: elsewhere it makes the tail worse."""


@dataclass(frozen=True, slots=True)
class Wake:
    """How a wait ended.

    target_ns: what was wanted, on the timeline. instant: what it was at the return. late_ns: the
    return less the wanted moment, both on CLOCK_MONOTONIC, by the parameters at the return;
    a target that was in the past already counts from itself. monotonic_ns: the return.
    """

    target_ns: int
    instant: Instant
    late_ns: int
    monotonic_ns: int


def make_wake(reader: TimelineReader, target_ns: int, wanted_ns: int, returned_ns: int) -> Wake:
    """The Wake of a wait for ``wanted_ns`` of CLOCK_MONOTONIC that returned at ``returned_ns``."""
    instant = reader.at_monotonic(returned_ns)
    return Wake(target_ns, instant, returned_ns - wanted_ns, returned_ns)


def sleep_towards(wanted_ns: int | None, *, spin: bool) -> bool:
    """Sleep at most one slice towards a moment of CLOCK_MONOTONIC; True when it has come.

    None stands for a moment that is not known yet: a whole slice.
    """
    if wanted_ns is None:
        time.sleep(SLICE_NS / 1e9)
        return False
    left_ns = wanted_ns - time.monotonic_ns()
    if left_ns > SLICE_NS:
        time.sleep(SLICE_NS / 1e9)
        return False
    early_ns = SPIN_NS if spin else 0
    if left_ns > early_ns:
        time.sleep((left_ns - early_ns) / 1e9)
    while spin and time.monotonic_ns() < wanted_ns:
        pass
    return time.monotonic_ns() >= wanted_ns


def wait_until(
    reader: TimelineReader,
    target_ns: int,
    mode: WaitMode = WaitMode.ESTIMATE,
    cancel: threading.Event | None = None,
    *,
    spin: bool = False,
) -> Wake | None:
    """Block until the timeline reaches ``target_ns`` in the sense of ``mode``; None if cancelled.

    A node that was never synchronised waits until it is: it never wakes by a meaningless clock.
    Cancelling takes effect within a slice (20 ms). For the best lateness call
    :func:`qot.realtime.prepare_thread` in this thread first, and spin if it granted FIFO.
    Raises the PageError of :class:`qot.page.PageReader`.
    """
    while cancel is None or not cancel.is_set():
        wanted_ns = reader.to_monotonic_ns(target_ns, mode)
        if not sleep_towards(wanted_ns, spin=spin):
            continue
        # Projected again: the sleep may have ended in another generation than it began.
        wanted_ns = reader.to_monotonic_ns(target_ns, mode)
        returned_ns = time.monotonic_ns()
        if wanted_ns is not None and returned_ns >= wanted_ns:
            return make_wake(reader, target_ns, wanted_ns, returned_ns)
    return None


def _first_estimate_ns(reader: TimelineReader, cancel: threading.Event | None) -> int | None:
    """The present, as soon as the node has been synchronised once; None if cancelled."""
    while cancel is None or not cancel.is_set():
        instant = reader.now()
        if instant.early_ns < UNBOUNDED_NS and instant.late_ns < UNBOUNDED_NS:
            return instant.estimate_ns
        time.sleep(SLICE_NS / 1e9)
    return None


def sleep(
    reader: TimelineReader,
    duration_ns: int,
    cancel: threading.Event | None = None,
    *,
    spin: bool = False,
) -> Wake | None:
    """Block for a duration of the timeline, by the estimate; as :func:`wait_until` otherwise."""
    begin_ns = _first_estimate_ns(reader, cancel)
    if begin_ns is None:
        return None
    return wait_until(reader, begin_ns + duration_ns, cancel=cancel, spin=spin)


class Period:
    """A rhythm: the instants ``offset_ns + k * period_ns`` of a timeline, without drift.

    Nothing adds up, since each instant is computed from the offset. Instants that have passed
    already are left out and counted in ``missed``; none comes twice. Of one thread.
    Raises ValueError for a period that is not above 0.
    """

    def __init__(
        self,
        reader: TimelineReader,
        period_ns: int,
        offset_ns: int = 0,
        mode: WaitMode = WaitMode.ESTIMATE,
    ) -> None:
        if period_ns <= 0:
            raise ValueError(f"the period is {period_ns} ns: give more than 0")
        self._reader, self._mode = reader, mode
        self.period_ns, self.offset_ns = period_ns, offset_ns
        self.missed = 0
        self._next: int | None = None

    def wait(self, cancel: threading.Event | None = None, *, spin: bool = False) -> Wake | None:
        """Block until the next instant; None if cancelled. Raises as :func:`wait_until` does."""
        now_ns = _first_estimate_ns(self._reader, cancel)
        if now_ns is None:
            return None
        coming = (now_ns - self.offset_ns) // self.period_ns + 1
        if self._next is None:
            self._next = coming
        elif coming > self._next:
            self.missed += coming - self._next
            self._next = coming
        target_ns = self.offset_ns + self._next * self.period_ns
        wake = wait_until(self._reader, target_ns, self._mode, cancel, spin=spin)
        if wake is not None:
            self._next += 1
        return wake

    def __iter__(self) -> Iterator[Wake]:
        """Wakes without end."""
        while True:
            wake = self.wait()
            assert wake is not None  # nothing can cancel it
            yield wake
