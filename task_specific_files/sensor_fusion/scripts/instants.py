"""Instants as the sensors put them into their messages, and what follows from several of them.

An instant is ``{"planned_ns", "estimate_ns", "earliest_ns", "latest_ns", "status"}`` on the shared
timeline: the true time of the sample lies in ``[earliest_ns, latest_ns]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

FIELDS = ("planned_ns", "estimate_ns", "earliest_ns", "latest_ns", "status")
Instant = dict[str, Any]


def instant_of(firing: object) -> Instant:
    """What the executor tells a time-triggered stage about its own firing, as plain data.

    Raises RuntimeError when the stage was not triggered by time: then nobody knows when it sampled.
    """
    if firing is None:
        raise RuntimeError("this stage samples at an instant: it needs 'trigger: time' in app.yaml")
    if isinstance(firing, Mapping):
        return {name: firing[name] for name in FIELDS}
    return {name: getattr(firing, name) for name in FIELDS}


def half_width_ns(instant: Instant) -> int:
    """The largest possible error of the estimate."""
    return int(
        max(
            instant["latest_ns"] - instant["estimate_ns"],
            instant["estimate_ns"] - instant["earliest_ns"],
        )
    )


def skew_ns(instants: Sequence[Instant]) -> int:
    """How far the samples are apart, by their estimates: the last one minus the first one."""
    estimates = [instant["estimate_ns"] for instant in instants]
    return int(max(estimates) - min(estimates))


def skew_bound_ns(instants: Sequence[Instant]) -> int:
    """How wrong :func:`skew_ns` can be: the two largest half-widths together.

    The difference of two estimates is wrong by at most the sum of their errors, and the largest of
    several differences by at most the largest of those sums.
    """
    pairs = itertools.combinations(map(half_width_ns, instants), 2)
    return max((one + other for one, other in pairs), default=0)
