"""Durations, sizes and rates: strings with units at the edge, integers inside.

Durations are integer nanoseconds, sizes are bytes, rates are bit/s. A bare number is refused:
``period: 50`` is a bug that waits to happen.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

_NUMBER = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-zµ/]*)\s*")

_DURATIONS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
}
_SIZES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_RATES = {"bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}


def _parse(text: object, units: dict[str, int], what: str, example: str) -> int:
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in units:
        raise ValueError(
            f"{text!r} is not a {what}: write a number with one of the units "
            f"{', '.join(units)}, for example {example!r}"
        )
    value = Fraction(match[1]) * units[match[2]]
    if value < 0:
        raise ValueError(f"{text!r} is negative: a {what} is 0 or more, for example {example!r}")
    return round(value)


def parse_duration_ns(text: object) -> int:
    """``"250us"`` → 250000. Raises ValueError for a missing unit, a negative or other nonsense."""
    return _parse(text, _DURATIONS, "duration", "50ms")


def parse_size_bytes(text: object) -> int:
    """``"4KiB"`` → 4096. Raises ValueError as :func:`parse_duration_ns` does."""
    return _parse(text, _SIZES, "size", "4KiB")


def parse_rate_bit_s(text: object) -> int:
    """``"10Mbit/s"`` → 10000000. Raises ValueError as :func:`parse_duration_ns` does."""
    return _parse(text, _RATES, "rate", "10Mbit/s")


def format_number(value: float) -> str:
    """2430.7 → ``'2431'``, 0.12345 → ``'0.123'``: three significant digits, never an exponent."""
    return f"{value:.0f}" if _rounded(value) >= 1000 else f"{Decimal(f'{value:.3g}'):f}"


def _rounded(value: float) -> float:
    return abs(float(f"{value:.3g}"))


Scale = tuple[int, str]
"""How many of the smallest unit make one of a larger, and the larger one's name."""

_DURATION_SCALES: tuple[Scale, ...] = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_SIZE_SCALES: tuple[Scale, ...] = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
_RATE_SCALES: tuple[Scale, ...] = (
    (10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s"), (1, "bit/s"),
)  # fmt: skip


def scale_for(value: float, scales: tuple[Scale, ...] = _DURATION_SCALES) -> Scale:
    """The largest unit of which ``value``, rounded to three digits, holds one; else the smallest.

    So what is rounded up carries: 999.7 µs is 1 ms.
    """
    fitting = (scale for scale in scales if _rounded(value / scale[0]) >= 1)
    return next(fitting, scales[-1])


def _format(value: float, scales: tuple[Scale, ...]) -> str:
    scale, unit = scale_for(value, scales)
    return f"{format_number(value / scale)} {unit}"


def format_duration(duration_ns: float) -> str:
    """1500000 → ``'1.5 ms'``; three significant digits, for people."""
    return _format(duration_ns, _DURATION_SCALES)


def duration_at_least(duration_ns: int) -> str:
    """69523746 → ``'69.6ms'``: rounded up to three digits, for :func:`parse_duration_ns`."""
    step = max(1, 10 ** (len(str(duration_ns)) - 3))
    rounded_ns = -(-duration_ns // step) * step
    unit = next((unit for unit in ("s", "ms", "us") if rounded_ns >= _DURATIONS[unit]), "ns")
    return f"{rounded_ns / _DURATIONS[unit]:.12g}{unit}"


def format_size(size_bytes: float) -> str:
    """4096 → ``'4 KiB'``, for people."""
    return _format(size_bytes, _SIZE_SCALES)


def format_rate(rate_bit_s: float) -> str:
    """10000000 → ``'10 Mbit/s'``, for people."""
    return _format(rate_bit_s, _RATE_SCALES)
