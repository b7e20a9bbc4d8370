"""When a node has how much to spare: the reservations of one node, for insertion."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class NodeCalendar:
    """Free millicores of one node over time, as a step function from 0 to forever.

    Neighbouring steps of the same height are one step, so that a search passes a busy stretch of
    many tasks at once.
    """

    __slots__ = ("_free", "_times")

    def __init__(self, millicores: int) -> None:
        self._times = [0]
        self._free = [millicores]

    @property
    def horizon_ns(self) -> int:
        """From here on nothing is reserved."""
        return self._times[-1]

    def earliest_ns(self, ready_ns: int, duration_ns: int, millicores: int) -> int:
        """The first start, at or after ``ready_ns``, where the whole duration fits.

        Something that takes no time fits anywhere. ``millicores`` is at most what the node has.
        """
        times, free = self._times, self._free
        last = len(times) - 1
        if duration_ns == 0 or ready_ns >= times[last]:
            return ready_ns
        step = bisect_right(times, ready_ns) - 1
        start = ready_ns
        while step < last:
            if free[step] < millicores:
                start = times[step + 1]
            elif times[step + 1] >= start + duration_ns:
                return start
            step += 1
        return start

    def reserve(self, start_ns: int, duration_ns: int, millicores: int) -> None:
        """Take ``millicores`` for the duration. Raises ValueError when they are not free."""
        if duration_ns == 0:
            return
        first = self._cut(start_ns)
        after = self._cut(start_ns + duration_ns)
        free = self._free
        enough = min(free[first:after]) >= millicores
        if enough:
            for step in range(first, after):
                free[step] -= millicores
        for step in (after, first):
            if step > 0 and free[step] == free[step - 1]:
                del free[step], self._times[step]
        if not enough:
            raise ValueError(f"{millicores} millicores are not free from {start_ns} ns on")

    def _cut(self, time_ns: int) -> int:
        """The index of the step that begins at ``time_ns``, made if there was none."""
        step = bisect_left(self._times, time_ns)
        if step == len(self._times) or self._times[step] != time_ns:
            self._times.insert(step, time_ns)
            self._free.insert(step, self._free[step - 1])
        return step
