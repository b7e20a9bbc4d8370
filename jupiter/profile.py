"""Profiles: what was measured of a link, a node or a task on a node, with its age.

The models are plain numbers, so that the scheduler can use them without knowing how they were
measured. Fitting them to samples is the business of :mod:`profilers`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkProfile:
    """How long ``size_bytes`` take from ``source`` to ``target``: ``latency + size / bandwidth``.

    Never negative, never falling with size. spread_ns is the 95th percentile of what was measured
    above the model; samples how many transfers stand behind it; 0 samples means it was assumed.
    """

    source: str
    target: str
    latency_ns: float
    bandwidth_bit_s: float
    spread_ns: float = 0.0
    samples: int = 0
    measured_at_ns: int = 0
    """Unix time of the newest sample."""

    def transfer_ns(self, size_bytes: float) -> float:
        """The predicted median time for one transfer of ``size_bytes``."""
        return self.latency_ns + size_bytes * 8e9 / self.bandwidth_bit_s


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """What a node has. speed is relative to the fastest node, which has 1.0."""

    node: str
    cores: int
    memory_bytes: int
    load: float
    speed: float = 1.0
    measured_at_ns: int = 0


@dataclass(frozen=True, slots=True)
class TaskProfile:
    """How long a task runs on a node and how much it sends to each child.

    predicted is True when it was derived from another node's measurement and the nodes' speeds.
    """

    task: str
    node: str
    median_ns: float
    p95_ns: float
    output_bytes: dict[str, float]
    samples: int = 0
    predicted: bool = False
    measured_at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Profiles:
    """All that the scheduler knows: links by (source, target), nodes, tasks by (task, node)."""

    links: dict[tuple[str, str], LinkProfile]
    nodes: dict[str, NodeProfile]
    tasks: dict[tuple[str, str], TaskProfile]
