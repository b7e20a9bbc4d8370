"""What a run's progress looks like, with a clock that jumps."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.progress import LineProgress, Progress, QuietProgress, RateMeter, make_progress
from orchestrator.progress_live import LiveProgress

S = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def lines(progress: LineProgress) -> list[str]:
    assert isinstance(progress.stream, io.StringIO)
    return [line.split("] ", 1)[1] for line in progress.stream.getvalue().splitlines()]


def tell(progress: Progress, clock: Clock) -> None:
    """One small run."""
    progress.run(Path("runs/r"))
    progress.phase("start", "4 nodes")
    progress.node("node1", "starting")
    progress.node("node1", "ready")
    clock.now_ns += S
    progress.phase("stream")
    progress.expect(40)
    for done in range(0, 41, 4):
        progress.counts(min(done + 8, 40), done, 0)
        progress.node("node1", "ready")
        clock.now_ns += S // 2
    progress.notice("a [bracket]")
    progress.notice("a [bracket]")
    progress.failure("job3", "split", "exit code 1", "gone fishing")
    progress.failure("job4", "split", "exit code 1", "gone fishing")
    progress.outputs(Path("runs/r/outputs"))
    progress.phase("stop")
    progress.close()


def test_lines_tell_the_story_without_flooding() -> None:
    clock = Clock()
    progress = LineProgress(io.StringIO(), clock)
    tell(progress, clock)
    assert lines(progress) == [
        "start: 4 nodes",
        "node node1: starting",
        "node node1: ready",
        "stream",
        "16 of 40 jobs done, 8 in flight, 8/s, about 3 s left",
        "32 of 40 jobs done, 8 in flight, 8/s, about 1 s left",
        "note: a [bracket]",
        "failed: job3 at split: exit code 1 (gone fishing)",
        "40 of 40 jobs done, 0 in flight, 8/s",
        "outputs: runs/r/outputs",
        "stop",
        "failed: 2 jobs alike at split",
    ]


def test_remembers_what_the_command_line_asks_for() -> None:
    progress = Progress()
    assert progress.run_path is None
    tell(progress, Clock())
    assert progress.run_path == Path("runs/r")
    assert progress.outputs_path == Path("runs/r/outputs")


def test_lines_go_out_at_once_and_carry_the_time() -> None:
    clock = Clock()
    stream = io.StringIO()
    with LineProgress(stream, clock) as progress:
        clock.now_ns = 12 * S + 345_000_000
        progress.phase("sync")
        assert stream.getvalue() == "[  12.35 s] sync\n"


def live(clock: Clock, width: int = 100) -> tuple[LiveProgress, Console]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    return LiveProgress(console, clock), console


def shown(progress: LiveProgress, console: Console) -> str:
    with console.capture() as capture:
        console.print(progress.render())
    return capture.get()


def test_live_view_shows_phases_jobs_nodes_and_failure() -> None:
    clock = Clock()
    progress, console = live(clock)
    with progress:
        progress.phase("start", "4 nodes")
        clock.now_ns = 2 * S
        progress.phase("stream")
        progress.expect(10)
        progress.counts(4, 2, 1)
        progress.node("node1", "ready")
        progress.node("node2", "lost")
        progress.failure("job1", "split", "exit code 1")
        text = shown(progress, console)
    for words in (
        "✓ start", "2 s", "4 nodes", "2 of 10 jobs done, 1 in flight, 1 failed",
        "● node1 ", "● node2 lost", "failed job1 at split: exit code 1",
    ):  # fmt: skip
        assert words in text
    assert "✓ stream" in shown(progress, console)


def test_live_view_counts_nodes_when_there_are_many() -> None:
    progress, console = live(Clock(), width=60)
    with progress:
        progress.phase("stream")
        for index in range(30):
            progress.node(f"node{index}", "lost" if index == 7 else "ready")
        progress.phase("stream", "x" * 300)
        text = shown(progress, console)
    assert "● 29 ready  ● 1 lost: node7" in text
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("width", [40, 80, 120])
def test_live_view_keeps_each_thing_on_a_line(width: int) -> None:
    clock = Clock()
    progress, console = live(clock, width)
    progress.keep_notices = True
    with progress:
        progress.phase("stream", "10000 jobs")
        progress.expect(10_000)
        for _ in range(2):
            progress.counts(9_000, 4_000, 1_000)
            clock.now_ns += 7 * S
        progress.counts(9_100, 4_010, 1_000)
        for index in range(12):
            progress.node(f"a_rather_long_name_{index}", "ready")
        progress.notice("careful " * 40)
        for job in range(3):
            progress.failure(f"job{job}", "split", f"no luck with {job}: " + "oh " * 99)
        lines = shown(progress, console).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    assert [line.split()[0] for line in lines[2:]] == ["nodes", "failed", "note"]
    assert "3 alike, last job2" in lines[3]
    assert ("━" in lines[1]) is (width > 80)


def test_notices_wait_for_the_report_unless_the_run_breaks_off() -> None:
    for error in (None, KeyboardInterrupt()):
        progress, console = live(Clock())
        progress.keep_notices = True
        with progress:
            progress.notice("careful")
        with console.capture() as capture:
            progress.__exit__(type(error) if error else None, error, None)
        assert ("note careful" in capture.get()) is (error is not None)


def test_quiet_still_warns_once() -> None:
    stream = io.StringIO()
    with QuietProgress(stream) as progress:
        progress.phase("start")
        progress.notice("a password")
        progress.notice("a password")
        progress.notice("the clock is fine", "info")
        progress.notice("no disk", "error")
    assert stream.getvalue() == "warning: a password\nerror: no disk\n"


def test_live_view_tells_a_whole_run() -> None:
    clock = Clock()
    progress, console = live(clock)
    tell(progress, clock)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "a [bracket]" in said
    assert "runs/r/outputs" in said


def test_rate_forgets_what_is_long_ago() -> None:
    meter = RateMeter(window_ns=10 * S)
    assert meter.per_second is None
    for second in range(30):
        meter.add(second * S, 0 if second < 15 else (second - 15) * 4)
    assert meter.per_second == 4.0
    assert meter.eta_ns(8) == 2 * S


def test_rate_of_nothing_has_no_end() -> None:
    meter = RateMeter()
    meter.add(0, 0)
    meter.add(S, 0)
    assert meter.eta_ns(5) is None


def test_view_fits_where_it_goes() -> None:
    """Tests have no terminal on stderr."""
    assert isinstance(make_progress(quiet=True, as_json=False), QuietProgress)
    assert isinstance(make_progress(quiet=False, as_json=True), LineProgress)
    assert isinstance(make_progress(quiet=False, as_json=False), LineProgress)
