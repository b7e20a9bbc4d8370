"""When a node is free within a period that repeats: reservations on a circle."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class PeriodCalendar:
    """Free millicores of one node over one period. What is reserved repeats in every period."""

    def __init__(self, period_ns: int, millicores: int) -> None:
        self._period = period_ns
        self._times = [0]
        self._free = [millicores]

    def earliest_ns(self, ready_ns: int, duration_ns: int, millicores: int) -> int | None:
        """The first offset from ``ready_ns`` on where the duration fits; None if there is none.

        The duration is at most the period. Something that takes no time fits anywhere.
        """
        if duration_ns == 0:
            return ready_ns
        lap, phase = divmod(ready_ns, self._period)
        step = bisect_right(self._times, phase) - 1
        start = ready_ns
        while start < ready_ns + self._period:
            last = step + 1 == len(self._times)
            end = lap * self._period + (self._period if last else self._times[step + 1])
            if self._free[step] < millicores:
                start = max(start, end)
            elif end >= start + duration_ns:
                return start
            step += 1
            if last:
                step, lap = 0, lap + 1
        return None

    def fits(self, offset_ns: int, duration_ns: int, millicores: int) -> bool:
        """Whether it can begin exactly there."""
        return self.earliest_ns(offset_ns, duration_ns, millicores) == offset_ns

    def snug_ns(self, ready_ns: int, duration_ns: int, millicores: int) -> int | None:
        """The first offset from ``ready_ns`` on that leaves no new gap: it touches a neighbour.

        On a node that runs one stage at a time this keeps all free time in one piece, so that it
        finds a place whenever there is room at all. None if there is none.
        """
        free = self._free
        edges = [time for i, time in enumerate(self._times) if free[i] != free[i - 1]]
        if not edges:
            return self.earliest_ns(ready_ns, duration_ns, millicores)
        phases = {*edges, *((time - duration_ns) % self._period for time in edges)}
        offsets = sorted(ready_ns + (phase - ready_ns) % self._period for phase in phases)
        return next((at for at in offsets if self.fits(at, duration_ns, millicores)), None)

    def reserve(self, offset_ns: int, duration_ns: int, millicores: int) -> None:
        """Take ``millicores`` from the offset on, in every period."""
        start = offset_ns % self._period
        end = start + duration_ns
        self._take(start, min(end, self._period), millicores)
        self._take(0, end - self._period, millicores)

    def _take(self, start: int, end: int, millicores: int) -> None:
        if end <= start:
            return
        first = self._cut(start)
        after = len(self._times) if end == self._period else self._cut(end)
        for step in range(first, after):
            self._free[step] -= millicores

    def _cut(self, time_ns: int) -> int:
        step = bisect_left(self._times, time_ns)
        if step == len(self._times) or self._times[step] != time_ns:
            self._times.insert(step, time_ns)
            self._free.insert(step, self._free[step - 1])
        return step
