"""Exchanges needed to hold 1 ms: the rate that the demand sets, beside a fixed rate.

    python benchmarks/demand_traffic.py [--hours 4] [--accuracy 1ms] [--seeds 3]

Hours of drift in virtual time, with the very code of a time service: qot.service_share asks,
filters and publishes, qot.bindings sets the pace; sockets and sleeps alone are replaced. Each
follower has an emulated clock (drift of up to ±45 ppm, wandering) against a reference of the same
kind, behind a local network: 50 µs and some jitter each way, spikes of 2 ms, 1 % of loss. Processes
take 60 µs to wake up. The best rate depends on the drift limits that are stated, since the hard
bound grows by them: "steady" is the same with a reference that states 1 ppm instead of 50.

Fixed: the service's own rhythm at a period of 1 s, a pair of exchanges each. Since a plainer
program would ask but once a second, the ratio to 3,600 an hour is told as well. Random reads check
that the truth is inside the bound, and the bound inside the demand. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import heapq
import json
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from jupiter.units import parse_duration_ns
from qot.binding_events import Accept, Bind, Demand, Event, Measured, SetPace
from qot.bindings import Bindings
from qot.clock import DEFAULT_MAX_DRIFT_PPB, SECOND_NS, ClockModel, EmulatedClock
from qot.demand import PaceLimits
from qot.exchange import LOCAL, Requester, Seal
from qot.faults.link import Way
from qot.page import PageWriter
from qot.service_share import FollowerShare, SharePlan
from qot.sync_client import SyncClient
from qot.sync_server import Desk

KEY = bytes(range(16))
TIMELINE = "cell"
FIXED_NS = SECOND_NS
WARM_UP_NS = 120 * SECOND_NS
READ_EVERY_NS = 200_000_000
STEADY_PPB = 1_000
LINK = Way(delay_ns=50_000, jitter_ns=10_000, spike_ns=2_000_000, spike_chance=0.02, loss=0.01)
WAKE_NS = 60_000
"""What a process that sleeps takes to look at a packet; one that is awake takes a tenth."""


@dataclass
class World:
    """Virtual time."""

    now_ns: int = 0
    events: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)

    def at(self, moment_ns: int, action: Callable[[], None]) -> None:
        heapq.heappush(self.events, (max(moment_ns, self.now_ns), next(self.order), action))

    def step(self) -> None:
        self.now_ns, _, action = heapq.heappop(self.events)
        action()


class VirtualClock(EmulatedClock):
    """An emulated clock whose CLOCK_MONOTONIC is the world's."""

    def __init__(self, world: World, model: ClockModel) -> None:
        self.world = world
        super().__init__(model)

    def now_ns(self) -> int:
        return self.from_monotonic_ns(self.world.now_ns)


class VirtualSocket:
    """What a SyncClient needs of a socket, with the link and the reference behind it."""

    def __init__(self, world: World, random: Random, desk: Desk, reference: VirtualClock) -> None:
        self.world, self.random, self.desk, self.reference = world, random, desk, reference
        self.inbox: deque[bytes] = deque()
        self.heard: Callable[[], None] = lambda: None
        self.used_ns = -SECOND_NS

    def connect(self, address: object) -> None:
        pass

    def send(self, packet: bytes) -> None:
        awake = self.world.now_ns - self.used_ns < 5_000_000
        self.used_ns = self.world.now_ns
        lag_ns = WAKE_NS // 10 if awake else WAKE_NS
        self._carry(lag_ns, lambda: self._serve(packet, lag_ns))

    def _serve(self, packet: bytes, lag_ns: int) -> None:
        answer = self.desk.answer(packet, self.reference.now_ns())
        assert answer is not None
        self._carry(lag_ns, lambda: self._arrive(answer))

    def _carry(self, lag_ns: int, action: Callable[[], None]) -> None:
        if self.random.random() >= LINK.loss:
            self.world.at(self.world.now_ns + LINK.delay(self.random) + lag_ns, action)

    def _arrive(self, answer: bytes) -> None:
        self.inbox.append(answer)
        self.heard()

    def recv(self, size: int) -> bytes:
        if not self.inbox:
            raise BlockingIOError
        return self.inbox.popleft()

    def close(self) -> None:
        pass


class Node:
    """A follower: its share in the timeline, and the brain of its bindings."""

    def __init__(
        self,
        world: World,
        seed: int,
        folder: Path,
        accuracy_ns: int | None,
        reference_ppb: int = DEFAULT_MAX_DRIFT_PPB,
    ) -> None:
        self.world, self.random = world, Random(seed)
        model = ClockModel.emulate(seed, "reference", 0, max_drift_ppb=reference_ppb)
        self.reference = VirtualClock(world, model)
        self.clock = VirtualClock(world, ClockModel.emulate(seed, "follower", 0))
        desk = Desk(KEY, 1, self.reference, lambda number: True)
        self.socket: Any = VirtualSocket(world, self.random, desk, self.reference)
        self.socket.heard = self.heard
        client = SyncClient(self.clock, Requester(Seal(TIMELINE, KEY)), self.socket)
        limits = PaceLimits()
        fixed = PaceLimits(FIXED_NS, FIXED_NS, pairs_only=True)
        self.bindings = (
            Bindings(limits, 5 * SECOND_NS, [])
            if accuracy_ns is not None
            else Bindings(limits, 5 * SECOND_NS, [(TIMELINE, fixed)])
        )
        plan = SharePlan(
            clock=self.clock,
            key=KEY,
            host="",
            epoch=1,
            period_ns=FIXED_NS,
            void_after_ns=300 * SECOND_NS,
            reference_max_drift_ppb=self.reference.max_drift_ppb,
            shortest_ns=limits.shortest_ns,
        )
        page = PageWriter(folder / f"{seed}.{accuracy_ns}.page", TIMELINE, self.clock.model)
        self.share = FollowerShare(TIMELINE, LOCAL, plan, page, client)
        self.accepted = accuracy_ns is None
        if accuracy_ns is not None:
            self.take(Bind(1, 1, TIMELINE, "benchmark", Demand(accuracy_ns, 1)))
        self.share.aim(("reference", 1))
        world.at(0, self.tick)

    def take(self, event: Event) -> None:
        for command in self.bindings.handle(event, self.world.now_ns):
            if isinstance(command, SetPace):
                self.share.set_pace(command.pace, command.accuracy_ns)
            elif isinstance(command, Accept):
                self.accepted = True

    def tick(self) -> None:
        if self.world.now_ns >= self.share.due_ns:
            self.share.tick(self.world.now_ns)
        self.world.at(self.share.due_ns, self.tick)

    def heard(self) -> None:
        if self.share.readable(self.world.now_ns) and self.share.delivered is not None:
            self.take(Measured(TIMELINE, self.share.delivered))
        # Another tick may be on its way; whoever comes early finds nothing to do.
        self.world.at(self.share.due_ns, self.nudge)

    def nudge(self) -> None:
        if self.world.now_ns >= self.share.due_ns:
            self.share.tick(self.world.now_ns)


def run(
    seed: int,
    hours: float,
    folder: Path,
    accuracy_ns: int | None,
    limit_ns: int,
    reference_ppb: int = DEFAULT_MAX_DRIFT_PPB,
) -> dict[str, Any]:
    """One follower over so many hours; the warm-up is not counted."""
    world = World()
    node = Node(world, seed, folder, accuracy_ns, reference_ppb)
    reads = held = inside = 0
    errors: list[int] = []
    end_ns = WARM_UP_NS + round(hours * 3600 * SECOND_NS)
    sent_before: int | None = None
    look_ns = WARM_UP_NS
    while world.now_ns < end_ns:
        next_ns = world.events[0][0]
        while look_ns < next_ns and look_ns < end_ns:
            if sent_before is None:
                sent_before = node.share.counters.sent
            instant = node.share.params.instant_at(node.clock.from_monotonic_ns(look_ns))
            reads += 1
            inside += instant.contains(node.reference.from_monotonic_ns(look_ns))
            held += instant.promised and instant.error_ns <= limit_ns
            errors.append(instant.error_ns)
            look_ns += 1 + node.random.randrange(2 * READ_EVERY_NS)
        world.step()
    assert node.accepted
    assert sent_before is not None
    errors.sort()
    share = node.share
    share.close(remove=True)
    drift = node.reference.model.drift_ppb - node.clock.model.drift_ppb
    return {
        "drift_ppm": round(drift / 1000, 1),
        "per_hour": round((share.counters.sent - sent_before) / hours, 1),
        "period_s": share.pace.period_ns / SECOND_NS if share.pace else None,
        "paired": share.pace.paired if share.pace else None,
        "reads": reads,
        "inside_percent": 100 * inside / reads,
        "held_percent": round(100 * held / reads, 4),
        "error_p50_us": errors[len(errors) // 2] / 1000,
        "error_max_us": errors[-1] / 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=4)
    parser.add_argument("--accuracy", default="1ms")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    accuracy_ns = parse_duration_ns(options.accuracy)
    demand, fixed, steady = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(1, options.seeds + 1):
            demand.append(run(seed, options.hours, folder, accuracy_ns, accuracy_ns))
            fixed.append(run(seed, options.hours, folder, None, accuracy_ns))
            steady.append(run(seed, options.hours, folder, accuracy_ns, accuracy_ns, STEADY_PPB))
    theirs = per_hour(fixed)
    result = {
        "benchmark": "demand_traffic",
        "accuracy": options.accuracy,
        "hours": options.hours,
        "fixed_per_hour": theirs,
        "demand_per_hour": per_hour(demand),
        "ratio": round(per_hour(demand) / theirs, 4),
        "ratio_to_one_a_second": round(per_hour(demand) / 3600, 4),
        "steady_per_hour": per_hour(steady),
        "steady_ratio": round(per_hour(steady) / theirs, 4),
        "steady_ratio_to_one_a_second": round(per_hour(steady) / 3600, 4),
        "bar": 0.1,
        "demand": demand,
        "fixed": fixed,
        "steady": steady,
    }
    print(json.dumps(result))


def per_hour(runs: list[dict[str, Any]]) -> float:
    """Exchanges an hour, over all followers."""
    return round(sum(each["per_hour"] for each in runs) / len(runs), 1)


if __name__ == "__main__":
    main()
