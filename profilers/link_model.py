"""From measured transfers to a LinkProfile: ``latency + size / bandwidth``, robust and monotone.

Slope and intercept are weighted medians (Theil 1950, Sen 1968; weights after Jaeckel 1972), so a
few transfers that waited for something else move nothing. The model is never negative and never
falls with size: Jupiter's own quadratic ``a·x² + b·x + c`` could do both. Nothing here measures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jupiter.profile import LinkProfile

LOWEST_BIT_S = 1.0
HIGHEST_BIT_S = 1e12
"""A fitted bandwidth stays within these: positive and finite, whatever was measured."""

LARGEST = 1e18
"""More bytes or ns than this (an exabyte, thirty years) are no measurement."""

ASSUMED_LATENCY_NS = 1e6
ASSUMED_BIT_S = 100e6
"""What a link is taken for before anything was measured: a common local network."""


def fit_link(
    source: str,
    target: str,
    samples: Sequence[tuple[float, float]],
    now_unix_ns: int,
) -> LinkProfile:
    """The profile of one direction from (size_bytes, duration_ns) samples.

    Without samples it is an assumption, and its ``samples`` is 0. With a single size the two
    parameters can't be told apart: the assumed bandwidth takes its share of the median duration and
    latency the rest. Raises ValueError for a size or duration that is negative, NaN or absurd.
    """
    if not samples:
        return LinkProfile(source, target, ASSUMED_LATENCY_NS, ASSUMED_BIT_S)
    sizes, durations = (np.array(column, dtype=np.float64) for column in zip(*samples, strict=True))
    for name, values in (("size", sizes), ("duration", durations)):
        bad = values[~((values >= 0) & (values <= LARGEST))]
        if len(bad):
            raise ValueError(
                f"a {name} of {bad[0]} in the samples of {source} → {target}: it must be from "
                f"0 to {LARGEST:.0e}"
            )
    sizes = np.rint(sizes)
    latency, slope = _fit(sizes, durations)
    residuals = np.maximum(durations - latency - slope * sizes, 0)
    return LinkProfile(
        source=source,
        target=target,
        latency_ns=latency,
        bandwidth_bit_s=8e9 / slope,
        spread_ns=float(np.quantile(residuals, 0.95, method="higher")),
        samples=len(samples),
        measured_at_ns=now_unix_ns,
    )


def quadratic_parameters(profile: LinkProfile) -> tuple[float, float, float]:
    """Jupiter's (a, b, c): ``ms = a·x² + b·x + c`` with x in Kbit (1000 bit); a is 0 here."""
    return 0.0, 1e6 / profile.bandwidth_bit_s, profile.latency_ns / 1e6


def _fit(sizes: NDArray[np.float64], durations: NDArray[np.float64]) -> tuple[float, float]:
    """(latency_ns ≥ 0, ns per byte within the limits)."""
    distinct = np.unique(sizes)
    medians = np.array([float(np.median(durations[sizes == size])) for size in distinct])
    if len(distinct) == 1:
        return _split(float(distinct[0]), float(medians[0]))
    low, high = np.triu_indices(len(distinct), k=1)
    gaps = distinct[high] - distinct[low]
    slope = _within_limits(_weighted_median((medians[high] - medians[low]) / gaps, gaps))
    # A short transfer says more about the latency than a long one, whose noise is larger.
    trust = 1 / np.maximum(medians, 1.0)
    latency = _weighted_median(medians - slope * distinct, trust)
    if latency < 0:
        # The straight line would start below zero: no latency, and the slope through the origin.
        positive = distinct > 0
        through_origin = medians[positive] / distinct[positive]
        return 0.0, _within_limits(_weighted_median(through_origin, distinct[positive]))
    return latency, slope


def _split(size: float, duration: float) -> tuple[float, float]:
    assumed = 8e9 / ASSUMED_BIT_S
    if size * assumed <= duration:
        return duration - size * assumed, assumed
    slope = _within_limits(duration / size)
    return max(0.0, duration - slope * size), slope


def _within_limits(ns_per_byte: float) -> float:
    return min(max(ns_per_byte, 8e9 / HIGHEST_BIT_S), 8e9 / LOWEST_BIT_S)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The least value that half the weight is at or below; the mean of two that split it."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    half = below[-1] / 2
    first = int(np.searchsorted(below, half))
    value = float(values[order[first]])
    if first + 1 < len(values) and math.isclose(below[first], half):
        value = (value + float(values[order[first + 1]])) / 2
    return value
