"""A source that steers the clock it measures: the core clock is slewed while nobody looks.

In virtual time: probe and filter as they are, around a CLOCK_MONOTONIC that a daemon bends.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qot.clock import MonotonicClock
from qot.clock_filter import FilterConfig
from qot.instant import Status
from qot.params import ClockParams
from qot.sources.base import Report
from qot.sources.probe import SourceProbe
from qot.sources.source_filter import SourceFilter
from qot.sources.wall_clock import WallStamp

SECOND_NS = 10**9
SLEW_PPB = 1_000_000
STRIDE_NS = 10_000_000
STEP_NS = 2_000_000


class SteeredMachine:
    """Its quartz drifts by up to 50 ppm; a daemon measures every second, within an error that is
    another each time, and works the correction off at its slew rate, or steps when it is large."""

    def __init__(self, seed: int, offset_ns: int, error_ns: int) -> None:
        self.random = random.Random(seed)
        self.most_error_ns = error_ns
        self.error_ns = 0
        self.truth_ns = 10**18
        self.monotonic_ns = 100 * SECOND_NS
        self.realtime_ns = self.truth_ns - offset_ns
        self.left_ns = 0  # what the daemon still has to work off
        self.update = 0
        self.strides = 0
        self.drift_ppb = self.random.randint(-50_000, 50_000)

    def __call__(self) -> WallStamp:
        return WallStamp(self.monotonic_ns - 100, self.realtime_ns, self.monotonic_ns + 100)

    def measure(self) -> None:
        self.error_ns = self.random.choice([0, self.random.randint(0, self.most_error_ns)])
        wrong_ns = self.random.randint(-self.error_ns, self.error_ns)
        self.left_ns = self.truth_ns - self.realtime_ns + wrong_ns
        self.update += 1
        if abs(self.left_ns) > STEP_NS:
            self.realtime_ns += self.left_ns
            self.left_ns = 0

    def stride(self) -> None:
        """10 ms pass."""
        if self.strides % 100 == 0:
            self.measure()
        self.strides += 1
        most_ns = STRIDE_NS * SLEW_PPB // SECOND_NS
        slew_ns = max(-most_ns, min(most_ns, self.left_ns))
        self.left_ns -= slew_ns
        passed_ns = STRIDE_NS + self.drift_ppb * STRIDE_NS // SECOND_NS + slew_ns
        self.monotonic_ns += passed_ns
        self.realtime_ns += passed_ns
        self.truth_ns += STRIDE_NS

    def report(self) -> Report:
        """What its daemon says, by the rules of the chrony source."""
        return Report(
            Status.SYNCHRONIZED,
            correction_ns=self.left_ns,
            error_ns=abs(self.left_ns) + self.error_ns,
            age_ns=SECOND_NS,
            age_growth_ppb=50_000,
            interval_ns=SECOND_NS,
            update=self.update,
        )


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    offset_ns=st.integers(-(10**10), 10**10) | st.integers(-(10**6), 10**6),
    error_ns=st.integers(0, 10**6),
)
def test_utc_is_inside_while_the_clock_is_slewed_and_stepped(
    scripted_source: Any, seed: int, offset_ns: int, error_ns: int
) -> None:
    machine = SteeredMachine(seed, offset_ns, error_ns)
    source = scripted_source(machine.report, slew_ppb=SLEW_PPB)
    probe = SourceProbe(source, MonotonicClock(), 0, stamp=machine)
    brain = SourceFilter(FilterConfig(drift_ppb=probe.drift_ppb), settle_updates=8)
    params: ClockParams | None = None
    machine.measure()
    for _ in range(600):
        machine.stride()
        if machine.random.random() < 0.05:
            params = brain.handle(probe.poll(), machine.monotonic_ns + 100)
        if params is not None:
            _, earliest_ns, latest_ns = params.interval_at(machine.monotonic_ns + 100)
            assert earliest_ns - 200 <= machine.truth_ns <= latest_ns + 200
    assert brain.contradictions == 0
