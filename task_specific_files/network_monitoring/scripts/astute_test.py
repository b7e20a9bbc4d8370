"""The ASTUTE test: short-timescale uncorrelated-traffic equilibrium.

F. Silveira, C. Diot, N. Taft, R. Govindan, "ASTUTE: Detecting a Different Class of Traffic
Anomalies", ACM SIGCOMM 2010.

While flows are independent and their behaviour stationary over two consecutive bins, the volume
changes δ_f of the F flows active in either bin average out: mean(δ) is close to zero, and by the
central limit theorem the assessment value

    AAV = mean(δ) / (std(δ) / sqrt(F))

is close to standard normal. |AAV| > K tells that many flows changed in the same direction at once.
One huge flow does not: it raises std(δ) as much as mean(δ), and AAV tends to 1. The test needs no
training and no history beyond the previous bin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

MIN_FLOWS = 30
"""Below this many flows the normal approximation is not trusted, and there is no verdict."""


def volume_changes(before: Mapping[int, int], after: Mapping[int, int]) -> dict[int, int]:
    """δ of every flow active in either of two consecutive bins."""
    return {flow: after.get(flow, 0) - before.get(flow, 0) for flow in before.keys() | after.keys()}


def assessment_value(changes: Iterable[float]) -> float:
    """AAV of the changes; 0 for fewer than MIN_FLOWS flows, ±inf when all changed alike."""
    deltas: Sequence[float] = list(changes)
    count = len(deltas)
    if count < MIN_FLOWS:
        return 0.0
    total = math.fsum(deltas)
    mean = total / count
    variance = math.fsum((delta - mean) ** 2 for delta in deltas) / (count - 1)
    if variance == 0.0:
        return math.copysign(math.inf, total) if total else 0.0
    return mean / math.sqrt(variance / count)
