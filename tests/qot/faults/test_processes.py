"""The bounds with real time services over a bad link on loopback: seconds of what the scenarios
play for hours. Clocks are emulated, so the truth behind every read is known."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from qot.audit import Audit, Report
from qot.clock import SECOND_NS, ClockModel, EmulatedClock
from qot.exchange import Counters
from qot.faults.link import both_ways
from qot.faults.relay import Relay
from qot.instant import Status
from qot.service_config import Role
from qot.timeline import TimelineReader
from qot.wait import Wake, wait_until

MS = 1_000_000


def counters(reader: TimelineReader) -> Counters:
    return Counters(*reader.counters())


def audit(reader: TimelineReader, truth: EmulatedClock, reads: int = 3_000) -> Report:
    """Judge so many reads; they must all be promised and hold the truth."""
    made = Audit()
    for _ in range(reads):
        *_, monotonic_ns = reader.stamp()
        core_ns = reader.clock.from_monotonic_ns(monotonic_ns)
        params = reader.params()
        instant = params.instant_at(core_ns)
        truth_ns = truth.from_monotonic_ns(monotonic_ns)
        made.add(instant, truth_ns, params.statistical_at(core_ns))
    report = made.report()
    assert report.hard_outside == 0
    assert report.statistical_outside == report.statistical_wider == 0
    return report


def width(reader: TimelineReader) -> int:
    instant = reader.now()
    return instant.latest_ns - instant.earliest_ns


@contextmanager
def relayed(cluster: Any, round_trip_ns: int, **link: Any) -> Iterator[tuple[Relay, Any, Any]]:
    """(relay, reference service, follower service): synchronised, with 20 exchanges behind them."""
    home = cluster.start("home", Role.REFERENCE)
    with Relay(home.address, *both_ways(round_trip_ns, **link), seed=7) as relay:
        follower = cluster.start("node1", reference=relay.address)
        reader = cluster.reader("node1")
        cluster.wait_for_status(reader, Status.SYNCHRONIZED)
        audit(reader, cluster.clock("home"), 500)
        cluster.wait_for(lambda: counters(reader).accepted >= 20, "20 exchanges")
        yield relay, home, follower


@pytest.mark.parametrize("asymmetry", [0.5, 1.0, -1.0])
def test_asymmetric_delays(cluster: Any, asymmetry: float) -> None:
    with relayed(cluster, 8 * MS, asymmetry=asymmetry):
        report = audit(cluster.reader("node1"), cluster.clock("home"))
    # Half the asymmetry is what no two-way estimate can see; the bound knows.
    assert report.worst_error_ns > abs(asymmetry) * MS
    assert report.hard_bound_worst_ns >= 4 * MS


def test_loss_reordering_and_duplication(cluster: Any) -> None:
    link = {"loss": 0.3, "reorder": 0.2, "duplicate": 0.2, "jitter_ns": MS}
    with relayed(cluster, 4 * MS, **link) as (relay, _, _):
        reader = cluster.reader("node1")
        audit(reader, cluster.clock("home"))
        figures = relay.figures()
        cluster.wait_for(lambda: counters(reader).replayed > 0, "a duplicate")
    assert figures["forward"]["lost"] > 0


def test_forged_and_replayed_packets(cluster: Any) -> None:
    with relayed(cluster, MS, bit_flip=0.5, wrong_key=0.5, replay=0.5):
        reader = cluster.reader("node1")
        cluster.wait_for(lambda: counters(reader).forged > 10, "forged answers")
        cluster.wait_for(lambda: counters(reader).replayed > 10, "replayed answers")
        audit(reader, cluster.clock("home"))
        assert reader.params().epoch == 1


def test_the_time_service_is_stopped_and_goes_on(cluster: Any) -> None:
    with relayed(cluster, MS) as (_, _, follower):
        reader, truth = cluster.reader("node1"), cluster.clock("home")
        follower.process.send_signal(signal.SIGSTOP)
        cluster.wait_for_status(reader, Status.HOLDOVER)
        assert audit(reader, truth).holdover == 3_000
        follower.process.send_signal(signal.SIGCONT)
        cluster.wait_for_status(reader, Status.SYNCHRONIZED)
        audit(reader, truth)


def test_the_reference_is_killed(cluster: Any) -> None:
    with relayed(cluster, MS) as (_, home, _):
        reader, truth = cluster.reader("node1"), cluster.clock("home")
        home.process.kill()
        cluster.wait_for_status(reader, Status.HOLDOVER)
        audit(reader, truth)
        width_ns = width(reader)
        cluster.wait_for(lambda: width(reader) > width_ns, "a bound that grows")
        audit(reader, truth)


def test_the_link_gets_worse_and_better(cluster: Any) -> None:
    with relayed(cluster, 0) as (relay, _, _):
        reader, truth = cluster.reader("node1"), cluster.clock("home")
        relay.forward, relay.backward = both_ways(40 * MS, 1.0)
        accepted = counters(reader).accepted
        cluster.wait_for(lambda: counters(reader).accepted > accepted + 10, "slow exchanges")
        audit(reader, truth)
        relay.forward, relay.backward = both_ways(0)
        accepted = counters(reader).accepted
        cluster.wait_for(lambda: counters(reader).accepted > accepted + 10, "quick exchanges")
        audit(reader, truth)


def test_a_new_reference_during_a_wait_moves_the_wake_up(cluster: Any) -> None:
    """The target is an hour away until a reference of a newer epoch says that it has passed."""
    later = ClockModel(cluster.epoch_ns, offset_ns=7_200 * SECOND_NS, drift_ppb=10_000)
    second = cluster.start("second", Role.REFERENCE, clock=later, epoch=2)
    with relayed(cluster, MS) as (relay, _, follower):
        reader = cluster.reader("node1")
        target_ns = reader.now().estimate_ns + 3_600 * SECOND_NS
        wakes: list[Wake | None] = []
        cancel = threading.Event()
        waiting = threading.Thread(
            target=lambda: wakes.append(wait_until(reader, target_ns, cancel=cancel))
        )
        waiting.start()
        try:
            assert waiting.is_alive()
            follower.send(f'{{"reference": ["127.0.0.1", {second.address[1]}]}}')
            waiting.join(30)
        finally:
            cancel.set()
        waiting.join(30)
        wake = wakes[0]
        assert wake is not None
        assert wake.instant.estimate_ns >= target_ns
        assert wake.instant.contains(EmulatedClock(later).from_monotonic_ns(wake.monotonic_ns))
        assert relay.figures()["backward"]["sent"] > 0
