"""A table that is made for the width at hand and never breaks a name over lines.

Where it is too wide, columns go, the least important first, and a faint line names them. If what is
left is still too wide, the longest texts are cut with an ellipsis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

BETWEEN = 2
"""Blanks between two columns."""

NOTHING = "–"
"""A cell where there is nothing to say."""

SHORTEST = 8
"""A text column is never cut to less."""


class QuietTable:
    """A table with a faint rule below its head. A column that begins with ``>`` holds numbers.

    least names the columns that may go, the first to go first, but those of dashes before all.
    """

    def __init__(self, *columns: str, least: Sequence[str] = ()) -> None:
        self._names = [column.removeprefix(">") for column in columns]
        self._is_text = [not column.startswith(">") for column in columns]
        self._least = [name for name in least if name in self._names]
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: str | Text) -> None:
        """One row, a cell for each column. A cell may have several lines."""
        self._rows.append([Text(cell) if isinstance(cell, str) else cell for cell in cells])

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        widths = [self._width(index) for index in range(len(self._names))]
        shown = list(range(len(self._names)))
        gone: list[str] = []
        for name in sorted(self._least, key=self._says_something):
            if _total(widths, shown) <= options.max_width:
                break
            shown.remove(self._names.index(name))
            if self._says_something(name):
                gone.append(name)
        self._cut(widths, shown, options.max_width)
        yield self._table(widths, shown)
        named = ", ".join(name for name in gone if name)
        if named:
            yield Text(f"for a wider terminal: {named}", style="dim")

    def _says_something(self, name: str) -> bool:
        index = self._names.index(name)
        return any(row[index].plain != NOTHING for row in self._rows)

    def _width(self, index: int) -> int:
        lines = [line for row in self._rows for line in row[index].plain.splitlines()]
        return max(map(cell_len, [self._names[index], *lines]))

    def _cut(self, widths: list[int], shown: list[int], most: int) -> None:
        """Narrow the widest text column until all fit, or none can be narrowed."""
        texts = [index for index in shown if self._is_text[index]]
        while texts and _total(widths, shown) > most:
            widest = max(texts, key=widths.__getitem__)
            if widths[widest] <= SHORTEST:
                return
            widths[widest] -= 1

    def _table(self, widths: list[int], shown: list[int]) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, header_style="dim", border_style="bright_black", pad_edge=False,
            padding=(0, BETWEEN - 1, 0, 0), show_edge=False,
        )  # fmt: skip
        for index in shown:
            table.add_column(
                Text(self._names[index]),
                justify="left" if self._is_text[index] else "right",
                no_wrap=True,
                overflow="ellipsis",
                width=widths[index],
            )
        for row in self._rows:
            table.add_row(*(row[index] for index in shown))
        return table


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + BETWEEN * (len(shown) - 1)
