"""A simulated camera: where it sees the target at the instant of its firing. Argument: which."""

from __future__ import annotations

import json
from typing import Any

from instants import instant_of
from scene import CAMERAS, PIXEL_NOISE_PX, noise, position_at, project


class Stage:
    """Samples once per job, at the instant of its firing."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.camera = context.args[0]
        if self.camera not in CAMERAS:
            raise ValueError(f"no camera {self.camera!r}: args must be one of {list(CAMERAS)}")

    def process(self, job: str, inputs: dict[str, bytes]) -> bytes:
        """The pixel of the target and when it was seen, as JSON."""
        del inputs  # a sensor has none
        instant = instant_of(self.context.firing)
        t_ns = instant["estimate_ns"]
        u, v = project(self.camera, position_at(t_ns))
        du, dv = noise(f"camera {self.camera}", t_ns, PIXEL_NOISE_PX, 2)
        sample = {
            "job": job,
            "sensor": self.context.task,
            "camera": self.camera,
            "pixel": [u + du, v + dv],
            "instant": instant,
        }
        return json.dumps(sample).encode()
