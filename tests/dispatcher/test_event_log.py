"""A node's log: whole lines, repaired after a crash, followed from anywhere, kept on full disks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import event_log as event_log_module
from dispatcher.event_log import EventLog
from jupiter.events import Notice, encode_event, read_events


def notice(text: str) -> Notice:
    return Notice(node="n1", level="info", text=text)


def texts(path: Path) -> list[str]:
    return [event.text for event in read_events(path) if isinstance(event, Notice)]


class Follower:
    """Puts together what it is told, and checks that the offsets join."""

    def __init__(self, offset: int = 0) -> None:
        self.end = offset
        self.content = b""

    def __call__(self, offset: int, part: bytes) -> None:
        assert offset == self.end
        self.end += len(part)
        self.content += part


def run(path: Path, scenario: Callable[[EventLog, list[str]], Awaitable[None]]) -> None:
    async def main() -> None:
        problems: list[str] = []
        log = EventLog(path, problems.append)
        try:
            await scenario(log, problems)
        finally:
            log.close()

    asyncio.run(main())


def test_events_are_written_at_the_end_of_the_turn(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def scenario(log: EventLog, _: list[str]) -> None:
        log.add(notice("a"))
        log.add(notice("b"))
        assert texts(path) == []
        await asyncio.sleep(0)
        assert texts(path) == ["a", "b"]
        log.add(notice("c"))
        assert log.flush()
        assert texts(path) == ["a", "b", "c"]
        log.add(notice("on closing"))

    run(path, scenario)
    assert texts(path)[-1] == "on closing"


@settings(max_examples=40, deadline=None)
@given(words=st.lists(st.text(max_size=20), max_size=6), cut=st.integers(0, 400))
def test_a_torn_line_is_cut_off_and_the_log_goes_on(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], cut: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    whole = b"".join(encode_event(notice(word)) for word in words)
    path.write_bytes(whole[:cut])
    left = whole[:cut].count(b"\n")

    async def scenario(log: EventLog, _: list[str]) -> None:
        assert log.size_bytes == path.stat().st_size
        log.add(notice("next"))

    run(path, scenario)
    assert texts(path) == [*words[:left], "next"]


def test_a_follower_gets_everything_from_its_offset_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    monkeypatch.setattr(event_log_module, "_PART_BYTES", 50)
    first_line = len(encode_event(notice("0")))

    async def scenario(log: EventLog, _: list[str]) -> None:
        for number in range(10):
            log.add(notice(str(number)))
        early, late = Follower(), Follower(first_line)
        log.follow(0, early)
        log.follow(first_line, late)
        assert early.content == path.read_bytes(), "what waited was written first"
        log.add(notice("more"))
        log.tell()
        assert early.content == path.read_bytes()
        assert late.content == path.read_bytes()[first_line:]
        log.unfollow(late)
        log.unfollow(late)
        log.add(notice("most"))
        log.tell()
        assert early.content == path.read_bytes()
        assert len(late.content) < len(early.content) - first_line

    run(path, scenario)


def test_a_follower_is_told_by_itself(tmp_path: Path) -> None:
    async def scenario(log: EventLog, _: list[str]) -> None:
        told = asyncio.Event()
        log.follow(0, lambda offset, part: told.set())
        log.add(notice("a"))
        async with asyncio.timeout(30):
            await told.wait()

    run(tmp_path / "log", scenario)


def test_an_offset_beyond_the_end_waits_for_it(tmp_path: Path) -> None:
    """The roof knows more than a log that lost its torn end: it is told nothing twice."""

    async def scenario(log: EventLog, _: list[str]) -> None:
        follower = Follower(10_000)
        log.follow(10_000, follower)
        log.add(notice("a"))
        log.tell()
        assert follower.content == b""

    run(tmp_path / "log", scenario)


def test_a_disk_that_refuses_is_told_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    real = os.pwrite

    async def scenario(log: EventLog, problems: list[str]) -> None:
        log.add(notice("before"))
        log.flush()

        def refuse(descriptor: int, data: bytes, offset: int) -> int:
            if offset > log.size_bytes:
                raise OSError(28, "No space left on device")
            return real(descriptor, data[:7], offset)

        monkeypatch.setattr(event_log_module.os, "pwrite", refuse)
        log.add(notice("during"))
        assert not log.flush()
        assert problems == [f"{path}: No space left on device"]
        await asyncio.sleep(0)
        follower = Follower()
        log.follow(0, follower)
        assert follower.content == encode_event(notice("before"))
        monkeypatch.undo()
        log.add(notice("after"))
        assert log.flush()
        log.tell()
        assert follower.content == path.read_bytes()

    run(path, scenario)
    assert texts(path) == ["before", "during", "after"]
