"""Triangulate the target from both cameras, with and without making up for their skew.

A camera that samples Δ later sees the target v·Δ further on. Taken for simultaneous, the two rays
meet in the wrong place, and most of all at the wrong distance: the error is about speed × skew ×
distance / baseline. With the velocity from the inertial unit each ray is moved back to the
reference time. What remains is what nobody knows: how far the target moves within the bound of
the skew.
"""

from __future__ import annotations

import json
import math
from typing import Any

from instants import instant_of
from scene import CAMERAS, Vector, ray
from triangulate import nearest_point


def locate(views: list[dict[str, Any]], velocity: list[float], reference_ns: int) -> Vector:
    """The target at reference_ns, from what the cameras saw at their own times."""
    origins: list[Vector] = []
    for view in views:
        ahead_s = (view["instant"]["estimate_ns"] - reference_ns) / 1e9
        x, y, z = (o - v * ahead_s for o, v in zip(CAMERAS[view["camera"]], velocity, strict=True))
        origins.append((x, y, z))
    return nearest_point(origins, [ray(view["camera"], tuple(view["pixel"])) for view in views])


class Stage:
    """Keeps nothing between jobs."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def process(self, job: str, inputs: dict[str, bytes]) -> list[tuple[str, bytes]]:
        """The job's result for home, as JSON: one file of that name."""
        (data,) = inputs.values()
        aligned = json.loads(data)
        samples = aligned["samples"]
        views = [sample for sample in samples.values() if "camera" in sample]
        (velocity,) = (s["velocity_m_s"] for s in samples.values() if "velocity_m_s" in s)
        reference_ns = aligned["reference_ns"]
        result = {
            "job": job,
            "reference_ns": reference_ns,
            "position_m": locate(views, velocity, reference_ns),
            "position_if_simultaneous_m": locate(views, [0.0, 0.0, 0.0], reference_ns),
            "skew_ns": aligned["skew_ns"],
            "skew_bound_ns": aligned["skew_bound_ns"],
            "moved_in_bound_m": math.hypot(*velocity) * aligned["skew_bound_ns"] / 1e9,
            "synchronized": aligned["synchronized"],
            "instants": {sensor: sample["instant"] for sensor, sample in samples.items()},
            "fused": instant_of(self.context.firing),
        }
        return [("position.json", json.dumps(result, indent=2).encode() + b"\n")]
