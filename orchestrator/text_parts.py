"""The pieces that our terminal pages are put together from, so that they look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from jupiter.units import format_duration, format_number, scale_for

WIDTH = 100
"""Pages fit this many columns."""


def heading(title: str, note: str = "") -> Text:
    """A section's title, with an empty line above."""
    return Text.assemble("\n", (title, "bold"), (f"  {note}" if note else "", "dim"))


def quiet_table(*columns: str) -> Table:
    """A table with a faint rule below its head. A column that begins with ``>`` holds numbers."""
    table = Table(
        box=box.SIMPLE_HEAD, header_style="dim", border_style="bright_black", pad_edge=False,
        padding=(0, 1, 0, 0), show_edge=False,
    )  # fmt: skip
    for column in columns:
        if column.startswith(">"):
            table.add_column(column[1:], justify="right", no_wrap=True)
        else:
            table.add_column(column, overflow="fold", max_width=34)
    return table


def facts(rows: Sequence[tuple[str, str]]) -> Table:
    """Names and values, one per line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


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


def lines_of(parts: Sequence[str], width: int = 80) -> str:
    """Parts side by side, broken into lines between them."""
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + 2 + len(part) > width:
            lines.append("")
        lines[-1] += f"  {part}" if lines[-1] else part
    return "\n".join(lines)


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
