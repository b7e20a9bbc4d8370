"""The live view of a run in a terminal: phases, jobs, nodes, the last failure."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from jupiter.units import format_duration
from orchestrator.failure_kinds import Kind, kind_of
from orchestrator.progress import Clock, Progress, RateMeter, counts_text, failure_words

REFRESH_PER_SECOND = 5
"""Often enough for the eye; drawing costs the nodes of a small machine some of its time."""

SHORTEST_BAR, LONGEST_BAR = 8, 24
"""Columns of the bar of jobs; with less room there is none."""

_GOOD = {"up", "ready", "running"}
_BAD = {"down", "lost"}


@dataclass(slots=True)
class _Phase:
    name: str
    detail: str
    began_ns: int
    ended_ns: int | None = None


class LiveProgress(Progress):
    """Redraws a few lines at the bottom of the terminal; what is said once scrolls above them."""

    def __init__(
        self,
        console: Console | None = None,
        clock: Clock = time.monotonic_ns,
        *,
        keep_notices: bool = False,
    ) -> None:
        """keep_notices shows notices in full only if the run breaks off; else a report does."""
        super().__init__(clock)
        self.keep_notices = keep_notices
        self.console = console or Console(file=sys.stderr)
        self.phases: list[_Phase] = []
        self.total: int | None = None
        self.rate = RateMeter()
        self.last_counts: tuple[int, int, int] | None = None
        self.nodes: dict[str, str] = {}
        self.failures: Counter[Kind] = Counter()
        self.last_failure: tuple[Kind, str] | None = None
        self.kept: list[str] = []
        self._bar_room = LONGEST_BAR
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            get_renderable=self.render,
            console=self.console,
            refresh_per_second=REFRESH_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def run(self, path: Path) -> None:
        super().run(path)
        self.console.print(f"[dim]run[/dim] {escape(path.name)}", highlight=False)

    def phase(self, name: str, detail: str = "") -> None:
        now = self.clock()
        if self.phases and self.phases[-1].name == name:
            self.phases[-1].detail = detail
            return
        self._end_phase(now)
        self.phases.append(_Phase(name, detail, now))

    def expect(self, jobs: int) -> None:
        self.total = jobs

    def counts(self, released: int, done: int, failed: int) -> None:
        self.rate.add(self.clock(), done + failed)
        self.last_counts = (released, done, failed)

    def node(self, name: str, state: str) -> None:
        self.nodes[name] = state

    def failure(self, job: str, task: str, reason: str, words: str = "") -> None:
        kind = kind_of(task, reason)
        self.failures[kind] += 1
        self.last_failure = kind, f"{job} at {failure_words(task, reason, words)}"

    def show_notice(self, text: str, level: str) -> None:
        if self.keep_notices:
            self.kept.append(text)
        else:
            self._print_notice(text)

    def _print_notice(self, text: str) -> None:
        self.console.print(f"[yellow]note[/yellow] {escape(text)}", highlight=False)

    def outputs(self, path: Path) -> None:
        super().outputs(path)
        self.console.print(
            f"[green]outputs[/green] {escape(str(path))}", highlight=False, soft_wrap=True
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is not None:
            for text in self.kept:
                self._print_notice(text)

    def close(self) -> None:
        self._end_phase(self.clock())
        self._live.stop()

    def _end_phase(self, now: int) -> None:
        if self.phases and self.phases[-1].ended_ns is None:
            self.phases[-1].ended_ns = now

    def render(self) -> RenderableType:
        """The lines as they are now."""
        rows: list[RenderableType] = [self._phase_table()]
        if self.last_counts is not None:
            rows.append(self._jobs())
        if self.nodes and self._running:
            rows.append(self._node_line())
        if self.last_failure is not None:
            kind, words = self.last_failure
            alike = f"{self.failures[kind]} alike, last " if self.failures[kind] > 1 else ""
            rows.append(_cut(Text.assemble(("  failed ", "red"), (alike, "red"), words)))
        if self.kept and self._running:
            count = f" ({len(self.kept)})" if len(self.kept) > 1 else ""
            rows.append(_cut(Text.assemble((f"  note{count} ", "yellow"), self.kept[-1])))
        return Group(*rows)

    @property
    def _running(self) -> bool:
        return bool(self.phases) and self.phases[-1].ended_ns is None

    def _phase_table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(min_width=9)
        table.add_column(justify="right", min_width=8)
        table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
        for phase in self.phases:
            done = phase.ended_ns is not None
            end = phase.ended_ns if phase.ended_ns is not None else self.clock()
            table.add_row(
                Text("✓", style="green") if done else self._spinner,
                Text(phase.name, style="" if done else "bold"),
                Text(format_duration(end - phase.began_ns), style="dim"),
                phase.detail,
            )
        return table

    def _jobs(self) -> RenderableType:
        """Counts, behind a bar where there is room for both; it never grows, lest it flickers."""
        assert self.last_counts is not None
        released, done, failed = self.last_counts
        rate = self.rate if self._running else RateMeter()  # what has ended has no time left
        text = Text(counts_text(released, done, failed, self.total, rate))
        line = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [Text(" ")]
        self._bar_room = min(self._bar_room, self.console.width - text.cell_len - 3)
        if self.total and self._bar_room >= SHORTEST_BAR:
            colour = "red" if failed else "green"
            cells.append(
                ProgressBar(
                    total=self.total,
                    completed=done + failed,
                    width=self._bar_room,
                    complete_style=colour,
                    finished_style=colour,
                )
            )
        line.add_row(*cells, _cut(text))
        return line

    def _node_line(self) -> Text:
        """Every node by name, or where that is too long the counts, with the names of the bad."""
        text = Text("  ")
        for name, state in self.nodes.items():
            colour = _colour(state)
            text.append("● ", style=colour)
            text.append(name if state in _GOOD else f"{name} {state}")
            text.append("   ")
        text.rstrip()
        if text.cell_len <= self.console.width:
            return text
        counts = Counter(self.nodes.values())
        text = Text("  nodes", style="dim")
        for state, count in counts.items():
            text.append(f"  ● {count} {state}", style=_colour(state))
            if state not in _GOOD:
                names = [name for name, found in self.nodes.items() if found == state]
                text.append(f": {', '.join(names)}")
        return _cut(text)


def _colour(state: str) -> str:
    return "green" if state in _GOOD else "red" if state in _BAD else "yellow"


def _cut(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
