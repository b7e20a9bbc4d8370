"""The spool under kills at any byte, damage, full disks, rotation and forgetting."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import spool as spool_module
from dispatcher.messages import Delivery, FileEntry
from dispatcher.spool import Below, Made, Received, Record, Retired, Spool, SpoolError
from jupiter.events import Stamp

NOW = Stamp(1, 2, 3, 4)


def received(index: int) -> Received:
    return Received(Delivery(f"job-{index}", index, "a", "b", "n1", (FileEntry("f", 3),), 0, NOW))


def made(index: int) -> Made:
    return Made(f"job-{index}", index, "b", None, (("c", (FileEntry("f", 3),)),))


RECORDS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 9).map(received), st.binary(max_size=300)),
        st.tuples(st.integers(0, 9).map(made), st.binary(max_size=300)),
        st.tuples(st.builds(Retired, st.integers(0, 9), st.just("b")), st.just(b"")),
        st.tuples(st.builds(Below, st.integers(0, 9)), st.just(b"")),
    ),
    max_size=12,
)


class Bench:
    """A spool in a folder, and what it has told."""

    def __init__(self, folder: Path, segment_bytes: int = 1 << 20) -> None:
        self.folder = folder
        self.tickets: list[int] = []
        self.problems: list[str] = []
        self._changed = asyncio.Event()
        self.spool = Spool(
            folder,
            committed=self._committed,
            failed=self._failed,
            segment_bytes=segment_bytes,
        )

    def _committed(self, ticket: int) -> None:
        self.tickets.append(ticket)
        self._changed.set()

    def _failed(self, reason: str) -> None:
        self.problems.append(reason)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_committed(self, ticket: int) -> None:
        await self.until(lambda: bool(self.tickets) and self.tickets[-1] >= ticket)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(main())


def write(folder: Path, records: list[tuple[Record, bytes]]) -> None:
    """A life of a node that spools these, and ends tidily."""

    async def scenario() -> None:
        bench = Bench(folder)
        list(bench.spool.recover())
        bench.spool.start()
        for record, payload in records:
            bench.spool.append(record, payload)
        bench.spool.close()

    run(scenario)


def recover(folder: Path) -> list[tuple[Record, bytes]]:
    return list(Spool(folder, committed=print, failed=print).recover())


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("segment-*.spool"))


# Kills


@settings(max_examples=40, deadline=None)
@given(records=RECORDS)
def test_closing_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[Record, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    write(folder, records)
    assert recover(folder) == records


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, cut=st.integers(0, 4000), filler=st.sampled_from((b"", b"\0", b"\xff")))
def test_a_kill_at_any_byte_leaves_all_before_it(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[Record, bytes]],
    cut: int,
    filler: bytes,
) -> None:
    """The end is cut off, or was never written and reads as zeros, or as anything."""
    folder = tmp_path_factory.mktemp("spool")
    write(folder, records)
    [segment] = segments(folder)
    size = segment.stat().st_size
    kept = min(cut, size)
    with segment.open("r+b") as file:
        file.truncate(kept)
        file.seek(kept)
        file.write(filler * (size - kept))
    survivors = recover(folder)
    assert survivors == records[: len(survivors)]
    assert recover(folder) == survivors, "what was torn is gone"
    if len(survivors) < len(records):
        write(folder, records[len(survivors) :])
        assert recover(folder) == records, "the next life goes on behind it"


def test_a_kill_while_committing_loses_nothing_that_was_told(tmp_path: Path) -> None:
    """A process is killed by SIGKILL in the middle of a stream of commits."""
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from dispatcher.spool import Retired, Spool\n"
        "async def main():\n"
        "    def committed(ticket):\n"
        "        os.write(1, b'%d\\n' % ticket)\n"
        "        for _ in range(50):\n"
        "            spool.append(Retired(1, 'x' * 500))\n"
        "        if ticket > 600:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "    spool = Spool(Path(sys.argv[1]), committed=committed, failed=print,"
        " segment_bytes=20_000)\n"
        "    spool.start()\n"
        "    spool.append(Retired(1, 'first'))\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    folder = tmp_path / "spool"
    process = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, check=False, timeout=60
    )
    assert process.returncode == -9, process.stderr.decode()
    told = int(process.stdout.split()[-1])
    assert len(segments(folder)) > 1
    assert len(recover(folder)) >= told > 600


# Tickets


def test_tickets_commit_in_order_and_with_those_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.spool.start()
        last = 0
        for number in range(200):
            ticket = bench.spool.append(Retired(number, "b"))
            assert ticket == last + 1
            last = ticket
            if number % 17 == 0:
                await asyncio.sleep(0)
        await bench.until_committed(last)
        assert bench.tickets == sorted(set(bench.tickets))
        bench.spool.close()

    run(scenario)


def test_nothing_is_told_before_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        real(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(spool_module.os, "fdatasync", sync)

    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.spool.start()
        ticket = bench.spool.append(made(1), b"x" * 1000)
        await bench.until_committed(ticket)
        assert synced
        assert synced[-1] > 1000
        bench.spool.close()

    run(scenario)


def test_closing_with_work_in_hand_ends(tmp_path: Path) -> None:
    """However the thread and the closing meet, the thread ends and has written all."""
    for round_number in range(30):
        folder = tmp_path / str(round_number)
        write(folder, [(Retired(number, "b"), b"") for number in range(round_number % 4)])
        assert len(recover(folder)) == round_number % 4


# Damage


def test_damage_in_an_older_segment_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [(made(1), b"abc"), (made(2), b"def")])
    write(tmp_path, [(made(3), b"ghi")])
    first, _ = segments(tmp_path)
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    with pytest.raises(SpoolError, match=r"segment-000001.spool is damaged at byte \d+"):
        recover(tmp_path)
    assert first.read_bytes() == bytes(content), "it is left as it is"


def test_a_torn_end_of_an_older_segment_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [(made(1), b"abc")])
    write(tmp_path, [])
    first = segments(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(SpoolError):
        recover(tmp_path)


# Forgetting


def test_segments_of_ended_jobs_vanish_from_the_oldest_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path, segment_bytes=1)  # every group is a segment
        bench.spool.start()
        for index in (0, 5, 1, 2):
            ticket = bench.spool.append(made(index), b"abc")
            await bench.until_committed(ticket)
        bench.spool.forget(3)
        bench.spool.append(Retired(9, "b"))
        await bench.until_committed(ticket + 2)
        bench.spool.close()

    run(scenario)
    left = [record for record, _ in recover(tmp_path)]
    assert left == [made(5), made(1), made(2), Below(3), Retired(9, "b")]


def test_the_memory_of_what_ended_outlives_what_ended(tmp_path: Path) -> None:
    """Killed at any moment, a spool that has dropped a job still says that it ended."""

    async def scenario() -> None:
        bench = Bench(tmp_path, segment_bytes=1)
        bench.spool.start()
        for index in range(20):
            await bench.until_committed(bench.spool.append(made(index), b"abc"))
            bench.spool.forget(index + 1)
            left = [record for record, _ in recover(tmp_path)]
            indexes = [record.index for record in left if isinstance(record, Made)]
            below = max((record.index for record in left if isinstance(record, Below)), default=0)
            assert set(range(below, index + 1)) <= set(indexes)
        bench.spool.close()

    run(scenario)
    assert Below(20) in [record for record, _ in recover(tmp_path)]
    assert len(recover(tmp_path)) <= 3


def test_a_new_life_forgets_what_the_former_spooled(tmp_path: Path) -> None:
    write(tmp_path, [(made(1), b"abc")])
    write(tmp_path, [(made(4), b"abc")])

    async def scenario() -> None:
        bench = Bench(tmp_path)
        list(bench.spool.recover())
        bench.spool.start()
        bench.spool.forget(2)
        await bench.until_committed(1)
        await asyncio.sleep(0)
        bench.spool.close()

    run(scenario)
    assert [record for record, _ in recover(tmp_path)] == [made(4), Below(2)]


# A disk that refuses


def test_a_full_disk_is_told_and_what_was_committed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        bench.spool.start()
        await bench.until_committed(bench.spool.append(made(1), b"abc"))
        real = os.write

        def refuse(descriptor: int, data: bytes) -> int:
            monkeypatch.setattr(spool_module.os, "write", refuse_all)
            return real(descriptor, bytes(data[:10]))

        def refuse_all(descriptor: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(spool_module.os, "write", refuse)
        told = list(bench.tickets)
        bench.spool.append(made(2), b"abc")
        await bench.until(lambda: bool(bench.problems))
        monkeypatch.undo()
        assert bench.problems == [f"{segments(tmp_path)[0]}: No space left on device"]
        bench.spool.append(made(3), b"abc")
        bench.spool.close()
        await asyncio.sleep(0)
        assert bench.tickets == told

    run(scenario)
    assert recover(tmp_path) == [(made(1), b"abc")]


def test_a_disk_that_refuses_a_new_segment_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    async def scenario() -> None:
        bench = Bench(tmp_path, segment_bytes=1)
        bench.spool.start()

        def refuse(path: Path, flags: int, *mode: int) -> int:
            if str(path).endswith("2.spool"):
                raise OSError(28, "No space left on device")
            return real(path, flags, *mode)

        monkeypatch.setattr(spool_module.os, "open", refuse)
        bench.spool.append(made(1), b"abc")
        await bench.until(lambda: bool(bench.problems))
        monkeypatch.undo()
        with open(os.devnull) as other:  # takes the number of the file that was closed
            bench.spool.close()
            os.fstat(other.fileno())

    run(scenario)


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def scenario() -> None:
        bench = Bench(tmp_path / "file" / "spool")
        with pytest.raises(SpoolError, match="can't be written"):
            bench.spool.start()

    run(scenario)


def test_a_limit_on_the_size_of_files_is_told(tmp_path: Path) -> None:
    """The real refusal of the operating system, in a process of its own."""
    program = (
        "import asyncio, resource, sys\n"
        "from pathlib import Path\n"
        "from dispatcher.spool import Retired, Spool\n"
        "async def main():\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "    failed = asyncio.get_running_loop().create_future()\n"
        "    spool = Spool(Path(sys.argv[1]), committed=print, failed=failed.set_result)\n"
        "    spool.start()\n"
        "    spool.append(Retired(1, 'x' * 10_000))\n"
        "    print(await failed)\n"
        "    spool.close()\n"
        "asyncio.run(main())\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096
    process = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert b"File too large" in process.stdout
    assert recover(tmp_path) == []
