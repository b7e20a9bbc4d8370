"""Put the samples of one job side by side: how far apart they are, and how sure that is."""

from __future__ import annotations

import json
from typing import Any

from instants import skew_bound_ns, skew_ns


class Stage:
    """Keeps nothing between jobs."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def process(self, job: str, inputs: dict[str, bytes]) -> bytes:
        """The samples by sensor, their skew, its bound, and the middle of their times."""
        received = [json.loads(data) for data in inputs.values()]
        samples = {sample["sensor"]: sample for sample in received}
        instants = [sample["instant"] for sample in samples.values()]
        estimates = [instant["estimate_ns"] for instant in instants]
        aligned = {
            "job": job,
            "samples": samples,
            "skew_ns": skew_ns(instants),
            "skew_bound_ns": skew_bound_ns(instants),
            "reference_ns": sum(estimates) // len(estimates),
            "synchronized": all(instant["status"] == "synchronized" for instant in instants),
        }
        return json.dumps(aligned).encode()
