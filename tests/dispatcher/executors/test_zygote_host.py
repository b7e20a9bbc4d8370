"""The zygote and the ends of it: nothing survives the node, nothing is lost silently."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from dispatcher.executors.base import File

WAIT_S = 30

NODE = """
import asyncio, sys
from pathlib import Path
from dispatcher.executors.base import Call, File, TaskSpec
from dispatcher.executors.host import ZygoteHost
from dispatcher.executors.isolated import IsolatedExecutor
from dispatcher.executors.loop import LoopExecutor
from dispatcher.executors.service import ServiceRunner, ServiceSpec
from dispatcher.executors.streaming import StreamingExecutor

async def main(folder, staged):
    host = ZygoteHost(Path(folder))
    for kind in (IsolatedExecutor, LoopExecutor, StreamingExecutor):
        executor = kind(TaskSpec(kind.kind, kind.kind, staged, ("next",)), host)
        await executor.start()
        executor.submit(Call("t", "j", 1, [("a", [File("x", b"x")])]), lambda *_: None)
    spec = ServiceSpec("service", ("python", "service.py"), staged)
    await ServiceRunner(spec, host, on_start=print, on_exit=print).start()
    print(host.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""

TELL = """
    import os, signal, subprocess
    def tell():
        inside = subprocess.Popen(["sleep", "1000"])
        outside = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        with open("fifo", "w") as out:
            out.write(f"{os.getpid()} {os.getppid()} {inside.pid} {outside.pid}\\n")
        signal.pause()
"""


def stage_everything(bench) -> Path:
    bench.script("tell.py", TELL)
    bench.script("isolated.py", "import tell\ndef task(n, i, o): tell.tell()\n")
    bench.script("loop.py", "import tell\ndef task(q, i, o, t):\n    q.get()\n    tell.tell()\n")
    bench.script(
        "streaming.py",
        """
        import tell
        class Stage:
            def __init__(self, context): pass
            def process(self, job, inputs): tell.tell()
        """,
    )
    bench.script("service.py", "import tell\ntell.tell()\n")
    staged = bench.stage()
    os.mkfifo(staged / "fifo")
    return staged


def test_a_killed_node_leaves_no_process(bench):
    staged = stage_everything(bench)
    fifo = os.open(staged / "fifo", os.O_RDWR)  # both ends, so that reading never sees an end
    node = subprocess.Popen(
        [sys.executable, "-c", NODE, str(bench.folder / "work"), str(staged)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        with node, os.fdopen(fifo) as told:
            pids = {int(pid) for _ in range(4) for pid in told.readline().split()}
            descriptors = [os.pidfd_open(pid) for pid in pids]
            node.kill()
            assert_all_end(descriptors)
    finally:
        node.kill()
    assert len(pids) == 4 * 3 + 2  # zygote and template are the only parents


def assert_all_end(descriptors: list[int]) -> None:
    """Wait until every process has ended, by its pidfd."""
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    left = set(descriptors)
    while left:
        ended = poller.poll(WAIT_S * 1000)
        assert ended, f"{len(left)} processes still run"
        for descriptor, _ in ended:
            poller.unregister(descriptor)
            left.discard(descriptor)
            os.close(descriptor)


def test_a_killed_zygote_fails_the_calls_and_is_started_again(bench):
    staged = stage_everything(bench)
    bench.script("plain.py", "def task(n, i, o): open(o + '/x', 'w').close()\n")
    inputs = {"a": [File("x", b"x")]}

    async def scenario(host):
        os.mkfifo(staged / "fifo")
        fifo = os.open(staged / "fifo", os.O_RDWR)
        executors = [bench.executor(host, kind, kind) for kind in ("isolated", "loop")]
        for executor in executors:
            await executor.start()
        calls = [bench.submit(executor, inputs) for executor in executors]
        with os.fdopen(fifo) as told:
            lines = [
                await asyncio.get_running_loop().run_in_executor(None, told.readline)
                for _ in executors
            ]
        first = host.pid
        # A helper that left its process group outlives a loop task if the zygote itself is lost.
        pids = {int(pid) for line in lines for pid in line.split()[:3]}
        descriptors = [os.pidfd_open(pid) for pid in pids]
        os.kill(first, signal.SIGKILL)
        for outcome in await asyncio.gather(*calls):
            assert not outcome.ok
            assert "zygote was lost (killed by SIGKILL)" in outcome.reason
        await asyncio.get_running_loop().run_in_executor(None, assert_all_end, descriptors)
        for line in lines:
            for pid in map(int, line.split()[3:]):
                if Path(f"/proc/{pid}").exists():
                    os.kill(pid, signal.SIGKILL)
        plain = bench.executor(host, "plain")
        await plain.start()
        assert (await bench.submit(plain, inputs)).ok
        assert host.pid != first

    bench.run(scenario)


def test_many_tasks_start_at_once(bench):
    bench.script("plain.py", "def task(n, i, o): open(o + '/x', 'w').close()\n")

    async def scenario(host):
        executors = [bench.executor(host, "plain", name=f"t{number}") for number in range(30)]
        await asyncio.gather(*(executor.start() for executor in executors))
        calls = [bench.submit(executor, {"a": [File("x", b"x")]}) for executor in executors]
        outcomes = await asyncio.gather(*calls)
        assert all(outcome.ok for outcome in outcomes)
        assert len({executor.pid for executor in executors}) == 30
        await asyncio.gather(*(executor.stop() for executor in executors))

    bench.run(scenario)


def test_the_folders_of_a_killed_node_are_removed_at_the_next_start(bench):
    bench.script("plain.py", "def task(n, i, o): open(o + '/x', 'w').close()\n")
    old = bench.folder / "work" / "calls-old" / "tool-1" / "1" / "out"
    old.mkdir(parents=True)
    (old / "half").touch()
    assert bench.outcome("plain", {"a": [File("x", b"x")]}).ok
    assert not old.exists()
