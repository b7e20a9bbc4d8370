"""Binding to a timeline: what an app does to have time with a stated error.

    from qot.binding import Timeline

    with Timeline.bind("wall", "my app", accuracy="1ms") as timeline:
        instant = timeline.now()
        print(instant.estimate_ns, instant.earliest_ns, instant.latest_ns, instant.status)
        for beat in timeline.periodic("100ms"):
            ...

The time service of this node keeps the demand; the time itself is read from its clock page, so
that a read never waits for anybody. When the service dies the page goes on to be true with a
growing error (holdover), and the binding comes back by itself when the service does.
docs/timeline_api.md has the whole of it, beside the calls of Quartz.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from qot import statistical, wait
from qot.alarm import Alarm
from qot.binding_demand import (
    ClassOnly,
    Duration,
    StatisticalInterval,
    Violation,
    already_bound,
    duration_ns,
    wait_mode,
)
from qot.binding_keeper import Keeper
from qot.binding_link import report, socket_path
from qot.binding_timer import Beat, Timer
from qot.errors import BindingError, DemandError, NotBoundError, UnsynchronizedError
from qot.instant import Instant, Status
from qot.timeline import WaitMode
from qot.wait import Wake


class Timeline:
    """A binding of this process to one timeline; made by :meth:`bind`. Thread-safe.

    Every call after :meth:`unbind` raises NotBoundError. Not for use in a forked child: bind there.
    """

    def __init__(self, keeper: Keeper) -> None:
        """For :meth:`bind`."""
        self._keeper = keeper
        self._left = threading.Event()
        self._entered = False
        self._alarm: Alarm | None = None
        self._lock = threading.Lock()

    @ClassOnly
    def bind(
        cls: type[Timeline],  # noqa: N805
        name: str,
        app: str,
        accuracy: Duration = "1ms",
        resolution: Duration = "1us",
        socket: str | Path | None = None,
    ) -> Timeline:
        """Join a timeline, or create it; blocks until it is synchronised well enough.

        accuracy: how wrong the time may be at most. resolution: the largest tick. socket: of the
        time service of this node; default: the variable QOT_SOCKET. Raises DemandError,
        UnmeetableError (with ``best_ns``), UnknownTimelineError, NoUtcError, ReferenceSilentError,
        ServiceGoneError, ProtocolError, and the PageError of :class:`qot.page.PageReader`.
        """
        demand = {
            "accuracy_ns": duration_ns(accuracy, "accuracy", least_ns=1),
            "resolution_ns": duration_ns(resolution, "resolution", least_ns=1),
        }
        return cls(Keeper(socket_path(socket), name, app, demand))

    def unbind(self) -> None:
        """Leave. The timeline ends with its last binding; waits in other threads end at once.

        Not from a callback of this binding.
        """
        with self._lock:
            if self._left.is_set():
                raise self._not_bound()
            self._left.set()
            alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.stop()
        self._keeper.stop()

    def __enter__(self) -> Timeline:
        self._check()
        if self._entered:
            raise already_bound(self)
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._left.is_set():
            self.unbind()

    def __repr__(self) -> str:
        return f"<Timeline {self.name!r} of {self.app!r}>"

    # What it is

    @property
    def name(self) -> str:
        return self._keeper.name

    @property
    def app(self) -> str:
        return self._keeper.app

    @property
    def is_bound(self) -> bool:
        """False after :meth:`unbind`."""
        return not self._left.is_set()

    @property
    def connected(self) -> bool:
        """The time service is there and knows of this binding."""
        return self._keeper.connected

    @property
    def accuracy_ns(self) -> int:
        """The demand."""
        return self._keeper.demand["accuracy_ns"]

    @property
    def resolution_ns(self) -> int:
        """The demand."""
        return self._keeper.demand["resolution_ns"]

    @property
    def best_ns(self) -> int:
        """The tightest accuracy that could have been had when the demand was last accepted."""
        return self._keeper.best_ns

    def set_accuracy(self, accuracy: Duration) -> None:
        """Demand another accuracy. Raises as :meth:`bind`; then the old demand holds."""
        self._check()
        self._keeper.update(accuracy_ns=duration_ns(accuracy, "accuracy", least_ns=1))

    def set_resolution(self, resolution: Duration) -> None:
        """Demand another resolution. Raises as :meth:`bind`; then the old demand holds."""
        self._check()
        self._keeper.update(resolution_ns=duration_ns(resolution, "resolution", least_ns=1))

    def on_violation(self, callback: Callable[[Violation], None]) -> Callable[[], None]:
        """Be told when the delivered error leaves the demand, and when it is back.

        The callback runs in the binding's own thread, within 50 ms, also while the service is
        stopped or dead. Gives a function that ends it.
        """
        self._check()
        return self._keeper.on_violation(callback)

    def report(self) -> dict[str, Any]:
        """What the time service of this node costs and delivers."""
        self._check()
        return report(self._keeper.path)

    # What time it is

    def now(self) -> Instant:
        """The present: estimate, hard interval, status."""
        self._check()
        return self._keeper.reader.now()

    def status(self) -> Status:
        """What the interval is worth now."""
        self._check()
        return self._keeper.reader.status()

    def statistical(self, confidence: float = statistical.CONFIDENCE) -> StatisticalInterval:
        """The present as statistics see it: usually tighter than :meth:`now`, never a promise.

        confidence: 0.95 or more, below 1; DemandError otherwise. See :mod:`qot.statistical`.
        """
        self._check()
        reader = self._keeper.reader
        core_ns = reader.clock.now_ns()
        params = reader.params()
        try:
            earliest, latest = statistical.interval_at(params, core_ns, confidence)
        except ValueError as error:
            raise DemandError(str(error)) from None
        return StatisticalInterval(params.estimate_at(core_ns), earliest, latest, confidence)

    def core_now(self) -> int:
        """The node's core clock, in ns: for stamps that are cheap now and converted later."""
        self._check()
        return self._keeper.reader.clock.now_ns()

    def from_core(self, core_ns: int) -> Instant:
        """The Instant of a core stamp of this node, with the bound that was valid then.

        Raises PageHistoryError for a stamp that is older than what the page remembers (minutes).
        """
        self._check()
        return self._keeper.reader.to_timeline(core_ns)

    def to_core(self, timeline_ns: int, mode: WaitMode | str = WaitMode.ESTIMATE) -> int:
        """When, on the core clock, a time of the timeline will be or was, as known at present.

        Raises UnsynchronizedError while no moment stands for it.
        """
        self._check()
        core_ns = self._keeper.reader.to_core(timeline_ns, wait_mode(mode))
        if core_ns is None:
            raise UnsynchronizedError(
                f"timeline {self.name!r} is not synchronised on this node yet: wait until its "
                "status is synchronized"
            )
        return core_ns

    # Waiting

    def wait_until(
        self, target: int | Instant, mode: WaitMode | str = WaitMode.ESTIMATE, *, spin: bool = False
    ) -> Wake:
        """Block until a time of the timeline, in ns or as an Instant's estimate.

        mode: "estimate"; "after", certainly reached; "not_later", certainly not passed. Corrections
        move the wake-up. A target in the past returns at once. Raises NotBoundError when another
        thread unbinds meanwhile.
        """
        self._check()
        target_ns = target.estimate_ns if isinstance(target, Instant) else target
        reader = self._keeper.reader
        return self._woken(
            wait.wait_until(reader, target_ns, wait_mode(mode), self._left, spin=spin)
        )

    def sleep(self, duration: Duration, *, spin: bool = False) -> Wake:
        """Block for so long of the timeline's time. Raises as :meth:`wait_until`."""
        self._check()
        span_ns = duration_ns(duration, "the duration of a sleep")
        return self._woken(wait.sleep(self._keeper.reader, span_ns, self._left, spin=spin))

    def periodic(
        self,
        period: Duration,
        offset: Duration = 0,
        mode: WaitMode | str = WaitMode.ESTIMATE,
        *,
        spin: bool = False,
    ) -> Iterator[Beat]:
        """Wake at ``offset + k · period`` of the timeline, for ever, without drift.

        Instants that pass while the loop's body is at work are left out and counted. Raises
        NotBoundError when another thread unbinds.
        """
        self._check()
        rhythm = wait.Period(
            self._keeper.reader,
            duration_ns(period, "the period", least_ns=1),
            duration_ns(offset, "the offset"),
            wait_mode(mode),
        )
        return self._beats(rhythm, spin)

    def timer(
        self,
        callback: Callable[[Beat], None],
        start: int | Instant | None = None,
        period: Duration | None = None,
        count: int | None = None,
        mode: WaitMode | str = WaitMode.ESTIMATE,
    ) -> Timer:
        """Call back at ``start`` (default: a period from now) and then every ``period``.

        count: how often at most; without a period it is once. The callbacks share one thread and
        should only hand over. Raises DemandError for a timer that would never call.
        """
        self._check()
        period_ns = None if period is None else duration_ns(period, "the period", least_ns=1)
        if (count is not None and count <= 0) or (start is None and period_ns is None):
            raise DemandError("a timer needs a start or a period, and a count of 1 or more")
        if start is None:
            start_ns = self.now().estimate_ns + (period_ns or 0)
        else:
            start_ns = start.estimate_ns if isinstance(start, Instant) else start
        return Timer(self._alarmed(), callback, start_ns, period_ns, count, wait_mode(mode))

    def _beats(self, rhythm: wait.Period, spin: bool) -> Iterator[Beat]:
        before = 0
        while True:
            self._check()
            wake = self._woken(rhythm.wait(self._left, spin=spin))
            skipped, before = rhythm.missed - before, rhythm.missed
            yield Beat(wake.target_ns, wake, skipped)

    def _alarmed(self) -> Alarm:
        with self._lock:
            if self._left.is_set():
                raise self._not_bound()
            if self._alarm is None:
                self._alarm = Alarm(self._keeper.reader, name=f"timers of {self.name}")
                self._alarm.start()
            return self._alarm

    def _woken(self, wake: Wake | None) -> Wake:
        if wake is None:
            raise self._not_bound()
        return wake

    def _check(self) -> None:
        if self._left.is_set():
            raise self._not_bound()
        if self._keeper.refused is not None:
            raise self._keeper.refused

    def _not_bound(self) -> BindingError:
        return NotBoundError(f"{self!r} is not bound any more: make a new one with Timeline.bind")
