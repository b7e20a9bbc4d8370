"""The timeline picture of a run: a row per node, a bar per call, over the run's time.

Bars that overlap on one node are stacked in lanes. Small runs also show deliveries between nodes as
thin lines; a bar with room holds its job's number; planned instants are red ticks. Of calls that
are too many for bars it shows how many ran at once (:mod:`orchestrator.timeline_load`). The time
axis is the machine's own clock where all nodes share one, else the timeline.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jupiter.app import HOME
from jupiter.events import Stamp, TaskDone
from jupiter.units import format_number
from orchestrator.drawing import (
    FAINT,
    INK,
    MUTED,
    POINTS_PER_INCH,
    RED,
    figure,
    save,
    text_width_points,
)
from orchestrator.report_data import RunData
from orchestrator.timeline_legend import (
    OTHERS,
    draw_legend,
    legend_lines,
    legend_of,
    task_colours,
)
from orchestrator.timeline_load import Span, draw_loads, highest, loads, slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_IN = 13.0
LANE_POINTS = 15.0
ROW_POINTS = 26.0
"""A node's row is at least this high, and grows by a lane for each call that overlaps."""

MOST_ROW_POINTS = 120.0
BARS_WITH_LINES = 400
"""More bars than this are drawn without deliveries."""

MOST_BARS = 4000
"""More calls than this are drawn as areas."""

AREA_POINTS = 64.0
"""The height of a node's row of areas."""

NODES_WITH_IDLE = 8
"""Of more nodes than this, those without a call get no row."""

SHORTEST_BAR = 1 / 450
SHORTEST_BAR_IN_A_CROWD = 1 / 1500
"""A bar is at least this share of the axis wide, so that a short call is seen."""

_UNITS = ((2_000_000_000, 1e9, "s"), (2_000_000, 1e6, "ms"), (0, 1e3, "µs"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One call on a node, in ns since the first thing of the run. lane counts from 0."""

    call: TaskDone
    start_ns: int
    end_ns: int
    lane: int


def pack(calls: Sequence[TaskDone], spans: Sequence[tuple[int, int]]) -> list[Bar]:
    """Put the calls of one node in lanes, so that no two overlap in one and few are needed."""
    order = sorted(range(len(calls)), key=lambda index: (*spans[index], index))
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    bars = []
    lanes = 0
    for index in order:
        start, end = spans[index]
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, lanes = lanes, lanes + 1
        heapq.heappush(busy, (max(end, start + 1), lane))
        bars.append(Bar(calls[index], start, end, lane))
    return bars


@dataclass(slots=True)
class _Row:
    """A node's strip of the picture; y in points from the top."""

    node: str
    bars: list[Bar]
    top: float = 0.0
    height: float = ROW_POINTS
    lanes: int = field(init=False)

    def __post_init__(self) -> None:
        self.lanes = max((bar.lane for bar in self.bars), default=0) + 1

    def lane(self, lane: int) -> tuple[float, float]:
        """Top and height of a lane's bars."""
        each = (self.height - 8.0) / self.lanes
        gap = 1.5 if each > 6 else 0.0
        return self.top + 4.0 + lane * each, each - gap


def draw_timeline(data: RunData, folder: Path) -> list[Path]:
    """Write ``timeline.svg`` and ``.png`` below ``folder``; nothing when no call was logged."""
    if not data.calls:
        return []
    axis = _TimeAxis(data)
    labels = {job: str(released.index) for job, released in data.released.items()}
    rows = _rows(data, axis)
    palette = task_colours(data)
    legend = legend_of(data, palette)
    lines = legend_lines(list(legend), WIDTH_IN * POINTS_PER_INCH)
    header = 30.0 + 16.0 * len(lines)
    body = rows[-1].top + rows[-1].height
    left, right, bottom = _name_width(rows), 16.0, 42.0
    height = header + body + bottom
    wide = WIDTH_IN * POINTS_PER_INCH
    with figure(WIDTH_IN, height / POINTS_PER_INCH) as drawn:
        axes = drawn.add_axes(
            (left / wide, bottom / height, 1 - (left + right) / wide, body / height)
        )
        axes.set_xlim(-0.005 * axis.span, 1.005 * axis.span)
        axes.set_ylim(body, 0)
        _frame(axes, rows, axis)
        title = f"{data.lock.app.name}: {len(data.released)} jobs on {len(rows)} nodes"
        idle = len(data.lock.nodes) - len(rows) - (HOME not in {row.node for row in rows})
        if idle > 0:
            title += f", {idle} more had none"
        if len(data.calls) > MOST_BARS:
            most = _areas(axes, rows, axis, palette)
            title += f"; height: calls at once, at most {format_number(most)}"
        else:
            _bars(axes, rows, axis, palette, labels, wide - left - right)
            _instants(axes, rows, axis)
        if len(data.calls) <= BARS_WITH_LINES:
            _deliveries(axes, rows, axis)
        drawn.text(
            16 / wide, 1 - 16 / height, title, fontsize=12, weight="bold", va="center",
            parse_math=False,
        )  # fmt: skip
        draw_legend(drawn, lines, legend)
        return save(drawn, folder, "timeline")


class _TimeAxis:
    """Turns stamps into the drawing's time: units since the first release or call."""

    def __init__(self, data: RunData) -> None:
        self._core = data.lock.one_machine
        begins = [self._raw(call.started) for call in data.calls]
        begins += [self._raw(job.at) for job in data.released.values() if job.at is not None]
        self._zero = min(begins)
        end = max(self._raw(call.ended) for call in data.calls) - self._zero
        self.scale, self.unit = next((scale, unit) for least, scale, unit in _UNITS if end >= least)
        self.span = max(end, 1) / self.scale

    def _raw(self, stamp: Stamp) -> int:
        return stamp.core_ns if self._core else stamp.estimate_ns

    def ns(self, stamp: Stamp) -> int:
        return self._raw(stamp) - self._zero

    def __call__(self, ns: float) -> float:
        return ns / self.scale


def _rows(data: RunData, axis: _TimeAxis) -> list[_Row]:
    by_node: dict[str, list[TaskDone]] = {node: [] for node in data.lock.nodes}
    for call in data.calls:
        by_node.setdefault(call.node, []).append(call)
    with_idle = len(by_node) <= NODES_WITH_IDLE
    used = {node: calls for node, calls in by_node.items() if calls or (with_idle and node != HOME)}
    crowd = len(data.calls) > MOST_BARS
    rows, top = [], 0.0
    for node, calls in used.items():
        spans = [(axis.ns(call.started), axis.ns(call.ended)) for call in calls]
        row = _Row(node, pack(calls, spans), top)
        row.height = min(max(ROW_POINTS, row.lanes * LANE_POINTS + 8.0), MOST_ROW_POINTS)
        if crowd:
            row.height = AREA_POINTS
        top += row.height
        rows.append(row)
    return rows


def _name_width(rows: Sequence[_Row]) -> float:
    return min(max(text_width_points(row.node, 9.0) for row in rows) + 26.0, 220.0)


def _frame(axes: Axes, rows: Sequence[_Row], axis: _TimeAxis) -> None:
    axes.set_yticks([row.top + row.height / 2 for row in rows], [row.node for row in rows])
    axes.tick_params(axis="both", length=0, pad=6)
    axes.set_xlabel(f"time since the first release ({axis.unit})")
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    for row in rows:
        axes.axhline(row.top, color=FAINT, linewidth=0.6, zorder=0.5)


def _areas(axes: Axes, rows: Sequence[_Row], axis: _TimeAxis, palette: dict[str, str]) -> float:
    """Each node's calls at once, all to one scale; gives the most."""
    edges = slices(max(bar.end_ns for row in rows for bar in row.bars))
    areas = []
    for row in rows:
        spans: dict[str, list[Span]] = {colour: [] for colour in (*palette.values(), OTHERS)}
        for bar in row.bars:
            spans[palette.get(bar.call.task, OTHERS)].append((bar.start_ns, bar.end_ns))
        areas.append(loads({colour: each for colour, each in spans.items() if each}, edges))
    most = highest(areas)
    middles = (edges[1:] + edges[:-1]) / 2 / axis.scale
    for row, each in zip(rows, areas, strict=True):
        room = row.height - 8.0
        draw_loads(axes, each, middles, row.top + row.height, room / max(most, 1.0))
    return most


def _bars(
    axes: Axes,
    rows: Sequence[_Row],
    axis: _TimeAxis,
    palette: dict[str, str],
    labels: dict[str, str],
    width_points: float,
) -> None:
    from matplotlib.collections import PolyCollection

    corners, faces = [], []
    crowd = sum(len(row.bars) for row in rows) > BARS_WITH_LINES
    shortest = axis.span * (SHORTEST_BAR_IN_A_CROWD if crowd else SHORTEST_BAR)
    for row in rows:
        for bar in row.bars:
            top, height = row.lane(bar.lane)
            start = axis(bar.start_ns)
            end = max(axis(bar.end_ns), start + shortest)
            corners.append([(start, top), (end, top), (end, top + height), (start, top + height)])
            faces.append(palette.get(bar.call.task, OTHERS))
            label = labels.get(bar.call.job, "")
            room = (end - start) / axis.span * width_points - 4
            if height >= 9 and text_width_points(label, 7.0) <= room:
                axes.text(
                    (start + end) / 2, top + height / 2, label, fontsize=7, ha="center",
                    va="center_baseline", color=INK, zorder=4, parse_math=False,
                )  # fmt: skip
    edge = 0.0 if crowd else 0.3
    axes.add_collection(
        PolyCollection(corners, facecolors=faces, edgecolors="white", linewidths=edge, zorder=3)
    )


def _instants(axes: Axes, rows: Sequence[_Row], axis: _TimeAxis) -> None:
    """A red tick at each planned instant, above the bar of the stage that fired for it."""
    from matplotlib.collections import LineCollection

    ticks = []
    for row in rows:
        for bar in row.bars:
            firing = bar.call.firing
            if firing is None:
                continue
            early_ns = firing.woke.estimate_ns - firing.planned_ns
            x = axis(axis.ns(firing.woke) - early_ns)
            top, height = row.lane(bar.lane)
            ticks.append([(x, top - 4.0), (x, top + min(2.0, height / 4))])
    axes.add_collection(LineCollection(ticks, colors=RED, linewidths=1.0, zorder=5))


def _deliveries(axes: Axes, rows: Sequence[_Row], axis: _TimeAxis) -> None:
    """A thin line from the sender's bar to the receiver's, from sent to received."""
    from matplotlib.collections import LineCollection

    places: dict[tuple[str, str], tuple[str, float]] = {}
    for row in rows:
        for bar in row.bars:
            top, height = row.lane(bar.lane)
            places[bar.call.job, bar.call.task] = (row.node, top + height / 2)
    lines = []
    for row in rows:
        for bar in row.bars:
            for arrival in bar.call.arrivals:
                sender = places.get((bar.call.job, arrival.parent))
                if sender is None or arrival.source == row.node:
                    continue
                target = places[bar.call.job, bar.call.task][1]
                begin, end = axis(axis.ns(arrival.sent)), axis(axis.ns(arrival.received))
                lines.append([(begin, sender[1]), (end, target)])
    axes.add_collection(LineCollection(lines, colors=MUTED, linewidths=0.5, alpha=0.5, zorder=2))
