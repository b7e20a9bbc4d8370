"""Outputs appear complete or not at all, under names that never clash, and never twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import output_writer as writer_module
from dispatcher.content import Content
from dispatcher.executors.base import File
from dispatcher.home_brain import Job
from dispatcher.output_writer import OutputWriter, write_outputs

NAMES = st.sampled_from(("x", "y", "a_x", "b_x", "a_2_x", "a_a_x"))
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=5)), max_size=4)


def job(name: str = "job-1", **sinks: list[tuple[str, bytes]]) -> Job:
    arrived = {
        sink: Content.of([File(file_name, data) for file_name, data in files])
        for sink, files in sinks.items()
    }
    return Job(job=name, index=1, content=None, arrived=arrived)


def written(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_keep_their_names_where_they_can(tmp_path: Path) -> None:
    made = job(a=[("x", b"1"), ("y", b"22")], b=[("x", b"3"), ("z", b"")])
    assert write_outputs(tmp_path, made) == {
        "job-1/a_x": 1,
        "job-1/y": 2,
        "job-1/b_x": 1,
        "job-1/z": 0,
    }
    assert written(tmp_path) == {
        "job-1/a_x": b"1",
        "job-1/y": b"22",
        "job-1/b_x": b"3",
        "job-1/z": b"",
    }


@settings(deadline=None)
@given(a=FILES, b=FILES)
def test_no_file_covers_another(
    tmp_path_factory: pytest.TempPathFactory,
    a: list[tuple[str, bytes]],
    b: list[tuple[str, bytes]],
) -> None:
    folder = tmp_path_factory.mktemp("outputs")
    sizes = write_outputs(folder, job(a=a, b=b))
    found = written(folder)
    assert Counter(found.values()) == Counter(data for _, data in [*a, *b])
    assert sizes == {name: len(data) for name, data in found.items()}


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    made = job(a=[("x", b"1"), ("y", b"2")])
    sizes = write_outputs(tmp_path, made)
    before = (tmp_path / "job-1" / "x").stat().st_ino
    assert write_outputs(tmp_path, made) == sizes
    assert (tmp_path / "job-1" / "x").stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["job-1"]


def test_what_a_kill_left_half_done_is_replaced(tmp_path: Path) -> None:
    half = tmp_path / ".job-1.part"
    half.mkdir()
    (half / "torn").write_text("half")
    write_outputs(tmp_path, job(a=[("x", b"1")]))
    assert written(tmp_path) == {"job-1/x": b"1"}


def test_a_job_without_files_has_an_empty_folder(tmp_path: Path) -> None:
    assert write_outputs(tmp_path, job(a=[], b=[])) == {}
    assert write_outputs(tmp_path, job(a=[], b=[])) == {}
    assert (tmp_path / "job-1").is_dir()


def test_nothing_appears_under_its_name_when_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one job fails; the others are written, and each is told how it went."""
    real = writer_module.write_outputs

    def refuse_one(folder: Path, made: Job) -> dict[str, int]:
        if made.job == "job-2":
            raise OSError(28, "No space left on device", "job-2/x")
        return real(folder, made)

    monkeypatch.setattr(writer_module, "write_outputs", refuse_one)
    told: list[tuple[str, dict[str, int], str]] = []

    async def main() -> None:
        enough = asyncio.Event()

        def done(results: list[tuple[Job, dict[str, int], str]]) -> None:
            told.extend((made.job, outputs, problem) for made, outputs, problem in results)
            if len(told) == 3:
                enough.set()

        writer = OutputWriter(tmp_path / "outputs", asyncio.get_running_loop(), done)
        for number in (1, 2, 3):
            writer.write(job(f"job-{number}", a=[("x", b"1")]))
        async with asyncio.timeout(30):
            await enough.wait()
        writer.close()

    asyncio.run(main())
    assert told == [
        ("job-1", {"job-1/x": 1}, ""),
        ("job-2", {}, "its outputs can't be written: job-2/x: No space left on device"),
        ("job-3", {"job-3/x": 1}, ""),
    ]


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    async def main() -> None:
        writer = OutputWriter(tmp_path, asyncio.get_running_loop(), lambda results: None)
        for number in range(20):
            writer.write(job(f"job-{number}", a=[("x", b"1")]))
        writer.close()

    asyncio.run(main())
    assert len(written(tmp_path)) == 20
