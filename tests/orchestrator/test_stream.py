"""What a stream tells of the logs that it follows."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from jupiter.events import AnyEvent, JobFailed, TaskFailed, encode_event
from orchestrator.progress import Progress
from orchestrator.stream import JobStream

CALL = TaskFailed(
    node="node1", job="job0", task="t", attempt=1, reason="exit code 7", stderr_tail="a\nb\n"
)
JOB = JobFailed(node="home", job="job0", task="t", reason="exit code 7")


class Told(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.failures: list[tuple[str, ...]] = []

    def failure(self, job: str, task: str, reason: str, words: str = "") -> None:
        self.failures.append((job, task, reason, words))


def told(*events: AnyEvent) -> list[tuple[str, ...]]:
    """What is told of a run of one job whose nodes logged these events."""
    progress = Told()
    source: Any = SimpleNamespace(count=1, read=lambda index: ((), b""), name=lambda index: "job0")
    nodes: Any = {
        name: SimpleNamespace(name=name, tell=lambda *message: None) for name in ("home", "node1")
    }
    offsets = dict.fromkeys(nodes, 0)

    async def run() -> None:
        stream = JobStream(source, nodes, progress, ahead=1)
        for node in nodes.values():
            stream.follow(node)
        for event in events:
            line = encode_event(event)
            nodes[event.node].on_log(offsets[event.node], line)
            offsets[event.node] += len(line)
        await stream.run()

    asyncio.run(run())
    return progress.failures


@pytest.mark.parametrize("events", [(CALL, JOB), (JOB, CALL)])
def test_failure_is_told_once_with_the_last_words_of_the_task(events: tuple[AnyEvent, ...]) -> None:
    assert told(*events) == [("job0", "t", "exit code 7", "b")]


def test_failure_that_no_task_explains_is_told_at_the_end() -> None:
    assert told(JOB) == [("job0", "t", "exit code 7", "")]
