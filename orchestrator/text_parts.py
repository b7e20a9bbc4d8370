"""The pieces that our terminal pages are put together from, so that they look alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from jupiter.units import format_duration, format_number, scale_for


def heading(title: str, note: str = "") -> Text:
    """A section's title, with an empty line above."""
    return Text.assemble("\n", (title, "bold"), (f"  {note}" if note else "", "dim"))


def facts(rows: Sequence[tuple[str, RenderableType]]) -> Table:
    """Names and values, one per line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value) if isinstance(value, str) else value)
    return table


def bullet(sign: str, colour: str, words: str | Text) -> Table:
    """A point of a list; its further lines begin where its first does."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style=colour, width=3, justify="right")
    table.add_column(overflow="fold")
    table.add_row(sign, Text(words) if isinstance(words, str) else words)
    return table


def unbroken(line: str, style: str = "") -> Text:
    """A line that only the terminal may break, so that what is copied from it is whole."""
    return Text(line, style=style, no_wrap=True, overflow="ignore")


def duration(duration_ns: float | None) -> str:
    """A duration, or a dash where there is none."""
    return "–" if duration_ns is None else format_duration(duration_ns)


def interval(low_ns: float, high_ns: float) -> str:
    """``1.2 … 1.4 ms``."""
    low, high = format_duration(low_ns), format_duration(high_ns)
    if low.rsplit(" ", 1)[-1] == high.rsplit(" ", 1)[-1]:
        low = low.rsplit(" ", 1)[0]
    return f"{low} … {high}"


def together(figures: Mapping[str, int] | None, *names: str) -> str:
    """``3.6 / 9 / 12.1 µs``: figures of one spread in one unit, that of the largest."""
    if figures is None:
        return "–"
    values = [figures[f"{name}_ns"] for name in names]
    scale, unit = scale_for(max(values))
    return " / ".join(format_number(value / scale) for value in values) + f" {unit}"


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Parts in as few lines as the width allows, broken between parts only."""

    parts: Sequence[str]
    between: str = "  "

    def lines(self, width: int) -> list[str]:
        lines: list[str] = []
        for part in self.parts:
            if lines and cell_len(lines[-1] + self.between + part) <= width:
                lines[-1] += self.between + part
            else:
                lines.append(part)
        return lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text("\n".join(self.lines(options.max_width)), overflow="fold")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = max(map(cell_len, self.parts), default=0)
        whole = cell_len(self.between.join(self.parts))
        return Measurement(widest, whole).with_maximum(options.max_width)


def per_cent(share: float | None) -> Text:
    """100 % in green only when it is all of them; anything less in red and never rounded up."""
    if share is None:
        return Text("–", style="dim")
    if share == 1.0:
        return Text("100 %", style="green")
    return Text(f"{int(share * 10_000) / 100:.2f} %", style="bold red")


def shorten(path: str) -> str:
    """A path as one would type it here: relative when it is below the current folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def more(left: int) -> list[str]:
    """A line that says how many were left out, if any."""
    return [f"… and {left} more"] if left > 0 else []


def cut_note(left: int, what: str) -> list[Text]:
    """A line that says how many are in report.json alone, if any."""
    return [Text(f"  … and {left} {what}: see report.json", style="dim")] if left > 0 else []
