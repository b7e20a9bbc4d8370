"""Services: started, started again, stopped."""

from __future__ import annotations

import asyncio
import os
import sys

from dispatcher.executors.service import BackOff, ServiceRunner, ServiceSpec
from dispatcher.executors.service_process import program_of

AT_ONCE = BackOff(first_s=0.0)


class Journal:
    """Collects a service's callbacks and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()

    def on_start(self, name: str, pid: int, restarts: int) -> None:
        self.events.put_nowait(("start", name, pid, restarts))

    def on_exit(self, name: str, exit_code: int | None, stderr_tail: str) -> None:
        self.events.put_nowait(("exit", name, exit_code, stderr_tail))


def runner(bench, host, *argv, journal, back_off=AT_ONCE, **environment):
    spec = ServiceSpec("serve", argv, str(bench.folder / "staged"), environment)
    return ServiceRunner(
        spec, host, on_start=journal.on_start, on_exit=journal.on_exit, back_off=back_off
    )


def test_a_service_that_dies_is_started_again(bench):
    bench.script(
        "serve.py",
        """
        import os, sys
        print("trouble in", os.getcwd(), sys.argv[1:], os.environ["TASK"], file=sys.stderr)
        sys.exit(int(sys.argv[1]))
        """,
    )

    async def scenario(host):
        journal = Journal()
        service = runner(bench, host, "python", "serve.py", "7", journal=journal, TASK="serve")
        await service.start()
        said = f"trouble in {bench.folder / 'staged'} ['7'] serve\n"
        pids = []
        for restarts in range(3):
            kind, name, pid, count = await journal.events.get()
            assert (kind, name, count) == ("start", "serve", restarts)
            pids.append(pid)
            assert await journal.events.get() == ("exit", "serve", 7, said)
        assert len(set(pids)) == 3
        await service.stop()
        assert service.pid is None

    bench.run(scenario)


def test_stop_asks_first_and_is_no_failure(bench):
    bench.script(
        "serve.sh", "trap 'echo asked > $SAID; exit 5' TERM\necho $$ > $FIFO\nsleep 1000 & wait\n"
    )

    async def scenario(host):
        journal = Journal()
        fifo, said = bench.folder / "fifo", bench.folder / "said"
        os.mkfifo(fifo)
        service = runner(bench, host, "serve.sh", journal=journal, FIFO=str(fifo), SAID=str(said))
        await service.start()
        _, _, pid, _ = await journal.events.get()
        told = await asyncio.get_running_loop().run_in_executor(None, fifo.read_text)
        assert int(told) == pid
        await service.stop()
        assert said.read_text() == "asked\n"
        assert journal.events.empty()
        assert service.pid is None

    bench.run(scenario)


def test_a_program_that_does_not_exist_is_told(bench):
    async def scenario(host):
        journal = Journal()
        patient = BackOff(first_s=1000.0)
        service = runner(bench, host, "no-such-program", journal=journal, back_off=patient)
        await service.start()
        await journal.events.get()
        _, _, code, tail = await journal.events.get()
        assert code == 1
        assert "'no-such-program' is neither a file in the app's scripts nor a program" in tail
        await service.stop()

    bench.run(scenario)


def test_the_wait_doubles_up_to_a_limit_and_starts_again_after_a_healthy_life():
    back_off = BackOff(first_s=1, most_s=4, healthy_s=10)
    waits, wait = [], None
    for lived_s in (0, 0, 0, 0, 11, 0):
        wait = back_off.next_s(wait, lived_s)
        waits.append(wait)
    assert waits == [1, 2, 4, 4, 1, 2]


def test_how_argv_becomes_a_program(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.py").touch()
    (tmp_path / "b.sh").touch()
    (tmp_path / "c").touch(mode=0o755)
    folder = str(tmp_path)

    assert program_of(["python", "sub/a.py", "1"], folder) == [sys.executable, "sub/a.py", "1"]
    assert program_of(["sub/a.py"], folder) == [sys.executable, "-u", f"{folder}/sub/a.py"]
    assert program_of(["b.sh", "x"], folder) == ["/bin/sh", f"{folder}/b.sh", "x"]
    assert program_of(["c"], folder) == [f"{folder}/c"]
    assert program_of(["sh", "/centralized_scheduler/b.sh"], folder)[1] == f"{folder}/b.sh"
    assert program_of(["/centralized_scheduler/c"], folder) == [f"{folder}/c"]
