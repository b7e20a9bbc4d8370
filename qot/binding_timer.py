"""What a binding gives to those who act at instants: periods without drift, and timers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from qot.alarm import Alarm
from qot.timeline import WaitMode
from qot.wait import Wake


@dataclass(frozen=True, slots=True)
class Beat:
    """One instant of a rhythm.

    planned_ns: the instant that was meant, on the timeline. wake: how waiting for it ended.
    skipped: how many instants had passed already since the beat before, and were left out.
    """

    planned_ns: int
    wake: Wake
    skipped: int


class Timer:
    """Calls back at instants of a timeline; made by :meth:`qot.binding.Timeline.timer`.

    The callback runs in the binding's timer thread, one at a time, and gets a :class:`Beat`; what
    it raises goes to ``threading.excepthook`` and the timer goes on.
    """

    def __init__(
        self,
        alarm: Alarm,
        callback: Callable[[Beat], None],
        start_ns: int,
        period_ns: int | None,
        count: int | None,
        mode: WaitMode,
    ) -> None:
        self._alarm, self._callback = alarm, callback
        self._period_ns, self._mode = period_ns, mode
        self._left = count
        self._lock = threading.Lock()
        self._next_ns = start_ns
        self._skipped = 0
        self.fired = 0
        """How often it has called."""
        with self._lock:
            self._handle: int | None = alarm.add(start_ns, self._fire, mode)

    @property
    def active(self) -> bool:
        """It will call again."""
        return self._handle is not None

    def cancel(self) -> bool:
        """True: it will not call again. False: it had ended already."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            self._alarm.cancel(handle)
        return handle is not None

    def _fire(self, wake: Wake) -> None:
        with self._lock:
            if self._handle is None:
                return  # Cancelled while it was on its way.
            beat = Beat(self._next_ns, wake, self._skipped)
            self._handle = None
            if self._left is not None:
                self._left -= 1
            if self._period_ns is not None and self._left != 0:
                passed = (wake.instant.estimate_ns - self._next_ns) // self._period_ns
                self._skipped = max(0, passed)
                self._next_ns += (self._skipped + 1) * self._period_ns
                self._handle = self._alarm.add(self._next_ns, self._fire, self._mode)
        self.fired += 1
        self._callback(beat)
