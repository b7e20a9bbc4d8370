"""A simulated inertial unit on the target: its velocity at the instant that it fires."""

from __future__ import annotations

import json
from typing import Any

from instants import instant_of
from scene import SPEED_NOISE_M_S, noise, velocity_at


class Stage:
    """Samples once per job, at the instant of its firing."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def process(self, job: str, inputs: dict[str, bytes]) -> bytes:
        """The velocity in m/s and when it was measured, as JSON."""
        del inputs  # a sensor has none
        instant = instant_of(self.context.firing)
        t_ns = instant["estimate_ns"]
        errors = noise("imu", t_ns, SPEED_NOISE_M_S, 3)
        velocity = [v + e for v, e in zip(velocity_at(t_ns), errors, strict=True)]
        sample = {
            "job": job,
            "sensor": self.context.task,
            "velocity_m_s": velocity,
            "instant": instant,
        }
        return json.dumps(sample).encode()
