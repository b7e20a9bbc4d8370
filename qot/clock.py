"""Core clocks: the machine's monotonic clock, and an emulated one whose truth the tests know.

Every clock here is a deterministic, invertible function of CLOCK_MONOTONIC, so that a wait can
always sleep on the real thing. ``time.*`` is called in :mod:`qot` alone; everybody else takes a
:class:`Clock`, and a test gives one that jumps.
"""

from __future__ import annotations

import hashlib
import threading
import time
from array import array
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

SECOND_NS = 1_000_000_000
DEFAULT_MAX_DRIFT_PPB = 50_000
"""50 ppm: what a quartz without temperature control keeps, with room."""

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_FAR = 1 << 62


class Clock(Protocol):
    """A core clock. Readings are ns since an arbitrary zero and never go back."""

    @property
    def max_drift_ppb(self) -> int:
        """The stated limit of its rate error against true time."""

    def now_ns(self) -> int:
        """What the clock shows."""

    def from_monotonic_ns(self, monotonic_ns: int) -> int:
        """What it shows at that moment of CLOCK_MONOTONIC."""

    def to_monotonic_ns(self, core_ns: int) -> int:
        """The first moment of CLOCK_MONOTONIC at which it shows ``core_ns`` or more."""


def monotonic_ns() -> int:
    """CLOCK_MONOTONIC, for the few who need the machine's own clock (event stamps, sleeps)."""
    return time.monotonic_ns()


def unix_ns() -> int:
    """The wall clock, for dates that people read. Never used to order or to time anything."""
    return time.time_ns()


class MonotonicClock:
    """CLOCK_MONOTONIC itself."""

    def __init__(self, max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB) -> None:
        self._max_drift_ppb = max_drift_ppb

    @property
    def max_drift_ppb(self) -> int:
        return self._max_drift_ppb

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def from_monotonic_ns(self, monotonic_ns: int) -> int:
        return monotonic_ns

    def to_monotonic_ns(self, core_ns: int) -> int:
        return core_ns


@dataclass(frozen=True, slots=True)
class ClockModel:
    """An emulated hardware clock, fully described: the same numbers give the same clock anywhere.

    At CLOCK_MONOTONIC ``epoch_ns`` it shows ``epoch_ns + offset_ns``. From there it runs at
    ``1 + (drift_ppb + wander) / 1e9``, where wander is a seeded random walk, one step a second,
    that stays within ``±wander_ppb``; the sum is kept within ``±max_drift_ppb``.
    """

    epoch_ns: int
    offset_ns: int = 0
    drift_ppb: int = 0
    wander_ppb: int = 0
    seed: int = 0
    max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB

    def __post_init__(self) -> None:
        if not 0 <= self.max_drift_ppb < SECOND_NS // 2:
            raise ValueError(
                f"max_drift_ppb is {self.max_drift_ppb}: give 0 or more, below {SECOND_NS // 2}"
            )
        if abs(self.drift_ppb) > self.max_drift_ppb:
            raise ValueError(
                f"drift_ppb is {self.drift_ppb}, beyond the stated limit of ±{self.max_drift_ppb}: "
                "lower it or raise max_drift_ppb"
            )
        if self.wander_ppb < 0:
            raise ValueError(f"wander_ppb is {self.wander_ppb}: it must be 0 or more")
        if not 0 <= self.seed <= _MASK:
            raise ValueError(f"seed is {self.seed}: give 0 to 2^64 - 1")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ClockModel:
        """The inverse of :meth:`as_dict`. Raises TypeError or ValueError for anything else."""
        return cls(**data)

    @classmethod
    def emulate(
        cls,
        seed: int,
        node: str,
        epoch_ns: int,
        *,
        max_offset_ns: int = 100 * SECOND_NS,
        wander_ppb: int = 1_000,
        max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB,
    ) -> ClockModel:
        """A clock for ``node``, drawn from ``seed``: any offset, drift up to 9/10 of the limit."""
        digest = hashlib.sha256(f"{seed}/{node}".encode()).digest()
        offset, drift, walk = (int.from_bytes(digest[i : i + 8], "big") for i in (0, 8, 16))
        most_ppb = max_drift_ppb * 9 // 10
        return cls(
            epoch_ns=epoch_ns,
            offset_ns=offset % (2 * max_offset_ns + 1) - max_offset_ns,
            drift_ppb=drift % (2 * most_ppb + 1) - most_ppb,
            wander_ppb=wander_ppb,
            seed=walk >> 1,
            max_drift_ppb=max_drift_ppb,
        )


def _noise(seed: int, index: int) -> int:
    """64 well mixed bits for a step of the walk (splitmix64)."""
    bits = (seed + (index + 1) * _GOLDEN) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


class _Segment(NamedTuple):
    """A stretch of constant rate: valid in ``[low, high)`` of CLOCK_MONOTONIC."""

    low: int
    high: int
    low_core: int
    high_core: int
    anchor: int
    base: int
    rate_ppb: int


class EmulatedClock:
    """A hardware clock made of CLOCK_MONOTONIC and a :class:`ClockModel`.

    Piecewise linear: one rate for each second since the epoch (before the epoch: the drift alone).
    A segment of exactly 1e9 ns gains exactly ``rate_ppb`` ns, so that knots are exact integers and
    every process computes the same clock. Reads in the current or next segment are O(1); a reader
    that starts late pays once, about 1 µs for each second since the epoch. Thread-safe.
    """

    def __init__(self, model: ClockModel) -> None:
        self.model = model
        self._reach_ppb = min(model.wander_ppb, model.max_drift_ppb - abs(model.drift_ppb))
        self._bases = array("q", [model.epoch_ns + model.offset_ns])
        self._rates = array("q", [model.drift_ppb])
        self._growing = threading.Lock()
        self._segment = self._load(-1)

    @property
    def max_drift_ppb(self) -> int:
        return self.model.max_drift_ppb

    def now_ns(self) -> int:
        return self.from_monotonic_ns(time.monotonic_ns())

    def from_monotonic_ns(self, monotonic_ns: int) -> int:
        low, high, _, _, anchor, base, rate = self._segment
        if not low <= monotonic_ns < high:
            index = max(-1, (monotonic_ns - self.model.epoch_ns) // SECOND_NS)
            self._segment = segment = self._load(index)
            _, _, _, _, anchor, base, rate = segment
        elapsed = monotonic_ns - anchor
        return base + elapsed + rate * elapsed // SECOND_NS

    def to_monotonic_ns(self, core_ns: int) -> int:
        segment = self._segment
        if not segment.low_core <= core_ns < segment.high_core:
            segment = self._find(core_ns)
        # The smallest y with y + floor(rate * y / 1e9) >= core_ns - base, exactly.
        return segment.anchor - (segment.base - core_ns) * SECOND_NS // (
            SECOND_NS + segment.rate_ppb
        )

    def rate_at_ppb(self, monotonic_ns: int) -> int:
        """The hidden truth: its rate error (drift and wander) at that moment."""
        index = max(-1, (monotonic_ns - self.model.epoch_ns) // SECOND_NS)
        return self._load(index).rate_ppb

    def _load(self, index: int) -> _Segment:
        """The segment of second ``index`` since the epoch; -1 is all time before it."""
        epoch_ns = self.model.epoch_ns
        if index < 0:
            base = self._bases[0]
            return _Segment(-_FAR, epoch_ns, -_FAR, base, epoch_ns, base, self.model.drift_ppb)
        if index >= len(self._rates) - 1:
            self._grow(index + 64)
        low, base, rate = epoch_ns + index * SECOND_NS, self._bases[index], self._rates[index]
        return _Segment(low, low + SECOND_NS, base, base + SECOND_NS + rate, low, base, rate)

    def _grow(self, index: int) -> None:
        """Walk on until second ``index`` is known."""
        drift, reach, seed = self.model.drift_ppb, self._reach_ppb, self.model.seed
        most = reach // 8
        with self._growing:
            for step in range(len(self._rates), index + 1):
                rate = self._rates[-1]
                self._bases.append(self._bases[-1] + SECOND_NS + rate)
                wander = rate - drift + _noise(seed, step) % (2 * most + 1) - most
                self._rates.append(drift + max(-reach, min(reach, wander)))

    def _find(self, core_ns: int) -> _Segment:
        """The segment in which the clock shows ``core_ns``."""
        index = max(-1, (core_ns - self._bases[0]) // SECOND_NS)
        segment = self._load(index)
        while core_ns >= segment.high_core:
            index += 1
            segment = self._load(index)
        while core_ns < segment.low_core:
            index -= 1
            segment = self._load(index)
        return segment


def core_clock(model: ClockModel | None, max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB) -> Clock:
    """The clock that a node runs on: emulated if there is a model, else CLOCK_MONOTONIC."""
    return MonotonicClock(max_drift_ppb) if model is None else EmulatedClock(model)


def truth_ns(reference: ClockModel | None, monotonic_ns: int) -> int:
    """The hidden true timeline time at a moment of CLOCK_MONOTONIC of this machine.

    The timeline is what the reference's core clock shows. For audits and reports alone: nothing
    that runs may use it. Make one :class:`EmulatedClock` and ask it when there are many stamps.
    """
    return core_clock(reference).from_monotonic_ns(monotonic_ns)
