"""Draw an app's DAG, left to right, as SVG and PNG.

Boxes are coloured by node when a placement is given, else by what makes them run and how: executor
and trigger. Services stand below the DAG with a dashed edge, for no job passes through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupiter.app import HOME, App, Trigger
from jupiter.run_lock import LockedApp, RunLock, lock_app
from orchestrator.dag_layout import Box, Layout, layered_layout
from orchestrator.drawing import (
    INK,
    MUTED,
    PAPER,
    POINTS_PER_INCH,
    colours,
    figure,
    save,
    text_width_points,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT = 9.0
MARGIN = 18.0
PADDING = 9.0
_IN, _OUT = "\0in", "\0out"
"""Home stands at both ends of the drawing; task names can't begin with NUL."""


@dataclass(frozen=True, slots=True)
class _Graph:
    """What is drawn: names with the group that colours them, edges, services, and a title."""

    title: str
    groups: dict[str, str]
    edges: list[tuple[str, str]]
    services: list[str] = field(default_factory=list)


def draw_app(app: App, folder: Path, placement: Mapping[str, str] | None = None) -> list[Path]:
    """Write ``dag.svg`` and ``dag.png`` below ``folder``; gives their paths."""
    return _draw(_graph(lock_app(app, with_hash=False), placement), folder)


def draw_locked_app(lock: RunLock, folder: Path) -> list[Path]:
    """The same for a run, coloured by the nodes that the tasks were placed on."""
    return _draw(_graph(lock.app, lock.placement), folder)


def _graph(app: LockedApp, placement: Mapping[str, str] | None) -> _Graph:
    groups = {}
    for name, task in app.tasks.items():
        timed = ", at an instant" if task.trigger is Trigger.TIME else ""
        groups[name] = placement.get(name, "?") if placement else f"{task.executor}{timed}"
    edges = [(_IN, name) for name in app.ingress]
    for name, task in app.tasks.items():
        edges += [(name, child) for child in task.children if child in app.tasks]
    edges += [(name, _OUT) for name, task in app.tasks.items() if HOME in task.children]
    return _Graph(app.name, groups, edges, list(app.services))


def _draw(graph: _Graph, folder: Path) -> list[Path]:
    names = [_IN, *graph.groups, _OUT]
    widths = {name: text_width_points(_label(name), FONT) + 2 * PADDING for name in names}
    layout = layered_layout(widths, graph.edges)
    palette = colours(list(dict.fromkeys(sorted(graph.groups.values()))))
    header, footer = 34.0, 34.0 if graph.services else 0.0
    services = text_width_points("   ".join(graph.services), FONT) + 24.0 * len(graph.services)
    legend = sum(text_width_points(group, FONT) + 26.0 for group in palette)
    title = text_width_points(graph.title, 12.0) + 40.0
    width = max(layout.width, min(services, 1200.0), min(title + legend, 1200.0)) + 2 * MARGIN
    height = layout.height + header + footer + 2 * MARGIN
    with figure(width / POINTS_PER_INCH, height / POINTS_PER_INCH) as drawn:
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set_xlim(-MARGIN, width - MARGIN)
        axes.set_ylim(height - MARGIN - header, -MARGIN - header)
        axes.axis("off")
        _edges(axes, layout, len(graph.edges))
        for name, box in layout.boxes.items():
            _box(axes, name, box, palette[graph.groups[name]] if name in graph.groups else None)
        _legend(axes, graph.title, palette, -header + 8.0, title)
        _services(axes, graph.services, layout.height + 24.0)
        return save(drawn, folder, "dag")


def _label(name: str) -> str:
    return HOME if name in (_IN, _OUT) else name


def _box(axes: Axes, name: str, box: Box, colour: str | None) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={6.0 if colour else box.height / 2}",
            facecolor=colour or PAPER,
            edgecolor=PAPER if colour else MUTED,
            linewidth=0.0 if colour else 1.0,
            zorder=3,
        )
    )
    axes.text(
        box.x,
        box.y,
        _label(name),
        ha="center",
        va="center_baseline",
        fontsize=FONT,
        color=INK if colour else MUTED,
        zorder=4,
        parse_math=False,
    )


def _edges(axes: Axes, layout: Layout, count: int) -> None:
    """Curves that leave and enter boxes level, with a small arrow head at the end."""
    from matplotlib.collections import PathCollection, PolyCollection
    from matplotlib.path import Path as Curve

    crowded = count > 400
    curves, heads = [], []
    for (source, target), waypoints in layout.edges.items():
        start, end = layout.boxes[source], layout.boxes[target]
        x, y = start.x + start.width / 2, start.y
        tip = (end.x - end.width / 2, end.y)
        points, codes = [(x, y)], [Curve.MOVETO]
        for left, right, level in [*waypoints, (tip[0] - 5.0, tip[0] - 5.0, tip[1])]:
            bend = (left - x) / 2
            points += [(x + bend, y), (left - bend, level), (left, level), (right, level)]
            codes += [Curve.CURVE4] * 3 + [Curve.LINETO]
            x, y = right, level
        curves.append(Curve(points, codes))
        heads.append([tip, (tip[0] - 6.0, tip[1] - 3.0), (tip[0] - 6.0, tip[1] + 3.0)])
    style: Any = {"alpha": 0.45 if crowded else 0.9, "zorder": 1}
    axes.add_collection(
        PathCollection(
            curves,
            facecolors="none",
            edgecolors="#9aa4ae",
            linewidths=0.6 if crowded else 1.0,
            **style,
        )
    )
    axes.add_collection(PolyCollection(heads, facecolors="#9aa4ae", edgecolors="none", **style))


def _legend(axes: Axes, title: str, palette: Mapping[str, str], y: float, x: float) -> None:
    axes.text(0, y, title, fontsize=12, fontweight="bold", va="center", parse_math=False)
    right = axes.get_xlim()[1]
    for group, colour in palette.items():
        wide = text_width_points(group, FONT) + 26.0
        if x + wide > right:
            axes.text(x, y, "…", va="center", color=MUTED)
            return
        axes.scatter([x + 5.0], [y], s=48, marker="s", color=colour, linewidths=0)
        axes.text(x + 14.0, y, group, fontsize=FONT, va="center", color=MUTED, parse_math=False)
        x += wide


def _services(axes: Axes, services: list[str], y: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x = 0.0
    right = axes.get_xlim()[1]
    for index, name in enumerate(services):
        wide = text_width_points(name, FONT) + 2 * PADDING
        if x + wide > right - 90.0 and index < len(services) - 1:
            axes.text(x, y, f"and {len(services) - index} more", va="center", color=MUTED)
            return
        axes.add_patch(
            FancyBboxPatch(
                (x, y - 11.0),
                wide,
                22.0,
                boxstyle="round,pad=0,rounding_size=6",
                facecolor=PAPER,
                edgecolor=MUTED,
                linestyle=(0, (3, 2)),
                linewidth=1.0,
            )
        )
        axes.text(x + wide / 2, y, name, ha="center", va="center", fontsize=FONT, parse_math=False)
        x += wide + 12.0
