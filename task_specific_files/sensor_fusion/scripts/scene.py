"""The world that the sensors look at: a target on a Lissajous path, and where the cameras stand.

The scene is a pure function of time on the shared timeline, so every sensor on every node sees the
same world, and anyone can compute the truth afterwards. Axes: x right, y up, z away from the
cameras, in metres. Times are integer ns, speeds m/s.
"""

from __future__ import annotations

import math
import random

Vector = tuple[float, float, float]

BASE_NS = 12_000_000_000
"""The path repeats after this time; angles are computed from the remainder, so no precision is lost
however large the time is."""
CENTRE: Vector = (0.0, 5.0, 30.0)
RADIUS: Vector = (10.0, 3.0, 5.0)
TURNS = (3, 5, 2)
"""Oscillations per axis within BASE_NS. The target moves at up to about 18 m/s."""
PHASE: Vector = (0.0, 0.7, 1.9)

FOCAL_PX = 1000.0
CAMERAS: dict[str, Vector] = {"left": (-4.0, 1.5, 0.0), "right": (4.0, 1.5, 0.0)}
"""Both look along z."""

PIXEL_NOISE_PX = 0.2
SPEED_NOISE_M_S = 0.05


def _angles(t_ns: int) -> list[float]:
    share = (t_ns % BASE_NS) / BASE_NS
    return [2 * math.pi * turns * share + phase for turns, phase in zip(TURNS, PHASE, strict=True)]


def position_at(t_ns: int) -> Vector:
    """Where the target is, in m."""
    x, y, z = (
        centre + radius * math.sin(angle)
        for centre, radius, angle in zip(CENTRE, RADIUS, _angles(t_ns), strict=True)
    )
    return (x, y, z)


def velocity_at(t_ns: int) -> Vector:
    """How the target moves, in m/s."""
    x, y, z = (
        radius * 2 * math.pi * turns / (BASE_NS / 1e9) * math.cos(angle)
        for radius, turns, angle in zip(RADIUS, TURNS, _angles(t_ns), strict=True)
    )
    return (x, y, z)


def project(camera: str, point: Vector) -> tuple[float, float]:
    """The pixel of a point in the image of a camera, counted from the middle of the image."""
    cx, cy, cz = CAMERAS[camera]
    depth = point[2] - cz
    return (FOCAL_PX * (point[0] - cx) / depth, FOCAL_PX * (point[1] - cy) / depth)


def ray(camera: str, pixel: tuple[float, float]) -> Vector:
    """The unit vector from a camera towards what it shows at a pixel."""
    u, v = pixel
    length = math.sqrt(u * u + v * v + FOCAL_PX * FOCAL_PX)
    return (u / length, v / length, FOCAL_PX / length)


def noise(sensor: str, t_ns: int, sigma: float, count: int) -> list[float]:
    """Measurement noise: the same for the same sensor and time, on every machine."""
    rng = random.Random(f"{sensor} {t_ns}")
    return [rng.gauss(0.0, sigma) for _ in range(count)]
