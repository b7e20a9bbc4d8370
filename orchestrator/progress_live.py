"""The live view of a run in a terminal: phases, jobs, nodes, the last failure."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from jupiter.units import format_duration
from orchestrator.progress import Clock, Progress, RateMeter, counts_text

REFRESH_PER_SECOND = 5
"""Often enough for the eye; drawing costs the nodes of a small machine some of its time."""

NODES_BY_NAME = 8
"""More nodes than this are shown as counts by state."""

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

    def __init__(self, console: Console | None = None, clock: Clock = time.monotonic_ns) -> None:
        super().__init__(clock)
        self.console = console or Console(file=sys.stderr)
        self.phases: list[_Phase] = []
        self.total: int | None = None
        self.rate = RateMeter()
        self.last_counts: tuple[int, int, int] | None = None
        self.nodes: dict[str, tuple[str, int]] = {}
        self.last_failure = ""
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

    def node(self, name: str, state: str, queue: int = 0) -> None:
        self.nodes[name] = (state, queue)

    def failure(self, text: str) -> None:
        self.last_failure = text

    def notice(self, text: str) -> None:
        self.console.print(f"[yellow]note[/yellow] {escape(text)}", highlight=False)

    def outputs(self, path: Path) -> None:
        super().outputs(path)
        self.console.print(
            f"[green]outputs[/green] {escape(str(path))}", highlight=False, soft_wrap=True
        )

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
        if self.last_failure:
            rows.append(_cut(Text.assemble(("  last failure ", "red"), self.last_failure)))
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
        assert self.last_counts is not None
        released, done, failed = self.last_counts
        line = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [Text(" ")]
        if self.total:
            colour = "red" if failed else "green"
            cells.append(
                ProgressBar(
                    total=self.total,
                    completed=done + failed,
                    width=24,
                    complete_style=colour,
                    finished_style=colour,
                )
            )
        cells.append(Text(counts_text(released, done, failed, self.total, self.rate)))
        line.add_row(*cells)
        return line

    def _node_line(self) -> Text:
        if len(self.nodes) > NODES_BY_NAME:
            states = Counter(state for state, _ in self.nodes.values())
            waiting = sum(queue for _, queue in self.nodes.values())
            parts = [f"{count} {state}" for state, count in states.items()]
            return _cut(Text(f"  nodes {', '.join(parts)}; {waiting} calls waiting", style="dim"))
        text = Text("  ")
        for name, (state, queue) in self.nodes.items():
            colour = "green" if state in _GOOD else "red" if state in _BAD else "yellow"
            text.append("● ", style=colour)
            text.append(name)
            if state not in _GOOD:
                text.append(f" {state}", style=colour)
            text.append(f" {queue}   " if queue else "   ", style="dim")
        return _cut(text)


def _cut(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
