"""Progress of a run: what the pipeline reports, and the plain ways to show it.

The pipeline calls the methods; it never asks how they are shown. All of them return at once and
may be called from one thread only. The live view is :mod:`orchestrator.progress_live`. Everything
goes to stderr, so that stdout stays data.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from jupiter.units import format_duration, format_number
from orchestrator.failure_kinds import Kind, kind_of

INFO, WARNING = "info", "warning"
"""Levels of notices; others are shown as warnings are."""

Clock = Callable[[], int]
"""Gives monotonic ns."""

LINE_EVERY_NS = 2_000_000_000
"""A plain log gets a line of counts at most this often."""


@dataclass(slots=True)
class RateMeter:
    """Items per second over the last ``window_ns``, from a growing count."""

    window_ns: int = 10_000_000_000
    _points: deque[tuple[int, int]] = field(default_factory=deque)

    def add(self, now_ns: int, count: int) -> None:
        self._points.append((now_ns, count))
        while len(self._points) > 2 and self._points[1][0] <= now_ns - self.window_ns:
            self._points.popleft()

    @property
    def per_second(self) -> float | None:
        """None until two moments are known."""
        if len(self._points) < 2:
            return None
        (first_ns, first), (last_ns, last) = self._points[0], self._points[-1]
        return (last - first) * 1e9 / (last_ns - first_ns) if last_ns > first_ns else None

    def eta_ns(self, left: int) -> int | None:
        """How long ``left`` more items take at this rate; None while nothing moves."""
        rate = self.per_second
        return round(left / rate * 1e9) if rate else None


class Progress:
    """Hears of a run's progress and shows nothing: the base of the other views.

    Remembers what the command line needs to know: the run folder, and the outputs it was told of.
    """

    def __init__(self, clock: Clock = time.monotonic_ns) -> None:
        self.clock = clock
        self.began_ns = clock()
        self.run_path: Path | None = None
        self.outputs_path: Path | None = None
        self._noticed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, path: Path) -> None:
        """The run folder was made."""
        self.run_path = path

    def phase(self, name: str, detail: str = "") -> None:
        """The run entered a phase (the names of :class:`jupiter.events.Phase`)."""

    def expect(self, jobs: int) -> None:
        """How many jobs the run will release."""

    def counts(self, released: int, done: int, failed: int) -> None:
        """How many jobs were released, done and failed until now."""

    def node(self, name: str, state: str) -> None:
        """A node's state in a word ("up", "lost", "down", ...)."""

    def failure(self, job: str, task: str, reason: str, words: str = "") -> None:
        """A job failed: where, why, and the last words of the task if they say more."""

    def notice(self, text: str, level: str = WARNING) -> None:
        """Something that a person should read, but once: again it is not shown."""
        if text not in self._noticed:
            self._noticed.add(text)
            self.show_notice(text, level)

    def show_notice(self, text: str, level: str) -> None:
        """Show a notice that is new."""

    def outputs(self, path: Path) -> None:
        """Streaming has ended; the outputs are here."""
        self.outputs_path = path

    def close(self) -> None:
        """Leave the terminal as it was. May be called twice."""


class QuietProgress(Progress):
    """Shows warnings and nothing else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.stream = stream or sys.stderr

    def show_notice(self, text: str, level: str) -> None:
        if level != INFO:
            self.stream.write(f"{level}: {text}\n")


class LineProgress(Progress):
    """Progress as log lines, for pipes, files and CI."""

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Clock = time.monotonic_ns,
        every_ns: int = LINE_EVERY_NS,
    ) -> None:
        super().__init__(clock)
        self.stream = stream or sys.stderr
        self.every_ns = every_ns
        self.total: int | None = None
        self.rate = RateMeter()
        self.states: dict[str, str] = {}
        self.failures: Counter[Kind] = Counter()
        self._counted_ns: int | None = None
        self._last: tuple[int, int, int] | None = None
        self._shown: tuple[int, int, int] | None = None

    def phase(self, name: str, detail: str = "") -> None:
        self._show_counts()
        self._line(f"{name}: {detail}" if detail else name)

    def expect(self, jobs: int) -> None:
        self.total = jobs

    def counts(self, released: int, done: int, failed: int) -> None:
        now = self.clock()
        self.rate.add(now, done + failed)
        self._last = (released, done, failed)
        if self._counted_ns is None:
            self._counted_ns = now
        if now - self._counted_ns >= self.every_ns:
            self._counted_ns = now
            self._show_counts()

    def node(self, name: str, state: str) -> None:
        if self.states.get(name) != state:
            self.states[name] = state
            self._line(f"node {name}: {state}")

    def failure(self, job: str, task: str, reason: str, words: str = "") -> None:
        """The first of its kind at once, the others when progress is closed."""
        kind = kind_of(task, reason)
        if kind not in self.failures:
            self._line(f"failed: {job} at {failure_words(task, reason, words)}")
        self.failures[kind] += 1

    def show_notice(self, text: str, level: str) -> None:
        self._line(f"note: {text}")

    def outputs(self, path: Path) -> None:
        super().outputs(path)
        self._show_counts()
        self._line(f"outputs: {path}")

    def close(self) -> None:
        self._show_counts()
        for (task, _), count in self.failures.items():
            if count > 1:
                self._line(f"failed: {count} jobs alike at {task}")
        self.failures.clear()
        self.stream.flush()

    def _show_counts(self) -> None:
        if self._last is None or self._last == self._shown:
            return
        self._shown = self._last
        self._line(counts_text(*self._last, self.total, self.rate))

    def _line(self, text: str) -> None:
        elapsed_s = (self.clock() - self.began_ns) / 1e9
        self.stream.write(f"[{elapsed_s:7.2f} s] {text}\n")
        self.stream.flush()


def counts_text(released: int, done: int, failed: int, total: int | None, rate: RateMeter) -> str:
    """``12 of 40 jobs done, 3 in flight, 1 failed, 9.8/s, 3 s left``."""
    parts = [f"{done} of {total} jobs done" if total is not None else f"{done} jobs done"]
    parts.append(f"{released - done - failed} in flight")
    if failed:
        parts.append(f"{failed} failed")
    if rate.per_second:
        parts.append(f"{format_number(rate.per_second)}/s")
    left = None if total is None else total - done - failed
    eta_ns = rate.eta_ns(left) if left else None
    if eta_ns is not None:
        parts.append(f"about {format_duration(eta_ns)} left")
    return ", ".join(parts)


def failure_words(task: str, reason: str, words: str) -> str:
    """A failure on one line."""
    more = f" ({words})" if words and words not in reason else ""
    return " ".join(f"{task}: {reason}{more}".split())


def make_progress(*, quiet: bool, as_json: bool) -> Progress:
    """The view that fits: warnings when quiet, lines for ``--json`` or a pipe, else the live view.

    The live view leaves notices to the report if that goes to a terminal, too.
    """
    if quiet:
        return QuietProgress()
    if as_json or not sys.stderr.isatty():
        return LineProgress()
    from orchestrator.progress_live import LiveProgress

    return LiveProgress(keep_notices=sys.stdout.isatty())
