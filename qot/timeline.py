"""The reader's side of a timeline: what time it is, how wrong that may be, when a time will be.

Reads the clock page of this node's time service, and the core clock that the page names; never
waits for anybody. Thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from qot.clock import Clock
from qot.errors import PageForeignError
from qot.instant import Instant, Status
from qot.native import available, native_reader
from qot.page import PageReader
from qot.page_layout import timeline_id
from qot.params import ClockParams


class WaitMode(StrEnum):
    """Which reading of the timeline a wait goes by."""

    ESTIMATE = "estimate"
    """Wake when the estimate reaches the target."""
    AFTER = "after"
    """Wake when the target has certainly been reached (commit wait)."""
    NOT_LATER = "not_later"
    """Wake at the last moment at which the target has certainly not been passed."""


class TimelineReader:
    """One node's view of one timeline.

    The page tells which core clock the node runs on. Raises the PageError of
    :class:`qot.page.PageReader`; PageForeignError for the page of another timeline.
    """

    now: Callable[[], Instant]
    """The present. Raises as :meth:`qot.page.PageReader.read` does."""
    stamp: Callable[[], tuple[int, int, int, int]]
    """(estimate, earliest, latest, CLOCK_MONOTONIC) of one and the same moment, for logs."""

    def __init__(
        self, page_path: Path, timeline: str | None = None, *, native: bool = True
    ) -> None:
        """native: read the present by compiled code, where it was built."""
        self._page = PageReader(page_path)
        self.clock: Clock = self._page.clock
        if timeline is not None and self._page.timeline_id != timeline_id(timeline):
            self._page.close()
            raise PageForeignError(
                f"{page_path} is the clock page of another timeline than {timeline!r}: give "
                "the path that this timeline's service writes"
            )
        # Attributes and not methods: a call through a method would cost as much as the reading.
        self.now, self.stamp = self._page.now, self._page.stamp
        self._native = None
        if native and available():
            self._native = native_reader(self._page.mapping, self.now, self.stamp)
            self.now, self.stamp = self._native.now, self._native.stamp

    def stamp_at(self, monotonic_ns: int) -> tuple[int, int, int, int]:
        """As :meth:`stamp`, of any moment of CLOCK_MONOTONIC, by the present parameters."""
        core_ns = self.clock.from_monotonic_ns(monotonic_ns)
        return *self._page.read()[1].interval_at(core_ns), monotonic_ns

    def at_monotonic(self, monotonic_ns: int) -> Instant:
        """The Instant of any moment of CLOCK_MONOTONIC, by the present parameters."""
        return self._page.read()[1].instant_at(self.clock.from_monotonic_ns(monotonic_ns))

    def status(self) -> Status:
        """The status now: staleness and expiry are judged here, not by the service."""
        return self._page.read()[1].status_at(self.clock.now_ns())

    def params(self) -> ClockParams:
        """The present parameters."""
        return self._page.read()[1]

    def params_at(self, core_ns: int) -> ClockParams:
        """The parameters that were valid at a core time of this node; the present ones if later.

        Raises PageHistoryError for a time before all that the page remembers (minutes).
        """
        return self._page.read_at(core_ns)

    def to_timeline(self, core_ns: int) -> Instant:
        """The Instant of a core stamp of this node, with the bound that was valid then.

        Raises PageHistoryError for a time before all that the page remembers (minutes).
        """
        return self._page.read_at(core_ns).instant_at(core_ns)

    past = to_timeline
    """For who wants to say that the stamp was taken a while ago."""

    def to_core(self, timeline_ns: int, mode: WaitMode = WaitMode.ESTIMATE) -> int | None:
        """When, on the core clock, a timeline time will be or was, by the present parameters.

        None while the node has never been synchronised: then no moment stands for that time.
        """
        params = self._page.read()[1]
        if not params.bounded:
            return None
        if mode is WaitMode.ESTIMATE:
            return params.core_at_estimate(timeline_ns)
        if mode is WaitMode.AFTER:
            return params.core_at_earliest(timeline_ns)
        return params.core_at_latest(timeline_ns)

    @property
    def generation(self) -> int:
        """Changes whenever the parameters do. Cheap."""
        return self._page.generation

    def counters(self) -> tuple[int, ...]:
        """The service's exchange counters, in the order of :class:`qot.exchange.Counters`."""
        return self._page.counters()

    def to_monotonic_ns(self, timeline_ns: int, mode: WaitMode = WaitMode.ESTIMATE) -> int | None:
        """When, on CLOCK_MONOTONIC, a timeline time will be or was, by the present parameters.

        None while the node has never been synchronised: then no moment stands for that time.
        """
        core_ns = self.to_core(timeline_ns, mode)
        return None if core_ns is None else self.clock.to_monotonic_ns(core_ns)

    def close(self) -> None:
        if self._native is not None:
            self._native.close()
        self._page.close()

    def __enter__(self) -> TimelineReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
