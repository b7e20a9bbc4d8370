"""What the drawings share: matplotlib set up for files, quiet colours, reproducible output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_PER_INCH = 72
MOST_PIXELS = 8000
"""The longest side of a PNG."""

INK, MUTED, FAINT, PAPER = "#24292f", "#6e7781", "#d8dee4", "#ffffff"
RED = "#c0504d"

PALETTE = (
    "#6b9ac4", "#e0a458", "#7fb285", "#c77f8e", "#9585b8", "#4f9d9d",
    "#b8a13f", "#a5704f", "#8ea0ab", "#d08fb5", "#5f7fb0", "#93a55b",
)  # fmt: skip
"""Of like lightness, so that dark text reads on each."""


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name: the palette, then its light sisters, else hues in order."""
    if len(names) <= 2 * len(PALETTE):
        light = (_lighter(colour) for colour in PALETTE)
        return dict(zip(names, (*PALETTE, *light), strict=False))
    return {name: _hue(index / len(names)) for index, name in enumerate(names)}


def _lighter(colour: str) -> str:
    """Half way to white."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{(part + 255) // 2:02x}" for part in parts)


def _hue(turn: float) -> str:
    import colorsys

    red, green, blue = colorsys.hls_to_rgb(turn, 0.66, 0.38)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


@contextmanager
def figure(width_in: float, height_in: float) -> Iterator[Figure]:
    """An empty figure in our style. Needs no display, and leaves matplotlib's state alone."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
        "font.size": 9,
        "text.color": INK,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": MUTED,
        "axes.linewidth": 0.8,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "svg.fonttype": "none",
        "svg.hashsalt": "jupiter",
        "path.simplify": False,
    }
    with matplotlib.rc_context(style):
        drawn = Figure(figsize=(width_in, height_in), facecolor=PAPER)
        FigureCanvasAgg(drawn)
        yield drawn


def save(drawn: Figure, folder: Path, name: str) -> list[Path]:
    """Write ``name.svg`` and ``name.png``; the same figure gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    drawn.savefig(svg, format="svg", metadata={"Date": None, "Creator": "Jupiter"})
    width, height = drawn.get_size_inches()
    dpi = min(144.0, MOST_PIXELS / max(width, height))
    drawn.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
    return [svg, png]


def text_width_points(text: str, size_points: float) -> float:
    """How wide a text will be, from the average letter of DejaVu Sans; a little generous."""
    narrow = sum(letter in "ijlft.,:;|'!()[] 1" for letter in text)
    wide = sum(letter in "mwMW@_%" for letter in text)
    plain = len(text) - narrow - wide
    return size_points * (0.62 * plain + 0.42 * narrow + 0.92 * wide)
