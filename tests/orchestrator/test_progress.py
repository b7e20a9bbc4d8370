"""What a run's progress looks like, with a clock that jumps."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from orchestrator.progress import LineProgress, Progress, RateMeter, make_progress
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
        progress.node("node1", "ready", done % 5)
        clock.now_ns += S // 2
    progress.notice("a [bracket]")
    progress.failure("job3 at split: exit code 1")
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
        "failed: job3 at split: exit code 1",
        "40 of 40 jobs done, 0 in flight, 8/s",
        "outputs: runs/r/outputs",
        "stop",
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
        progress.node("node1", "ready", 3)
        progress.node("node2", "lost")
        progress.failure("job1 at split: exit code 1")
        text = shown(progress, console)
    for words in (
        "✓ start", "2 s", "4 nodes", "2 of 10 jobs done, 1 in flight, 1 failed",
        "● node1 3", "● node2 lost", "last failure job1 at split: exit code 1",
    ):  # fmt: skip
        assert words in text
    assert "✓ stream" in shown(progress, console)


def test_live_view_counts_nodes_when_there_are_many() -> None:
    progress, console = live(Clock(), width=60)
    with progress:
        progress.phase("stream")
        for index in range(30):
            progress.node(f"node{index}", "lost" if index == 7 else "ready", 2)
        progress.phase("stream", "x" * 300)
        text = shown(progress, console)
    assert "29 ready, 1 lost; 60 calls waiting" in text
    assert len(text.splitlines()) == 2


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
    assert type(make_progress(quiet=True, as_json=False)) is Progress
    assert isinstance(make_progress(quiet=False, as_json=True), LineProgress)
    assert isinstance(make_progress(quiet=False, as_json=False), LineProgress)
