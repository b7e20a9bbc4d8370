"""What the roof may ask, and what becomes of bad, early and interrupted requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.executors.base import Call, File, Outcome
from dispatcher.messages import (
    Admitted,
    Begin,
    Control,
    Deploy,
    Done,
    FileEntry,
    Follow,
    LogPart,
    Prepare,
    Refused,
    StagePlan,
    Stop,
    Submit,
    Trial,
    TrialResult,
    decode_control,
    encode,
)
from dispatcher.node_control import NodeControl
from dispatcher.spool import SpoolError
from jupiter.errors import InputError
from jupiter.events import Stamp


class ToyConnection:
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Control, bytes]] = []
        self.reasons: list[str] = []

    def send(self, header: bytes, payload: bytes = b"") -> None:
        self.sent.append((decode_control(header), bytes(payload)))

    def close(self, reason: str) -> None:
        self.reasons.append(reason)

    async def drain(self) -> None:
        pass

    @property
    def answers(self) -> list[Control]:
        return [record for record, _ in self.sent]


class ToyNode:
    """As much of a node as the control asks of it."""

    def __init__(self, folder: Path) -> None:
        self.name = "home"
        self.loop = asyncio.get_running_loop()
        self.brain: Any = None
        self.home: Any = None
        self.disk_problem = ""
        self.disk_watchers: set[Callable[[str], None]] = set()
        self.submitted: list[tuple[str, int, bytes]] = []
        self.outcome = Outcome(True, 10, 30)
        self.may_stop = asyncio.Event()
        self.folder = folder
        self.begin_error: Exception | None = None
        self.prepare_error: Exception | None = None
        self.log = SimpleNamespace(
            follow=lambda offset, follower: follower(offset, b"line\n"), unfollow=lambda _: None
        )
        now = Stamp(1, 2, 3, 4)
        self.clock = SimpleNamespace(stamp=lambda: now, status=lambda: "synchronized")
        self.executors = SimpleNamespace(
            prepare=self._prepare, deploy=self._deploy, started=self._started
        )

    async def _prepare(self, request: Prepare) -> None:
        if self.prepare_error is not None:
            raise self.prepare_error

    async def _deploy(self, *arguments: object) -> None:
        pass

    async def _started(self, task: str) -> Any:
        def submit(call: Call, done: Callable[[Call, Outcome], None]) -> None:
            done(call, self.outcome)

        return SimpleNamespace(submit=submit)

    def meet(self, peers: object) -> None:
        pass

    def begin(self, brain: Any, home: Any, placement: object) -> None:
        if self.begin_error is not None:
            raise self.begin_error
        self.brain = brain
        self.home = SimpleNamespace(submit=self._submit, admitted=home.admitted)
        home.close()

    def _submit(self, job: str, index: int, content: Any) -> None:
        self.submitted.append((job, index, bytes(content.payload)))
        self.home.admitted(index)

    def service_event(self, event: object) -> None:
        pass

    async def stop(self) -> None:
        await self.may_stop.wait()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.node = ToyNode(folder)
        self.stopped = asyncio.Event()
        self.control, self.connection = self.connect()

    def connect(self) -> tuple[NodeControl, ToyConnection]:
        return NodeControl(self.node, self.stopped), ToyConnection()  # type: ignore[arg-type]

    def say(self, *records: Control, payload: bytes = b"") -> None:
        frames = [(encode(record), payload) for record in records]
        self.control.received(self.connection, frames)  # type: ignore[arg-type]

    async def ask(self, record: Control, payload: bytes = b"") -> Control:
        before = len(self.connection.sent)
        self.say(record, payload=payload)
        while len(self.connection.sent) == before:
            await asyncio.sleep(0)
        return self.connection.answers[-1]

    async def begin(self) -> Control:
        await self.ask(prepare())
        await self.ask(deploy(self.node.folder))
        return await self.ask(Begin(request=3))


def prepare() -> Prepare:
    plan = StagePlan(
        name="t",
        module="t",
        parents=("home",),
        children=("home",),
        output_policy="broadcast",
        executor="isolated",
    )
    return Prepare(
        request=1,
        app="app",
        app_folder="",
        scripts="",
        stages=[plan],
        peers=[],
        job_limit=4,
        parallel_calls=1,
    )


def deploy(folder: Path) -> Deploy:
    return Deploy(
        request=2,
        placement={"t": "home"},
        services=[],
        service_placement={},
        timetable=None,
        jobs=1,
        accuracy_ns=None,
        ingress=("t",),
        sinks=("t",),
        outputs=str(folder / "outputs"),
    )


def job(**changes: Any) -> Submit:
    made: dict[str, Any] = {"job": "app-000000", "index": 0, "files": [FileEntry("f", 3)]}
    return Submit(**{**made, **changes})


def run(tmp_path: Path, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await scenario(Bench(tmp_path))

    asyncio.run(main())


def test_from_preparation_to_a_job(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.begin() == Done(request=3)
        bench.say(job(), payload=b"abc")
        assert bench.node.submitted == [("app-000000", 0, b"abc")]
        assert bench.connection.answers[-1] == Admitted(index=0)

    run(tmp_path, scenario)


def test_a_roof_that_comes_back_is_told_what_is_admitted(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.begin()
        brain = bench.node.brain
        bench.control.closed(bench.connection, "lost")  # type: ignore[arg-type]
        bench.control, bench.connection = bench.connect()
        assert await bench.begin() == Done(request=3)
        assert bench.node.brain is brain, "its work goes on"
        bench.say(job(), payload=b"abc")
        assert bench.connection.answers[-1] == Admitted(index=0)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"job": "../up"}, "'../up' is not a plain name"),
        ({"files": [FileEntry("a/b", 3)]}, "'a/b' is not a plain name"),
        ({"files": [FileEntry("a", 4)]}, "do not add up"),
        ({"files": [FileEntry("a", -1), FileEntry("b", 4)]}, "negative"),
        ({"index": -1}, "-1 is no job's index"),
    ],
)
def test_a_bad_job_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.begin()
        bench.say(job(**changes), payload=b"abc")
        answer = bench.connection.answers[-1]
        assert isinstance(answer, Refused)
        assert says in answer.seen
        assert bench.node.submitted == []

    run(tmp_path, scenario)


def test_a_job_before_the_beginning_or_on_a_full_disk_is_refused(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.say(job(), payload=b"abc")
        assert isinstance(bench.connection.answers[-1], Refused)
        await bench.begin()
        bench.node.disk_problem = "the disk is full"
        bench.say(job(), payload=b"abc")
        assert bench.connection.answers[-1] == Refused(seen="the disk is full")

    run(tmp_path, scenario)


def test_a_disk_that_refuses_is_told_to_whoever_listens(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.say(Follow(offset=7))
        assert bench.connection.sent == [(LogPart(offset=7), b"line\n")]
        [watcher] = bench.node.disk_watchers
        watcher("can't write x")
        assert bench.connection.answers[-1] == Refused(seen="can't write x")
        bench.control.closed(bench.connection, "lost")  # type: ignore[arg-type]
        assert not bench.node.disk_watchers

    run(tmp_path, scenario)


@pytest.mark.parametrize("nonsense", [b"", b"\xc1", b"\x80", encode({"type": "Unheard"})])
def test_what_is_no_request_closes_the_connection(tmp_path: Path, nonsense: bytes) -> None:
    async def scenario(bench: Bench) -> None:
        bench.control.received(bench.connection, [(nonsense, b""), (encode(Stop()), b"")])  # type: ignore[arg-type]
        assert "is no request" in bench.connection.reasons[0]
        assert bench.connection.sent == []

    run(tmp_path, scenario)


def test_every_problem_is_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.node.prepare_error = InputError("seen", "fix")
        assert await bench.ask(prepare()) == Refused(request=1, seen="seen", fix="fix")
        bench.node.prepare_error = None
        bench.node.begin_error = SpoolError("segment-1 is damaged")
        assert await bench.begin() == Refused(request=3, seen="segment-1 is damaged")
        bench.node.begin_error = ZeroDivisionError("oh")
        answer = await bench.begin()
        assert isinstance(answer, Refused)
        assert "defect in Begin" in answer.seen
        bench.node.begin_error = None
        assert await bench.begin() == Done(request=3), "a begin that failed can be repeated"

    run(tmp_path, scenario)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_stopping_goes_on_when_the_roof_is_gone(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.say(Stop())
        await asyncio.sleep(0)
        bench.control.closed(bench.connection, "lost")  # type: ignore[arg-type]
        await asyncio.sleep(0)
        bench.node.may_stop.set()
        await bench.stopped.wait()

    run(tmp_path, scenario)


# Trials


def trial() -> Trial:
    return Trial(request=9, task="t", groups=[("a", [FileEntry("x", 1)]), ("b", [])])


def test_a_trial_gives_outputs_and_duration(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.node.outcome = Outcome(True, 10, 30, outputs=[File("o", b"12")])
        answer = await bench.ask(trial(), b"1")
        assert answer == TrialResult(request=9, ok=True, duration_ns=20, files=[FileEntry("o", 2)])
        assert bench.connection.sent[-1][1] == b"12"

    run(tmp_path, scenario)


@pytest.mark.parametrize("name", ["\udcff", "../x"])
def test_a_trial_whose_outputs_have_impossible_names_fails(tmp_path: Path, name: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.node.outcome = Outcome(True, 10, 30, outputs=[File(name, b"12")])
        answer = await bench.ask(trial(), b"1")
        assert isinstance(answer, TrialResult)
        assert not answer.ok
        assert repr(name) in answer.reason

    run(tmp_path, scenario)
