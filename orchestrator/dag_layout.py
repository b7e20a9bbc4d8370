"""Where the boxes and edges of a DAG's drawing go: pure geometry, no drawing.

Layered drawing after Sugiyama, Tagawa & Toda (1981): a layer per step of the longest path, long
edges cut into pieces by waypoints, crossings reduced by barycenter sweeps, then positions within
the layers that pull edges straight while boxes keep their distance (isotonic regression by pooling
adjacent violators). Deterministic; 800 tasks with 2,300 edges take about a second.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate, pairwise

SWEEPS = 12
"""Barycenter sweeps; the best order that was seen is kept."""

STRAIGHTENINGS = 8

Edge = tuple[str, str]
_Point = tuple[str, str, int] | str
"""A box by its name, or the waypoint of edge (a, b) in a layer."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box by its centre. layer counts from 0 at the left; y grows downwards."""

    layer: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes by name, and for each edge the waypoints between its ends: (x left, x right, y)."""

    boxes: dict[str, Box]
    edges: dict[Edge, list[tuple[float, float, float]]]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances, in the unit of the boxes' widths (points)."""

    box_height: float = 24.0
    between_boxes: float = 12.0
    between_edges: float = 7.0
    between_layers: float = 42.0
    per_edge: float = 0.9
    """Added between two layers for each edge that passes there, so that slopes stay gentle."""
    most_between_layers: float = 150.0


def layered_layout(
    widths: Mapping[str, float], edges: Sequence[Edge], spacing: Spacing | None = None
) -> Layout:
    """Lay out a DAG. widths gives every box's width, in the order that ties are broken by.

    Raises ValueError if the edges have a cycle or name an unknown box.
    """
    spacing = spacing or Spacing()
    unique = list(dict.fromkeys(edges))
    layer_of = layers(list(widths), unique)
    rows, neighbours = _with_waypoints(list(widths), unique, layer_of)
    rows = _reduce_crossings(rows, neighbours)
    ys = _positions(rows, neighbours, spacing)
    return _place(widths, unique, layer_of, rows, ys, spacing)


def layers(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The layer of each name: its longest path from a source; sources sit beside their children.

    Raises ValueError if the edges have a cycle or name something unknown.
    """
    parents: dict[str, list[str]] = {name: [] for name in names}
    children: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        if source not in parents or target not in parents:
            raise ValueError(f"the edge {source} → {target} names a box that does not exist")
        parents[target].append(source)
        children[source].append(target)
    try:
        order = list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        raise ValueError(f"the graph has a cycle: {' → '.join(error.args[1])}") from error
    layer: dict[str, int] = {}
    for name in order:
        layer[name] = max((layer[parent] + 1 for parent in parents[name]), default=0)
    for name in reversed(order):
        if not parents[name] and children[name]:
            layer[name] = min(layer[child] for child in children[name]) - 1
    return {name: layer[name] for name in names}


@dataclass(slots=True)
class _Neighbours:
    """For each point the points it is joined to in the layer before and after."""

    before: dict[_Point, list[_Point]]
    after: dict[_Point, list[_Point]]


def _with_waypoints(
    names: Sequence[str], edges: Sequence[Edge], layer_of: Mapping[str, int]
) -> tuple[list[list[_Point]], _Neighbours]:
    """Cut every edge into pieces of one layer. Gives the layers' points and what joins them."""
    rows: list[list[_Point]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    before: dict[_Point, list[_Point]] = {}
    after: dict[_Point, list[_Point]] = {}
    for name in names:
        rows[layer_of[name]].append(name)
        before[name], after[name] = [], []
    for source, target in edges:
        last: _Point = source
        for layer in range(layer_of[source] + 1, layer_of[target]):
            waypoint = (source, target, layer)
            rows[layer].append(waypoint)
            before[waypoint], after[waypoint] = [last], []
            after[last].append(waypoint)
            last = waypoint
        after[last].append(target)
        before[target].append(last)
    return rows, _Neighbours(before, after)


def _reduce_crossings(rows: list[list[_Point]], joined: _Neighbours) -> list[list[_Point]]:
    """Sweep forth and back; in each layer sort by the mean place of the neighbours just passed."""
    best, fewest = [list(row) for row in rows], count_crossings(rows, joined.after)
    current = [list(row) for row in rows]
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        forth = sweep % 2 == 0
        sides = joined.before if forth else joined.after
        order = range(1, len(rows)) if forth else range(len(rows) - 2, -1, -1)
        for layer in order:
            fixed = current[layer - 1 if forth else layer + 1]
            place = {point: float(index) for index, point in enumerate(fixed)}
            _sort_by_barycenter(current[layer], sides, place)
        crossings = count_crossings(current, joined.after)
        if crossings < fewest:
            best, fewest = [list(row) for row in current], crossings
    return best


def _sort_by_barycenter(
    row: list[_Point], sides: Mapping[_Point, list[_Point]], place: Mapping[_Point, float]
) -> None:
    """Points without a neighbour on that side keep their place among the others."""
    means = {
        point: sum(place[other] for other in sides[point]) / len(sides[point])
        for point in row
        if sides[point]
    }
    moving = iter(sorted((point for point in row if point in means), key=means.__getitem__))
    row[:] = [next(moving) if point in means else point for point in row]


def count_crossings(
    rows: Sequence[Sequence[_Point]], after: Mapping[_Point, Sequence[_Point]]
) -> int:
    """How many pairs of edge pieces cross (Barth, Mutzel & Jünger 2004, with a sorted list)."""
    total = 0
    for left, right in pairwise(rows):
        place = {point: index for index, point in enumerate(right)}
        seen: list[int] = []
        for point in left:
            ends = sorted(place[other] for other in after[point])
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _positions(
    rows: Sequence[Sequence[_Point]], joined: _Neighbours, spacing: Spacing
) -> dict[_Point, float]:
    """y of every point: near the mean of its neighbours, order and distances kept."""
    gaps = [[_gap(a, b, spacing) for a, b in pairwise(row)] for row in rows]
    ys: dict[_Point, float] = {}
    for row, row_gaps in zip(rows, gaps, strict=True):
        stacked = accumulate(row_gaps, initial=-sum(row_gaps) / 2)
        ys.update(zip(row, stacked, strict=False))
    both = {point: joined.before[point] + joined.after[point] for point in ys}
    for step in range(STRAIGHTENINGS):
        sides = joined.before if step % 2 == 0 else joined.after
        if step >= STRAIGHTENINGS - 4:
            sides = both
        order = range(len(rows)) if step % 2 == 0 else range(len(rows) - 1, -1, -1)
        for layer in order:
            row = rows[layer]
            wanted = [_mean([ys[other] for other in sides[point]], ys[point]) for point in row]
            weights = [_weight(point) for point in row]
            ys.update(zip(row, _keep_apart(wanted, gaps[layer], weights), strict=True))
    return ys


def _gap(first: _Point, second: _Point, spacing: Spacing) -> float:
    heights = [spacing.box_height if isinstance(each, str) else 0.0 for each in (first, second)]
    boxes = all(heights)
    clear = spacing.between_boxes if boxes else spacing.between_edges
    return sum(heights) / 2 + clear


def _weight(point: _Point) -> float:
    """Waypoints insist more on their place than boxes: long edges should run straight."""
    return 1.0 if isinstance(point, str) else 4.0


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _keep_apart(
    wanted: Sequence[float], gaps: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """The positions nearest to ``wanted`` (least squares) that keep the order and the gaps.

    With the gaps taken out, that is isotonic regression: neighbours in the wrong order are pooled.
    """
    shifts = accumulate(gaps, initial=0.0)
    pools: list[tuple[float, float, int]] = []
    for want, shift, weight in zip(wanted, shifts, weights, strict=False):
        mean, total, count = want - shift, weight, 1
        while pools and pools[-1][0] >= mean:
            other, other_total, other_count = pools.pop()
            mean = (mean * total + other * other_total) / (total + other_total)
            total, count = total + other_total, count + other_count
        pools.append((mean, total, count))
    free = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + shift for mean, shift in zip(free, accumulate(gaps, initial=0.0), strict=False)]


def _place(
    widths: Mapping[str, float],
    edges: Sequence[Edge],
    layer_of: Mapping[str, int],
    rows: Sequence[Sequence[_Point]],
    ys: Mapping[_Point, float],
    spacing: Spacing,
) -> Layout:
    """Turn layers into x, and move everything to start at (0, 0)."""
    layer_width = [
        max((widths[point] for point in row if isinstance(point, str)), default=0.0) for row in rows
    ]
    passing = [0] * len(rows)
    for source, target in edges:
        for layer in range(layer_of[source], layer_of[target]):
            passing[layer] += 1
    lefts, x = [], 0.0
    for width, edges_after in zip(layer_width, passing, strict=True):
        lefts.append(x)
        wide = spacing.between_layers + spacing.per_edge * edges_after
        x += width + min(wide, spacing.most_between_layers)
    top = min((y for point, y in ys.items()), default=0.0) - spacing.box_height / 2
    boxes = {
        name: Box(
            layer=layer,
            x=lefts[layer] + layer_width[layer] / 2,
            y=ys[name] - top,
            width=width,
            height=spacing.box_height,
        )
        for name, width in widths.items()
        for layer in (layer_of[name],)
    }
    paths = {
        (source, target): [
            (lefts[layer], lefts[layer] + layer_width[layer], ys[source, target, layer] - top)
            for layer in range(layer_of[source] + 1, layer_of[target])
        ]
        for source, target in edges
    }
    bottom = max((y for y in ys.values()), default=0.0) - top + spacing.box_height / 2
    width = max((box.x + box.width / 2 for box in boxes.values()), default=0.0)
    return Layout(boxes, paths, width, bottom)
