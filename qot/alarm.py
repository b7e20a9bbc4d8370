"""Alarm: many timeline instants, one dedicated thread that wakes at each and calls back.

The node's way to fire stages: asyncio's timers are a millisecond coarse and know no timeline. The
callback runs in the alarm's thread and should only hand over (``loop.call_soon_threadsafe``).
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count
from types import TracebackType

from qot.errors import PageNeverWrittenError, PageTornError
from qot.realtime import Grant, prepare_thread
from qot.timeline import TimelineReader, WaitMode
from qot.wait import SLICE_NS, SPIN_NS, Wake, make_wake

FIFO_PRIORITY = 10


class Alarm:
    """A thread with a heap of (target, callback) for each wait mode.

    Within one mode the order of targets is the order of wake-ups, whatever the clock's parameters
    are, so a correction re-arms the sleep and never the heap. Targets in the past fire at once.
    A callback that raises is reported through ``on_error`` (default: threading.excepthook) and
    harms no other.
    """

    def __init__(
        self,
        reader: TimelineReader,
        *,
        name: str = "alarm",
        fifo_priority: int = FIFO_PRIORITY,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._reader = reader
        self._fifo_priority = fifo_priority
        self._on_error = on_error
        self._changed = threading.Condition()
        self._heaps: dict[WaitMode, list[tuple[int, int]]] = {mode: [] for mode in WaitMode}
        self._callbacks: dict[int, Callable[[Wake], None]] = {}
        self._handles = count(1)
        self._stopping = False
        self._grant: Grant | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Grant:
        """Start the thread; tells what the system granted it."""
        self._thread.start()
        self._ready.wait()
        assert self._grant is not None
        return self._grant

    def add(
        self,
        target_ns: int,
        callback: Callable[[Wake], None],
        mode: WaitMode = WaitMode.ESTIMATE,
    ) -> int:
        """Call ``callback`` once when the timeline reaches ``target_ns``. Gives a handle to cancel.

        Equal targets fire in the order they were added. Any thread.
        """
        with self._changed:
            handle = next(self._handles)
            self._callbacks[handle] = callback
            heap = self._heaps[mode]
            heapq.heappush(heap, (target_ns, handle))
            if heap[0][1] == handle:
                self._changed.notify()
        return handle

    def cancel(self, handle: int) -> bool:
        """True: it will not be called. False: it was called already, is being, or was cancelled."""
        with self._changed:
            return self._callbacks.pop(handle, None) is not None

    @property
    def pending(self) -> int:
        """How many instants are waited for."""
        return len(self._callbacks)

    def stop(self) -> None:
        """Drop all that is pending and end the thread. Not from a callback."""
        with self._changed:
            self._stopping = True
            self._callbacks.clear()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Alarm:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        self._grant = prepare_thread(self._fifo_priority)
        spin_ns = SPIN_NS if self._grant.fifo else 0
        self._ready.set()
        while True:
            with self._changed:
                due = self._next(spin_ns)
                if due is None:
                    return
            target_ns, callback, wanted_ns = due
            while (returned_ns := time.monotonic_ns()) < wanted_ns:
                pass
            wake = make_wake(self._reader, target_ns, wanted_ns, returned_ns)
            try:
                callback(wake)
            except Exception as error:
                self._report(error)

    def _next(self, spin_ns: int) -> tuple[int, Callable[[Wake], None], int] | None:
        """Wait, with the lock, for the next instant that is due; None when stopping."""
        while not self._stopping:
            wanted_ns, mode = self._earliest()
            if mode is None:
                self._changed.wait()
                continue
            left_ns = SLICE_NS if wanted_ns is None else wanted_ns - time.monotonic_ns()
            if wanted_ns is None or left_ns > spin_ns:
                self._changed.wait(min(left_ns - spin_ns, SLICE_NS) / 1e9)
                continue
            target_ns, handle = heapq.heappop(self._heaps[mode])
            return target_ns, self._callbacks.pop(handle), wanted_ns
        return None

    def _earliest(self) -> tuple[int | None, WaitMode | None]:
        """When the next instant is due on CLOCK_MONOTONIC, and in which heap it is.

        The time is None while the node was never synchronised; the heap when nothing is pending.
        """
        best_ns: int | None = None
        best: WaitMode | None = None
        for mode, heap in self._heaps.items():
            while heap and heap[0][1] not in self._callbacks:
                heapq.heappop(heap)
            if not heap:
                continue
            due_ns = self._project(heap[0][0], mode)
            if best is None or (due_ns is not None and best_ns is not None and due_ns < best_ns):
                best_ns, best = due_ns, mode
        return best_ns, best

    def _project(self, target_ns: int, mode: WaitMode) -> int | None:
        """The moment of a target; None, to be asked again soon, while the page says nothing."""
        try:
            return self._reader.to_monotonic_ns(target_ns, mode)
        except (PageNeverWrittenError, PageTornError):
            return None

    def _report(self, error: BaseException) -> None:
        if self._on_error is not None:
            self._on_error(error)
        else:
            threading.excepthook(
                threading.ExceptHookArgs((type(error), error, error.__traceback__, self._thread))
            )
