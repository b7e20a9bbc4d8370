"""Synthetic flow records with known anomalies: the truth that the detectors are judged by.

Background: a few hundred flows, each with its own rate, that fluctuate independently of one another
around a slow common swing. On top of it:

=============  ====================================================================
volume_ddos    many sources flood one server; the volume multiplies
port_scan      one source sends a packet or two to each of many (server, port) pairs
flash_crowd    many small new flows to one server at once; the total volume stays
               within its normal swing, so that only a test for correlated changes
               sees it
alpha_flow     one legitimate flow carries several times the background
=============  ====================================================================

The same seed gives the same window on every machine. Addresses are from private and documentation
ranges.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

BINS = 20
BIN_S = 3
FLOWS = 300
KINDS = ("volume_ddos", "port_scan", "flash_crowd", "alpha_flow")

SERVERS = tuple(f"192.0.2.{host}" for host in range(10, 22))
SWING = 0.2
"""Amplitude of the slow common swing, as a share of the mean volume."""

Flow = tuple[str, str, int, int, int]


@dataclass(frozen=True)
class Anomaly:
    """What is injected: a kind and the bins, both included."""

    kind: str
    first_bin: int
    last_bin: int


@dataclass
class Window:
    """Records as ``(time_s, flow, packets, bytes)`` and the truth as expected files have it."""

    records: list[tuple[float, Flow, int, int]] = field(default_factory=list)
    truth: list[dict[str, Any]] = field(default_factory=list)

    def add(self, rng: random.Random, index: int, flow: Flow, packets: int, size: int) -> None:
        """One flow's traffic in one bin; one time in twenty it is exported as two records."""
        parts = [packets]
        if packets > 1 and rng.random() < 0.05:
            parts = [packets // 2, packets - packets // 2]
        for part in parts:
            time_s = index * BIN_S + rng.randrange(BIN_S * 100) / 100
            self.records.append((time_s, flow, part, part * size))


def make_window(seed: int, anomalies: Sequence[Anomaly] = ()) -> Window:
    """A window with exactly these anomalies."""
    rng = random.Random(seed)
    window = Window()
    _background(rng, window)
    inject = {
        "volume_ddos": _volume_ddos,
        "port_scan": _port_scan,
        "flash_crowd": _flash_crowd,
        "alpha_flow": _alpha_flow,
    }
    for anomaly in anomalies:
        key = inject[anomaly.kind](rng, window, range(anomaly.first_bin, anomaly.last_bin + 1))
        window.truth.append(
            {
                "kind": anomaly.kind,
                "first_bin": anomaly.first_bin,
                "last_bin": anomaly.last_bin,
                "key": key,
            }
        )
    window.records.sort()
    return window


def random_anomalies(seed: int) -> list[Anomaly]:
    """None, one or two anomalies of different kinds, apart in time."""
    rng = random.Random(f"anomalies {seed}")
    kinds = rng.sample(KINDS, rng.choice((0, 1, 1, 2)))
    starts = (rng.randrange(3, 7), rng.randrange(12, 16))
    first = rng.randrange(2)
    chosen = starts if len(kinds) == 2 else starts[first:]
    return [
        Anomaly(kind, start, start + rng.choice((1, 2)))
        for kind, start in zip(kinds, chosen, strict=False)
    ]


def _flow_to(rng: random.Random, src: str, dst: str, dport: int) -> Flow:
    return (src, dst, rng.randrange(1024, 65536), dport, 6)


def _client(rng: random.Random) -> str:
    return f"10.1.{rng.randrange(8)}.{rng.randrange(1, 255)}"


def _background(rng: random.Random, window: Window) -> None:
    phase = rng.random() * 2 * math.pi
    for _ in range(FLOWS):
        service = rng.choice((443, 443, 443, 80, 22, 25, 993, 8080))
        flow = _flow_to(rng, _client(rng), rng.choice(SERVERS), service)
        rate = min(20.0, 8 * math.exp(rng.gauss(0, 0.25)))
        size = rng.randrange(200, 1400)
        for index in range(BINS):
            if rng.random() < 0.03:
                continue
            level = 1 + SWING * math.sin(2 * math.pi * index / BINS + phase)
            packets = max(1, round(rate * level * (1 + 0.2 * rng.gauss(0, 1))))
            window.add(rng, index, flow, packets, size)


def _volume_ddos(rng: random.Random, window: Window, bins: range) -> dict[str, str]:
    dst = rng.choice(SERVERS)
    sources = rng.sample(range(1, 255), 150)
    flows = [_flow_to(rng, f"203.0.113.{host}", dst, 80) for host in sources]
    strength = rng.uniform(60, 90)
    for index in bins:
        for flow in flows:
            window.add(rng, index, flow, round(strength * rng.uniform(0.8, 1.2)), 120)
    return {"dst": dst}


def _port_scan(rng: random.Random, window: Window, bins: range) -> dict[str, str]:
    src = f"198.51.100.{rng.randrange(1, 255)}"
    victims = rng.sample(SERVERS, rng.choice((1, 3)))
    for index in bins:
        for port in rng.sample(range(1, 10000), rng.randrange(110, 150)):
            flow = _flow_to(rng, src, rng.choice(victims), port)
            window.add(rng, index, flow, rng.choice((1, 1, 2)), 44)
    return {"src": src}


def _flash_crowd(rng: random.Random, window: Window, bins: range) -> dict[str, str]:
    dst = rng.choice(SERVERS)
    flows = [_flow_to(rng, _client(rng), dst, 443) for _ in range(rng.randrange(190, 230))]
    for index in bins:
        for flow in flows:
            window.add(rng, index, flow, rng.choice((4, 5, 6)), 90)
    return {"dst": dst}


def _alpha_flow(rng: random.Random, window: Window, bins: range) -> dict[str, str]:
    flow = _flow_to(rng, _client(rng), rng.choice(SERVERS), 873)
    strength = rng.randrange(5000, 9000)
    for index in bins:
        window.add(rng, index, flow, round(strength * rng.uniform(0.9, 1.1)), 1448)
    src, dst, sport, dport, proto = flow
    return {
        "src": src,
        "dst": dst,
        "sport": str(sport),
        "dport": str(dport),
        "proto": str(proto),
    }
