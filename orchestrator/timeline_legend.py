"""Which task has which colour in the timeline picture, and the lines that say so above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.drawing import MUTED, POINTS_PER_INCH, colours, text_width_points
from orchestrator.report_data import RunData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TASKS_WITH_COLOUR = 24
"""Of more tasks than this, those that ran longest get a colour each and the others share one."""

OTHERS = "#b3b3b3"
"""The colour of tasks that have none of their own."""

TOP, LINE, MARGIN = 38.0, 16.0, 16.0


def task_colours(data: RunData) -> dict[str, str]:
    """A colour for each task, or for the longest running ones; in the order of the app."""
    ran_ns: Counter[str] = Counter()
    for call in data.calls:
        ran_ns[call.task] += call.ended.core_ns - call.started.core_ns
    known = [*data.lock.app.tasks, *sorted(ran_ns.keys() - data.lock.app.tasks.keys())]
    tasks = [task for task in known if task in ran_ns]
    if len(tasks) > TASKS_WITH_COLOUR:
        longest = sorted(tasks, key=lambda task: -ran_ns[task])[: TASKS_WITH_COLOUR - 1]
        tasks = [task for task in tasks if task in longest]
    return colours(tasks)


def legend_of(data: RunData, palette: Mapping[str, str]) -> dict[str, str]:
    """Words, and the colour beside them."""
    others = len({call.task for call in data.calls} - palette.keys())
    return {**palette, **({f"{others} tasks with less work": OTHERS} if others else {})}


def legend_lines(words: Sequence[str], width: float) -> list[list[str]]:
    """Words in as many lines of ``width`` points as they need."""
    lines: list[list[str]] = [[]]
    wide = 0.0
    for word in words:
        if lines[-1] and wide + _width(word) > width - 2 * MARGIN:
            lines.append([])
            wide = 0.0
        lines[-1].append(word)
        wide += _width(word)
    return lines


def _width(word: str) -> float:
    return text_width_points(word, 9.0) + 28.0


def draw_legend(drawn: Figure, lines: Sequence[Sequence[str]], legend: Mapping[str, str]) -> None:
    """Draw the lines below the title."""
    wide, high = (float(inches) * POINTS_PER_INCH for inches in drawn.get_size_inches())
    for line, words in enumerate(lines):
        x, y = MARGIN, 1 - (TOP + LINE * line) / high
        for word in words:
            drawn.text(x / wide, y, "■", color=legend[word], va="center", fontsize=10)
            drawn.text((x + 13) / wide, y, word, color=MUTED, va="center", parse_math=False)
            x += _width(word)
