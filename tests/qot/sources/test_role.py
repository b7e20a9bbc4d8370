"""The role of a node that follows a source: a real page, a real thread, scripted answers."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupiter.errors import InputError
from qot.clock import MonotonicClock
from qot.exchange import Counters
from qot.instant import Status
from qot.page import PageWriter
from qot.sources.base import Report
from qot.sources.errors import SourceRefusedError, SourceReplyError, SourceUnreachableError
from qot.sources.role import SourceConfig, SourceRole
from qot.timeline import TimelineReader

CONFIG = SourceConfig(period_ns=2_000_000, stale_after_ns=10**9)


class Node:
    """A role, driven as the time service drives it, and a reader of its page."""

    def __init__(self, folder: Path, source: Any, config: SourceConfig) -> None:
        self.page = PageWriter(folder / "node.page", "gl_utc")
        self.role = SourceRole(config, source, MonotonicClock(), self.page)
        self.reader = TimelineReader(folder / "node.page", "gl_utc")

    def serve_until(self, state: Callable[[], bool], what: str) -> None:
        """The service's loop, until a state holds."""
        end_ns = time.monotonic_ns() + 60 * 10**9
        while not state():
            now_ns = time.monotonic_ns()
            assert now_ns < end_ns, f"{what} did not come"
            if now_ns >= self.role.due_ns:
                self.role.tick(now_ns)
            elif select.select([self.role.socket], [], [], (self.role.due_ns - now_ns) / 1e9)[0]:
                self.role.readable()

    def close(self) -> None:
        self.role.close()
        self.reader.close()
        self.page.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(source: Any, config: SourceConfig = CONFIG) -> Node:
        made.append(Node(tmp_path, source, config))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Measuring:
    """Reports that CLOCK_REALTIME is right to 10 µs, measured anew each time."""

    def __init__(self) -> None:
        self.update = 0

    def __call__(self) -> Report:
        self.update += 1
        return Report(Status.SYNCHRONIZED, error_ns=10_000, update=self.update)


def audit(node: Node, reads: int = 500) -> None:
    """Is UTC, which here is CLOCK_REALTIME, inside?"""
    for _ in range(reads):
        before_ns = time.time_ns()
        instant = node.reader.now()
        after_ns = time.time_ns()
        assert instant.promised
        assert instant.earliest_ns <= after_ns
        assert before_ns <= instant.latest_ns


def test_a_page_of_utc(node: Callable[..., Node], scripted_source: Any) -> None:
    source = scripted_source(Measuring())
    made = node(source)
    assert made.reader.status() is Status.UNSYNCHRONIZED
    made.serve_until(lambda: made.role.counters.accepted >= 20, "20 readings")
    audit(made)
    assert made.reader.now().error_ns < 100_000_000
    assert made.role.failure is None
    counters = Counters(*made.reader.counters())
    assert counters.accepted >= 20
    assert counters.sent - counters.accepted in (0, 1)


def test_silence_is_holdover_and_the_page_goes_on(
    node: Callable[..., Node], scripted_source: Any
) -> None:
    source = scripted_source(Measuring())
    made = node(source)
    made.serve_until(lambda: made.role.counters.accepted >= 12, "12 readings")
    source.script = [SourceUnreachableError("nobody")]
    made.serve_until(lambda: made.reader.status() is Status.HOLDOVER, "holdover")
    assert isinstance(made.role.failure, SourceUnreachableError)
    audit(made)
    source.script = [Measuring()]
    made.serve_until(lambda: made.reader.status() is Status.SYNCHRONIZED, "synchronized")
    assert made.role.failure is None
    audit(made)


def test_a_source_that_answers_without_knowing_is_unsynchronized(
    node: Callable[..., Node], scripted_source: Any
) -> None:
    source = scripted_source(Measuring())
    made = node(source)
    made.serve_until(lambda: made.reader.status() is Status.SYNCHRONIZED, "synchronized")
    source.script = [Report(Status.UNSYNCHRONIZED)]
    made.serve_until(lambda: made.reader.status() is Status.UNSYNCHRONIZED, "unsynchronized")
    assert made.role.counters.lost > 0
    source.script = [Report(Status.HOLDOVER)]
    made.serve_until(lambda: made.role.counters.stale > 0, "a stale answer")


@pytest.mark.parametrize(
    ("error", "counter"),
    [
        (SourceUnreachableError("nobody"), "unreachable"),
        (SourceReplyError("rubbish"), "malformed"),
        (SourceRefusedError("no"), "forged"),
    ],
)
def test_each_failure_is_counted_where_it_belongs(
    node: Callable[..., Node], scripted_source: Any, error: Exception, counter: str
) -> None:
    made = node(scripted_source(error))
    made.serve_until(lambda: getattr(made.role.counters, counter) >= 2, counter)
    assert made.role.failure is error
    assert made.reader.status() is Status.UNSYNCHRONIZED


def test_while_the_source_thinks_the_page_is_renewed_and_nothing_else_is_asked(
    node: Callable[..., Node], scripted_source: Any
) -> None:
    answer = threading.Event()

    def think() -> Report:
        assert answer.wait(60)
        return Measuring()()

    source = scripted_source(think)
    made = node(source)
    first = made.reader.generation
    made.serve_until(lambda: made.reader.generation >= first + 20, "ten renewals")
    assert made.role.counters.sent == 1
    answer.set()
    made.serve_until(lambda: made.role.counters.accepted >= 1, "the answer")


def test_a_defect_is_not_taken_for_a_failing_source(
    node: Callable[..., Node], scripted_source: Any
) -> None:
    made = node(scripted_source(ZeroDivisionError("a defect")))
    with pytest.raises(ZeroDivisionError, match="a defect"):
        made.serve_until(lambda: False, "the defect")


def test_it_follows_nobody_else(node: Callable[..., Node], scripted_source: Any) -> None:
    made = node(scripted_source(Measuring()))
    with pytest.raises(InputError, match="takes its time from a script"):
        made.role.aim(("127.0.0.1", 4242))


def test_closing_ends_the_thread_and_closes_the_source(
    tmp_path: Path, scripted_source: Any
) -> None:
    source = scripted_source(Measuring())
    threads = threading.active_count()
    made = Node(tmp_path, source, CONFIG)
    made.role.tick(time.monotonic_ns())
    made.close()
    assert source.closed
    assert threading.active_count() == threads
    assert made.role.socket.fileno() == -1
