"""What a bad network does to packets, one direction at a time. Pure and seeded.

The same :class:`Way` describes a direction in the simulation (virtual time) and in the UDP relay
(real time, :mod:`qot.faults.relay`). It knows nothing of what the packets mean.
"""

from __future__ import annotations

import hmac
import math
from collections import deque
from dataclasses import dataclass, fields
from enum import StrEnum
from random import Random
from typing import Any

RECORDED = 64
"""Packets that an attacker remembers, to replay them."""
_MAC_BYTES = 16
_CHANCES = ("spike_chance", "loss", "duplicate", "reorder", "replay", "bit_flip", "wrong_key")


class Jitter(StrEnum):
    """How the part of the delay that varies is distributed; ``jitter_ns`` is its mean."""

    EXPONENTIAL = "exponential"
    UNIFORM = "uniform"
    """From 0 to twice the mean."""
    NORMAL = "normal"
    """The size of a normal deviate."""
    PARETO = "pareto"
    """Heavy-tailed (shape 2)."""

    def draw(self, random: Random, mean_ns: int) -> int:
        """One delay, 0 or more."""
        if self is Jitter.EXPONENTIAL:
            return round(random.expovariate(1 / mean_ns))
        if self is Jitter.UNIFORM:
            return round(random.uniform(0, 2 * mean_ns))
        if self is Jitter.NORMAL:
            return round(abs(random.gauss(0, mean_ns * math.sqrt(math.pi / 2))))
        return round(mean_ns * (random.paretovariate(2) - 1))


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a link. Chances are 0..1, each drawn for every packet.

    delay_ns: what each packet takes at least. jitter_ns: mean of what is added, distributed as
    ``jitter`` says. spike_ns: mean of a rare exponential addition. loss: the packet is gone.
    duplicate: a second copy with a delay of its own. reorder: it is held back for ``reorder_ns``,
    so that later ones overtake it. replay: a packet recorded earlier is sent again. bit_flip,
    wrong_key: a forged copy comes too, now earlier and now later than the true one; with one bit
    changed, or with other stamps sealed under a key that the attacker made up.
    """

    delay_ns: int = 100_000
    jitter_ns: int = 0
    spike_ns: int = 0
    spike_chance: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    jitter: Jitter = Jitter.EXPONENTIAL
    reorder: float = 0.0
    reorder_ns: int = 10_000_000
    replay: float = 0.0
    bit_flip: float = 0.0
    wrong_key: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _CHANCES and not 0 <= value <= 1:
                raise ValueError(f"{field.name} is {value}: give a chance from 0 to 1")
            if field.name.endswith("_ns") and value < 0:
                raise ValueError(f"{field.name} is {value}: a packet can't arrive before it left")

    def delay(self, random: Random) -> int:
        """How long one copy of a packet takes."""
        delay_ns = self.delay_ns
        if self.jitter_ns:
            delay_ns += self.jitter.draw(random, self.jitter_ns)
        if self.spike_chance and random.random() < self.spike_chance:
            delay_ns += round(random.expovariate(1 / max(1, self.spike_ns)))
        if self.reorder and random.random() < self.reorder:
            delay_ns += self.reorder_ns
        return delay_ns


def both_ways(round_trip_ns: int, asymmetry: float = 0.0, **settings: Any) -> tuple[Way, Way]:
    """(forward, backward) that share a round trip unequally; the rest is alike for both.

    asymmetry is the difference of the two delays over the round trip: 0 is fair, 1 puts all on
    the way to the reference, -1 all on the way back.
    """
    if not -1 <= asymmetry <= 1:
        raise ValueError(f"asymmetry is {asymmetry}: give -1 to 1")
    forward_ns = round(round_trip_ns * (1 + asymmetry) / 2)
    return (
        Way(delay_ns=forward_ns, **settings),
        Way(delay_ns=round_trip_ns - forward_ns, **settings),
    )


@dataclass(slots=True)
class Carried:
    """What happened to the packets of one direction."""

    sent: int = 0
    lost: int = 0
    duplicated: int = 0
    replayed: int = 0
    forged: int = 0


class Carrier:
    """Carries packets along a :class:`Way`; remembers them, as an attacker would."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._recorded: deque[bytes] = deque(maxlen=RECORDED)
        self.carried = Carried()

    def carry(self, way: Way, packet: bytes) -> list[tuple[int, bytes]]:
        """All that arrives because this packet was sent, each with its delay in ns."""
        random, carried = self._random, self.carried
        carried.sent += 1
        arriving: list[tuple[int, bytes]] = []
        if way.loss and random.random() < way.loss:
            carried.lost += 1
        else:
            arriving.append((way.delay(random), packet))
            if way.duplicate and random.random() < way.duplicate:
                carried.duplicated += 1
                arriving.append((way.delay(random), packet))
        if way.replay:
            if self._recorded and random.random() < way.replay:
                carried.replayed += 1
                arriving.append((way.delay(random), random.choice(self._recorded)))
            self._recorded.append(packet)
        if way.bit_flip and random.random() < way.bit_flip:
            carried.forged += 1
            arriving.append((way.delay(random) // 2, flip_bit(packet, random)))
        if way.wrong_key and random.random() < way.wrong_key:
            carried.forged += 1
            arriving.append((way.delay(random) // 2, seal_anew(packet, random)))
        return arriving


def flip_bit(packet: bytes, random: Random) -> bytes:
    """The packet with one bit changed anywhere; an empty one stays."""
    if not packet:
        return packet
    forged = bytearray(packet)
    forged[random.randrange(len(forged))] ^= 1 << random.randrange(8)
    return bytes(forged)


def seal_anew(packet: bytes, random: Random) -> bytes:
    """The packet with a byte of its last stamp changed, sealed under an attacker's own key."""
    body = bytearray(packet[:-_MAC_BYTES])
    if not body:
        return packet
    body[-1 - random.randrange(min(4, len(body)))] ^= 1 + random.randrange(255)
    seal = hmac.digest(random.randbytes(_MAC_BYTES), bytes(body), "sha256")
    return bytes(body) + seal[:_MAC_BYTES]
