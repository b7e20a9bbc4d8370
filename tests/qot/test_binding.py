"""Bindings end to end: real services with clocks of their own, and their clients."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qot.binding import Timeline
from qot.binding_demand import Violation
from qot.binding_link import report
from qot.binding_timer import Beat
from qot.errors import (
    AlreadyBoundError,
    BindingError,
    DemandError,
    NotBoundError,
    NoUtcError,
    ReferenceSilentError,
    ServiceGoneError,
    UnknownTimelineError,
    UnmeetableError,
)
from qot.instant import Status
from qot.service_config import SELF, Role

MS = 1_000_000
DEADLINE_S = 30


class Pair:
    """A reference and a follower, both with a socket for clients."""

    def __init__(self, cluster: Any, **settings: Any) -> None:
        self.cluster = cluster
        self.truth = cluster.clock("home")
        self.home_socket, self.socket = (cluster.folder / f"{n}.sock" for n in ("home", "node1"))
        self.settings = {"socket_path": str(self.socket), **settings}
        self.home = cluster.start("home", Role.REFERENCE, socket_path=str(self.home_socket))
        self.follower = self.start_follower()

    def start_follower(self) -> Any:
        made = self.cluster.start(
            "node1", reference=self.home.address, pages_folder=self.folder("node1"), **self.settings
        )
        assert made.ready["ready"], made.ready
        return made

    def folder(self, node: str) -> str:
        path = self.cluster.folder / f"{node}.pages"
        path.mkdir(exist_ok=True)
        return str(path)

    def bind(self, name: str = "cell", **settings: Any) -> Timeline:
        return Timeline.bind(name, "test", socket=self.socket, **settings)

    def entry(self, name: str) -> dict[str, Any]:
        """What the follower reports of a timeline; {} when it has none of that name."""
        found = [each for each in report(self.socket)["timelines"] if each["timeline"] == name]
        return found[0] if found else {}

    def audit(self, timeline: Timeline, reads: int = 500) -> None:
        """Every read must hold the hidden truth."""
        clock = self.cluster.clock("node1")
        for _ in range(reads):
            core_ns = timeline.core_now()
            truth_ns = self.truth.from_monotonic_ns(clock.to_monotonic_ns(core_ns))
            instant = timeline.from_core(core_ns)
            assert instant.earliest_ns - 2 <= truth_ns <= instant.latest_ns + 2

    def wait_for(self, state: Callable[[], Any], what: str) -> None:
        self.cluster.wait_for(state, what)


@pytest.fixture
def pair(cluster: Any) -> Pair:
    return Pair(cluster)


CLIENT = """
import sys
from qot.binding import Timeline
with Timeline.bind(sys.argv[1], sys.argv[2], accuracy=sys.argv[3], socket=sys.argv[4]) as timeline:
    print(timeline.best_ns, flush=True)
    sys.stdin.read()
"""


def client(name: str, app: str, accuracy: str, socket: Path) -> subprocess.Popen[bytes]:
    """A client process that is bound when this returns."""
    made = subprocess.Popen(
        [sys.executable, "-c", CLIENT, name, app, accuracy, str(socket)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert made.stdout is not None
    assert made.stdout.readline().strip().isdigit()
    return made


def end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(DEADLINE_S)
    process.stdout.close()


def test_two_clients_two_timelines_and_one_of_them_killed(pair: Pair) -> None:
    loose = client("cell", "loose", "20ms", pair.socket)
    tight = client("cell", "tight", "2ms", pair.socket)
    other = client("other", "app", "5ms", pair.socket)
    assert [each["app"] for each in pair.entry("cell")["bindings"]] == ["loose", "tight"]
    assert [each["pid"] for each in pair.entry("cell")["bindings"]] == [loose.pid, tight.pid]
    assert pair.entry("cell")["demanded_ns"] == 2 * MS
    assert pair.entry("other")["demanded_ns"] == 5 * MS
    tight_period_ns, other_period_ns = (pair.entry(n)["period_ns"] for n in ("cell", "other"))
    pages = {pair.entry(name)["page"] for name in ("cell", "other", "wall")}
    assert len(pages) == 3
    tight.kill()
    pair.wait_for(lambda: pair.entry("cell")["demanded_ns"] == 20 * MS, "the tight one's end")
    entry = pair.entry("cell")
    assert [each["app"] for each in entry["bindings"]] == ["loose"]
    assert entry["period_ns"] > 2 * tight_period_ns
    assert pair.entry("other")["period_ns"] >= other_period_ns
    end(loose)
    end(tight)
    pair.wait_for(lambda: not pair.entry("cell"), "the timeline's end")
    assert not Path(entry["page"]).exists()
    end(other)


def test_a_binding_tells_the_time_with_a_bound_that_holds(pair: Pair) -> None:
    with pair.bind(accuracy="5ms", resolution="1us") as timeline:
        assert timeline.now().status is Status.SYNCHRONIZED
        pair.audit(timeline)
        likely, instant = timeline.statistical(0.99), timeline.now()
        assert likely.confidence == 0.99
        assert likely.latest_ns - likely.earliest_ns <= instant.latest_ns - instant.earliest_ns
        core_ns = timeline.to_core(instant.estimate_ns + 10**9)
        assert abs(timeline.from_core(core_ns).estimate_ns - instant.estimate_ns - 10**9) <= 2
        assert (timeline.accuracy_ns, timeline.resolution_ns) == (5 * MS, 1000)
        assert timeline.best_ns < 5 * MS
        assert timeline.connected


def test_demands_change_and_what_can_not_be_held_is_refused_with_the_best(pair: Pair) -> None:
    with pytest.raises(UnmeetableError, match="the best that can be had") as caught:
        pair.bind(accuracy="50ns")
    assert caught.value.best_ns > 50
    assert not pair.entry("cell")
    with pair.bind(accuracy="20ms") as timeline:
        loose_ns = pair.entry("cell")["period_ns"]
        timeline.set_accuracy("2ms")
        assert pair.entry("cell")["period_ns"] < loose_ns / 2
        timeline.set_resolution("10us")
        with pytest.raises(UnmeetableError):
            timeline.set_accuracy(50)
        (binding,) = pair.entry("cell")["bindings"]
        assert (binding["accuracy_ns"], binding["resolution_ns"]) == (2 * MS, 10_000)
        assert (timeline.accuracy_ns, timeline.resolution_ns) == (2 * MS, 10_000)


@pytest.mark.parametrize("accuracy", ["5", "0ms", "-1ms", 0, -5, True, 1.5, None, "fast"])
def test_a_demand_that_is_none(accuracy: Any, tmp_path: Path) -> None:
    with pytest.raises(DemandError, match="accuracy"):
        Timeline.bind("cell", "test", accuracy=accuracy, socket=tmp_path / "unused")


def test_misuse_has_names(pair: Pair) -> None:
    timeline = pair.bind(accuracy="20ms")
    with pytest.raises(AlreadyBoundError):
        timeline.bind("cell", "test")
    with timeline:
        with pytest.raises(AlreadyBoundError), timeline:
            pass
        with pytest.raises(DemandError, match="mode"):
            timeline.wait_until(0, mode="soon")
        with pytest.raises(DemandError, match="timer"):
            timeline.timer(print)
        with pytest.raises(DemandError, match="period"):
            timeline.periodic(0)
        with pytest.raises(DemandError, match="confidence"):
            timeline.statistical(1)
        beats = timeline.periodic("1ms")
    for use in (
        timeline.now,
        timeline.unbind,
        timeline.status,
        timeline.core_now,
        lambda: timeline.sleep("1ms"),
        lambda: timeline.set_accuracy("2ms"),
        lambda: next(beats),
        timeline.__enter__,
    ):
        with pytest.raises(NotBoundError, match=r"Timeline\.bind"):
            use()


def test_what_nobody_is_the_reference_of(cluster: Any) -> None:
    socket = str(cluster.folder / "s")
    cluster.start("node1", socket_path=socket, timeline="", page_path="")
    with pytest.raises(UnknownTimelineError, match="does not know where the reference"):
        Timeline.bind("cell", "test", socket=socket)
    with pytest.raises(UnknownTimelineError, match="printable"):
        Timeline.bind("", "test", socket=socket)


def test_a_silent_reference(cluster: Any) -> None:
    socket = str(cluster.folder / "s")
    cluster.start("node1", socket_path=socket, reference=("127.0.0.1", 9), bind_timeout_ns=200 * MS)
    with pytest.raises(ReferenceSilentError, match="did not answer within 200ms"):
        Timeline.bind("cell", "test", socket=socket)


def test_no_service_and_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServiceGoneError, match="no time service at"):
        Timeline.bind("cell", "test", socket=tmp_path / "none")
    monkeypatch.delenv("QOT_SOCKET", raising=False)
    with pytest.raises(ServiceGoneError, match="QOT_SOCKET"):
        Timeline.bind("cell", "test")
    monkeypatch.setenv("QOT_SOCKET", str(tmp_path / "no such folder" / "none"))
    with pytest.raises(ServiceGoneError, match="no such folder"):
        Timeline.bind("cell", "test")


def test_a_standing_timeline_can_be_bound_on_both_sides(pair: Pair) -> None:
    with Timeline.bind("wall", "test", "1us", socket=pair.home_socket) as at_home:
        assert at_home.now().error_ns == 0
        with pair.bind("wall", accuracy="20ms") as timeline:
            assert timeline.now().error_ns <= 20 * MS
            pair.audit(timeline)
    assert pair.entry("wall")["bindings"] == []


def test_a_standing_timeline_that_can_not_be_had_is_said_at_the_start(cluster: Any) -> None:
    service = cluster.start("home", Role.REFERENCE, timeline="gl_utc")
    assert "has no source of UTC" in service.ready["error"]
    assert service.process.wait() == 1


def test_utc_needs_a_source(pair: Pair) -> None:
    for socket in (pair.socket, pair.home_socket):
        with pytest.raises(NoUtcError, match="utc_error_ns"):
            Timeline.bind("gl_utc", "test", accuracy="1s", socket=socket)


def test_utc_from_a_reference_that_has_it(cluster: Any) -> None:
    sockets = [cluster.folder / "home.sock", cluster.folder / "node1.sock"]
    home = cluster.start(
        "home", Role.REFERENCE, socket_path=str(sockets[0]), utc_error_ns=3 * MS, timeline="",
        page_path="",
    )  # fmt: skip
    cluster.start("node1", reference=home.address, socket_path=str(sockets[1]))
    for socket in sockets:
        with pytest.raises(UnmeetableError) as caught:
            Timeline.bind("gl_utc", "test", accuracy="2ms", socket=socket)
        assert caught.value.best_ns >= 3 * MS
        with Timeline.bind("gl_utc", "test", accuracy="500ms", socket=socket) as timeline:
            before = time.time_ns()
            instant = timeline.now()
            after = time.time_ns()
            assert instant.earliest_ns <= before + 3 * MS
            assert instant.latest_ns >= after - 3 * MS
            assert instant.error_ns >= 3 * MS
            assert timeline.now().promised


def test_each_timeline_has_a_reference_and_a_clock_of_its_own(cluster: Any) -> None:
    sockets = {node: cluster.folder / f"{node}.sock" for node in ("home", "node1")}
    node1 = cluster.start(
        "node1", references={"theirs": SELF}, socket_path=str(sockets["node1"]), timeline="",
        page_path="",
    )  # fmt: skip
    home = cluster.start(
        "home", Role.REFERENCE, references={"theirs": node1.address},
        socket_path=str(sockets["home"]), timeline="", page_path="",
    )  # fmt: skip
    node1.send(f'{{"reference": ["127.0.0.1", {home.address[1]}]}}')
    bind = Timeline.bind
    settings = {"accuracy": "50ms", "socket": sockets["node1"]}
    with bind("ours", "test", **settings) as ours, bind("theirs", "test", **settings) as theirs:
        assert abs(ours.now().estimate_ns - cluster.clock("home").now_ns()) < 10**9
        assert abs(theirs.now().estimate_ns - cluster.clock("node1").now_ns()) < 10**9
        assert theirs.now().error_ns == 0
        with bind("theirs", "test", "50ms", socket=sockets["home"]) as at_home:
            assert abs(at_home.now().estimate_ns - cluster.clock("node1").now_ns()) < 10**9


def test_waits_wake_where_they_should(pair: Pair) -> None:
    with pair.bind(accuracy="5ms") as timeline:
        now = timeline.now()
        wake = timeline.wait_until(now.estimate_ns + 20 * MS)
        assert wake.instant.estimate_ns >= now.estimate_ns + 20 * MS
        wake = timeline.wait_until(wake.instant.estimate_ns + 5 * MS, mode="after")
        assert wake.instant.earliest_ns >= wake.target_ns - 1
        assert timeline.wait_until(timeline.now()).late_ns >= 0
        before = timeline.now()
        assert timeline.sleep("10ms").instant.estimate_ns >= before.estimate_ns + 10 * MS


def test_periods_do_not_drift_and_say_what_they_skip(pair: Pair) -> None:
    with pair.bind(accuracy="5ms") as timeline:
        beats = timeline.periodic("5ms", offset="1ms")
        first = next(beats)
        assert first.planned_ns % (5 * MS) == MS
        assert first.skipped == 0
        late = timeline.wait_until(first.planned_ns + 23 * MS)
        second = next(beats)
        assert second.planned_ns > late.instant.estimate_ns
        assert second.planned_ns == first.planned_ns + (second.skipped + 1) * 5 * MS
        assert second.skipped >= 4


def test_timers_call_and_are_cancelled(pair: Pair) -> None:
    beats: list[Beat] = []
    done, once = threading.Event(), threading.Event()

    def call(beat: Beat) -> None:
        beats.append(beat)
        if len(beats) == 3:
            done.set()

    with pair.bind(accuracy="5ms") as timeline:
        timer = timeline.timer(call, period="2ms", count=3)
        assert done.wait(DEADLINE_S)
        pair.wait_for(lambda: not timer.active, "the end of the timer")
        assert not timer.cancel()
        gaps = [b.planned_ns - a.planned_ns for a, b in pairwise(beats)]
        assert all(gap % (2 * MS) == 0 and gap > 0 for gap in gaps)
        assert all(beat.wake.instant.estimate_ns >= beat.planned_ns - 1 for beat in beats)
        far = timeline.timer(call, start=timeline.now().estimate_ns + 10**12)
        assert far.cancel()
        assert not far.active
        timeline.timer(lambda _: once.set(), start=timeline.now())
        assert once.wait(DEADLINE_S)
    assert len(beats) == 3


def test_a_wait_ends_when_another_thread_unbinds(pair: Pair) -> None:
    timeline = pair.bind(accuracy="5ms")
    failures: list[BaseException] = []
    begun = threading.Event()

    def wait_long() -> None:
        begun.set()
        try:
            timeline.sleep("1h")
        except BindingError as error:
            failures.append(error)

    thread = threading.Thread(target=wait_long)
    thread.start()
    begun.wait(DEADLINE_S)
    timeline.unbind()
    thread.join(DEADLINE_S)
    assert [type(each) for each in failures] == [NotBoundError]


def test_a_stopped_service_means_holdover_then_a_violation_and_both_end(pair: Pair) -> None:
    seen: list[Violation] = []
    with pair.bind(accuracy="20ms") as timeline:
        timeline.set_accuracy(timeline.now().error_ns + 300_000)
        remove = timeline.on_violation(seen.append)
        pair.follower.process.send_signal(signal.SIGSTOP)
        pair.wait_for(lambda: timeline.status() is Status.HOLDOVER, "holdover")
        pair.wait_for(lambda: seen, "the violation")
        pair.audit(timeline)
        assert seen[0].recovered is False
        assert seen[0].error_ns is not None
        assert seen[0].error_ns > seen[0].accuracy_ns
        pair.follower.process.send_signal(signal.SIGCONT)
        pair.wait_for(lambda: seen[-1].recovered, "the recovery")
        pair.wait_for(lambda: timeline.status() is Status.SYNCHRONIZED, "synchronized")
        remove()


def test_a_killed_service_comes_back_and_so_does_the_binding(pair: Pair) -> None:
    with pair.bind(accuracy="10ms") as timeline:
        pair.follower.process.kill()
        pair.wait_for(lambda: not timeline.connected, "the loss")
        with pytest.raises(ServiceGoneError, match="is gone"):
            timeline.set_accuracy("5ms")
        pair.wait_for(lambda: timeline.status() is Status.HOLDOVER, "holdover")
        pair.audit(timeline)
        timeline.sleep("1ms")
        pair.start_follower()
        pair.wait_for(lambda: timeline.connected, "the connection")
        pair.wait_for(lambda: timeline.status() is Status.SYNCHRONIZED, "synchronized")
        pair.audit(timeline)
        timeline.set_accuracy("5ms")
        assert pair.entry("cell")["demanded_ns"] == 5 * MS


def test_a_service_that_comes_back_and_refuses_ends_the_binding(pair: Pair) -> None:
    with pair.bind(accuracy="10ms") as timeline:
        pair.follower.process.kill()
        pair.wait_for(lambda: not timeline.connected, "the loss")
        pair.cluster.start("node1", pages_folder=pair.folder("node1"), **pair.settings)

        def is_refused() -> bool:
            try:
                timeline.now()
            except UnknownTimelineError:
                return True
            return False

        pair.wait_for(is_refused, "the refusal")


def test_a_service_that_comes_back_before_its_reference_is_asked_again(pair: Pair) -> None:
    with pair.bind(accuracy="10ms") as timeline:
        pair.follower.process.kill()
        pair.wait_for(lambda: not timeline.connected, "the loss")
        pair.home.process.kill()
        pair.home.process.wait()
        pair.settings["bind_timeout_ns"] = 100 * MS
        pair.start_follower()
        pair.wait_for(lambda: pair.entry("cell") != {}, "another try")
        pair.wait_for(lambda: pair.entry("cell") == {}, "its end")
        pair.cluster.start("home", Role.REFERENCE, bind=pair.home.address)
        pair.wait_for(lambda: timeline.connected and timeline.now().promised, "the binding")


def test_the_doors_are_shut_to_others(pair: Pair) -> None:
    assert stat.S_IMODE(os.stat(pair.socket).st_mode) == 0o600
    with pair.bind(accuracy="20ms"):
        page = pair.entry("cell")["page"]
        assert stat.S_IMODE(os.stat(page).st_mode) == 0o600
    other = pair.cluster.start(
        "node2", Role.REFERENCE, socket_path=str(pair.cluster.folder / "g"), socket_mode=0o660
    )
    assert other.ready["ready"]
    assert stat.S_IMODE(os.stat(pair.cluster.folder / "g").st_mode) == 0o660
    assert stat.S_IMODE(os.stat(pair.cluster.folder / "node2.page").st_mode) == 0o640


def test_a_socket_that_is_taken_is_said(pair: Pair) -> None:
    second = pair.cluster.start("node2", socket_path=str(pair.socket))
    assert "another time service listens there" in second.ready["error"]
    assert second.process.wait() == 1
    (pair.cluster.folder / "file").write_text("precious")
    third = pair.cluster.start("node3", socket_path=str(pair.cluster.folder / "file"))
    assert "no socket" in third.ready["error"]
    assert third.process.wait() == 1


def test_the_service_tells_what_it_costs(pair: Pair) -> None:
    with pair.bind(accuracy="5ms"):
        found = report(pair.socket)
        assert found["node"] == "node1"
        assert found["cpu_ns"] > 0
        assert found["exchanges_per_s"] > 0
        entry = pair.entry("cell")
        assert entry["exchanges"] >= 8
        assert entry["cpu_ns"] > 0
        assert entry["packets_per_s"] == pytest.approx(2 * entry["exchanges_per_s"], rel=0.01)
        assert entry["error_ns"] <= 5 * MS
        assert entry["violated"] is False
