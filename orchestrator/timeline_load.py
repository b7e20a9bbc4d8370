"""How busy a node was over time, as stacked areas: what is drawn of calls too many for bars.

The height is the number of calls that ran at once, averaged over a slice of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SLICES = 200

Span = tuple[int, int]
"""Start and end of a call in ns."""

Loads = dict[str, NDArray[np.float64]]
"""By the colour of the area: calls at once in each slice."""


def slices(end_ns: int) -> NDArray[np.float64]:
    """The edges of the slices of the time from 0 to ``end_ns``."""
    return np.linspace(0.0, float(max(end_ns, 1)), SLICES + 1)


def calls_at_once(spans: Sequence[Span], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many calls ran at once, on average, between each two edges."""
    starts, ends = np.array(spans, dtype=np.float64).T
    return np.diff(_time_since(starts, edges) - _time_since(ends, edges)) / np.diff(edges)


def _time_since(moments: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """At each edge, the time that has passed since each of the moments before it, summed up."""
    ordered = np.sort(moments)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    before = np.searchsorted(ordered, edges)
    passed: NDArray[np.float64] = before * edges - sums[before]
    return passed


def loads(spans: Mapping[str, Sequence[Span]], edges: NDArray[np.float64]) -> Loads:
    """The areas of one node, from its calls by colour."""
    return {colour: calls_at_once(each, edges) for colour, each in spans.items()}


def highest(areas: Sequence[Loads]) -> float:
    """The most calls at once of any node."""
    return max(float(np.sum(list(each.values()), axis=0).max()) for each in areas if each)


def draw_loads(
    axes: Axes, areas: Loads, middles: NDArray[np.float64], base: float, scale: float
) -> None:
    """Stack a node's areas upwards from y = base; one call at once is ``scale`` high."""
    below = np.zeros_like(middles)
    for colour, load in areas.items():
        above = below + load
        axes.fill_between(
            middles, base - scale * below, base - scale * above, color=colour, linewidth=0, zorder=3
        )
        below = above
