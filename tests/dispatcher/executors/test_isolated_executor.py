"""The contract of ``task(files, pathin, pathout)``, held by real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.executors.base import File
from dispatcher.executors.isolated import present_names
from jupiter.errors import JupiterError

ONE = {"source": [File("in.txt", b"hello")]}


def test_a_task_reads_its_input_and_its_files_are_the_outputs(bench):
    bench.script(
        "shout.py",
        """
        def task(name, pathin, pathout):
            with open(f"{pathin}/{name}") as source, open(f"{pathout}/loud.txt", "w") as out:
                out.write(source.read().upper())
            return ["/a/return/value/nobody/believes"]
        """,
    )
    outcome = bench.outcome("shout", ONE)
    assert bench.contents(outcome) == {"loud.txt": b"HELLO"}
    assert outcome.started_ns < outcome.ended_ns
    assert outcome.peak_memory_bytes > 2**20
    assert outcome.folder is None


def test_globals_start_from_the_import_for_every_call(bench):
    bench.script(
        "count.py",
        """
        calls = 0
        def task(name, pathin, pathout):
            global calls
            calls += 1
            open(f"{pathout}/{calls}", "w").close()
        """,
    )
    outcomes = bench.outcomes("count", ONE, ONE, ONE)
    assert [list(bench.contents(outcome)) for outcome in outcomes] == [["1"]] * 3


NAMES = """
    import json
    def task(names, pathin, pathout):
        import os
        with open(f"{pathout}/seen-{sorted(os.listdir(pathin))[0]}", "w") as out:
            json.dump([names, sorted(os.listdir(pathin))], out)
"""


@pytest.mark.parametrize(
    ("files_per_call", "count", "seen"),
    [
        (1, 1, [b'["0", ["0"]]']),
        (1, 2, [b'["0", ["0"]]', b'["1", ["1"]]']),
        (2, 2, [b'[["0", "1"], ["0", "1"]]']),
        (2, 4, [b'[["0", "1"], ["0", "1"]]', b'[["2", "3"], ["2", "3"]]']),
        (None, 1, [b'["0", ["0"]]']),
        (None, 2, [b'[["0", "1"], ["0", "1"]]']),
    ],
)
def test_a_task_gets_a_str_or_a_list_by_files_per_call(bench, files_per_call, count, seen):
    bench.script("names.py", NAMES)
    inputs = {"source": [File(str(number), b"") for number in range(count)]}
    outcome = bench.outcome("names", inputs, files_per_call=files_per_call)
    assert list(bench.contents(outcome).values()) == seen


def test_a_remainder_of_files_is_a_failure_that_says_so(bench):
    bench.script("names.py", NAMES)
    outcome = bench.outcome("names", {"a": [File("x", b"")] * 3}, files_per_call=2)
    assert not outcome.ok
    assert "takes 2 files per call" in outcome.reason
    assert "brought 3" in outcome.reason


def test_files_come_in_parent_order_and_equal_names_are_told_apart(bench):
    bench.script(
        "join.py",
        """
        def task(names, pathin, pathout):
            for name in names:
                with open(f"{pathin}/{name}", "rb") as source:
                    content = source.read()
                with open(f"{pathout}/{name}", "wb") as out:
                    out.write(content)
        """,
    )
    inputs = {
        "right": [File("frame.png", b"r"), File("right.txt", b"t")],
        "left": [File("frame.png", b"l")],
    }
    outcome = bench.outcome("join", inputs, files_per_call=3)
    assert list(bench.contents(outcome).items()) == [
        ("right_frame.png", b"r"),
        ("right.txt", b"t"),
        ("left_frame.png", b"l"),
    ]


names = st.sampled_from(["a", "b", "p_a", "q_a", "p_2_a", "p_p_a"])


@given(st.dictionaries(st.sampled_from(["p", "q", "p_p"]), st.lists(names, max_size=4)))
def test_presented_names_are_distinct_and_kept_where_they_can_be(by_parent):
    files = [(parent, [File(name, b"") for name in sent]) for parent, sent in by_parent.items()]
    presented = present_names(files)
    flat = [file for _, sent in files for file in sent]
    assert [id(file) for _, file in presented] == [id(file) for file in flat]
    assert len({name for name, _ in presented}) == len(flat)
    originals = [file.name for file in flat]
    for name, file in presented:
        assert name == file.name or originals.count(file.name) > 1


def test_a_name_that_leads_out_of_the_folder_is_refused(bench):
    bench.script("names.py", NAMES)
    outcome = bench.outcome("names", {"a": [File("../escape", b"")]})
    assert not outcome.ok
    assert "'../escape'" in outcome.reason


def test_outputs_are_in_the_order_they_were_closed(bench):
    bench.script(
        "order.py",
        """
        import os
        def task(name, pathin, pathout):
            first, second = open(f"{pathout}/z", "w"), open(f"{pathout}/a", "w")
            for part in range(3):
                open(f"{pathout}/m{part}", "w").close()
            second.close()
            first.close()
            with open(f"{pathin}/tmp", "w") as out:
                out.write("moved")
            os.rename(f"{pathin}/tmp", f"{pathout}/moved")
        """,
    )
    outcome = bench.outcome("order", ONE)
    assert list(bench.contents(outcome)) == ["m0", "m1", "m2", "a", "z", "moved"]


def test_an_exception_is_told_with_its_traceback(bench):
    bench.script(
        "bad.py",
        """
        def task(name, pathin, pathout):
            raise ValueError(f"can't use {name}")
        """,
    )
    outcome = bench.outcome("bad", ONE)
    assert (outcome.ok, outcome.exit_code) == (False, 1)
    assert outcome.reason == "ValueError: can't use in.txt"
    assert "bad.py" in outcome.stderr_tail
    assert outcome.stderr_tail.rstrip().endswith("ValueError: can't use in.txt")
    assert outcome.outputs == []


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        ("sys.exit(3)", 3, "exit code 3"),
        ("os._exit(3)", 3, "exit code 3"),
        ("sys.exit('no more')", 1, "exit code 1"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, "killed by SIGSEGV"),
    ],
)
def test_a_crash_is_told_with_code_signal_and_stderr(bench, end, code, reason):
    bench.script(
        "crash.py",
        f"""
        import os, signal, sys
        def task(name, pathin, pathout):
            print("last words", file=sys.stderr, flush=True)
            {end}
        """,
    )
    bad, worse = bench.outcomes("crash", ONE, ONE)
    assert (bad.ok, bad.exit_code) == (False, code)
    assert reason in bad.reason
    assert "last words" in bad.stderr_tail
    assert worse.exit_code == code  # the template lives on


@pytest.mark.parametrize("end", ["sys.exit(0)", "sys.exit()", "os._exit(0)", "return 7"])
def test_an_early_end_with_code_zero_is_a_success(bench, end):
    bench.script(
        "early.py",
        f"""
        import os, sys
        def task(name, pathin, pathout):
            open(f"{{pathout}}/done", "w").close()
            {end}
        """,
    )
    assert list(bench.contents(bench.outcome("early", ONE))) == ["done"]


def test_only_the_end_of_stderr_is_kept(bench):
    bench.script(
        "chatty.py",
        """
        import sys
        def task(name, pathin, pathout):
            sys.stderr.write("x" * 300_000 + "the end")
        """,
    )
    outcome = bench.outcome("chatty", ONE)
    assert len(outcome.stderr_tail) == 4096
    assert outcome.stderr_tail.endswith("the end")
    log = (bench.folder / "logs" / "tool.log").read_text()
    assert len(log) == 300_007


def test_stdout_goes_to_the_log_in_the_order_of_its_lines(bench):
    bench.script(
        "printer.py",
        """
        print("imported")
        def task(name, pathin, pathout):
            print("called", name)
        """,
    )
    bench.outcome("printer", ONE)
    assert (bench.folder / "logs" / "tool.log").read_text() == "imported\ncalled in.txt\n"


def test_a_call_that_hangs_is_killed_at_its_timeout_with_all_its_processes(bench):
    bench.script(
        "hang.py",
        """
        import os, signal, subprocess, sys
        def task(name, pathin, pathout):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            daemon = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            print(os.getpid(), daemon.pid, file=sys.stderr, flush=True)
            signal.pause()
        """,
    )
    outcome = bench.outcome("hang", ONE, timeout_ns=300_000_000)
    assert (outcome.ok, outcome.reason) == (False, "timed out after 0.3 s")
    assert outcome.exit_code == -signal.SIGKILL
    call, daemon = map(int, outcome.stderr_tail.split())
    assert not is_alive(call)
    assert not is_alive(daemon)


@pytest.mark.parametrize("end", ["return", "os._exit(0)", "os._exit(1)", "os.abort()"])
def test_what_a_call_leaves_behind_is_killed(bench, end):
    bench.script(
        "litter.py",
        f"""
        import os, subprocess, sys
        def task(name, pathin, pathout):
            inside = subprocess.Popen(["sleep", "1000"])
            # A daemon as they come: its parent is gone, it has a session of its own.
            away = subprocess.run(
                ["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"],
                capture_output=True, text=True, check=True,
            )
            print(inside.pid, away.stdout, file=sys.stderr, flush=True)
            {end}
        """,
    )
    outcome = bench.outcome("litter", ONE)
    inside, away = map(int, outcome.stderr_tail.split()[:2])
    assert not is_alive(inside)
    assert not is_alive(away)


def test_threads_and_multiprocessing_children_are_waited_for(bench):
    bench.script(
        "helpers.py",
        """
        import multiprocessing, threading
        context = multiprocessing.get_context("fork")
        def write(path, gate):
            gate.wait()
            open(path, "w").close()
        def task(name, pathin, pathout):
            gate = context.Event()
            threading.Thread(target=write, args=(f"{pathout}/thread", gate)).start()
            context.Process(target=write, args=(f"{pathout}/process", gate)).start()
            gate.set()
        """,
    )
    outcome = bench.outcome("helpers", ONE)
    assert sorted(bench.contents(outcome)) == ["process", "thread"]


def test_a_helper_started_by_the_import_lives_as_long_as_the_template(bench):
    bench.script(
        "server.py",
        """
        import os, subprocess
        helper = subprocess.Popen(["sleep", "1000"])
        def task(name, pathin, pathout):
            os.kill(helper.pid, 0)
            with open(f"{pathout}/{helper.pid}", "w"):
                os._exit(0)
        """,
    )
    first, second = bench.outcomes("server", ONE, ONE)
    assert list(bench.contents(first)) == list(bench.contents(second))
    assert not is_alive(int(first.outputs[0].name))


def test_calls_of_a_task_run_at_the_same_time(bench):
    bench.script(
        "meet.py",
        """
        import os
        def task(name, pathin, pathout):
            fifo = open(f"{pathin}/{name}").read()
            # Each open waits for the other call's open.
            if name == "write":
                with open(fifo, "w") as out:
                    out.write("met")
            else:
                with open(fifo) as source, open(f"{pathout}/got", "w") as out:
                    out.write(source.read())
        """,
    )
    fifo = bench.folder / "fifo"
    os.mkfifo(fifo)
    reader, writer = bench.outcomes(
        "meet",
        {"a": [File("read", str(fifo).encode())]},
        {"a": [File("write", str(fifo).encode())]},
    )
    assert bench.contents(reader) == {"got": b"met"}
    assert writer.ok


def test_more_memory_than_allowed_is_a_failure_that_names_it(bench):
    bench.script(
        "greedy.py",
        """
        def task(name, pathin, pathout):
            size = int(open(f"{pathin}/{name}").read())
            with open(f"{pathout}/fine", "w"):
                bytearray(size)
        """,
    )
    fits, greedy = bench.outcomes(
        "greedy",
        {"a": [File("n", str(8 * 2**20).encode())]},
        {"a": [File("n", str(200 * 2**20).encode())]},
        memory_bytes=64 * 2**20,
    )
    assert fits.ok
    assert (greedy.ok, greedy.reason) == (False, "MemoryError")


def test_a_large_output_stays_on_disk_until_it_is_released(bench):
    bench.script(
        "large.py",
        """
        def task(name, pathin, pathout):
            with open(f"{pathout}/large", "wb") as out:
                for _ in range(64):
                    out.write(bytes(2**20))
            with open(f"{pathout}/small", "wb") as out:
                out.write(b"s" * 2**20)
        """,
    )

    async def scenario(host):
        executor = bench.executor(host, "large")
        await executor.start()
        outcome = await bench.submit(executor, ONE)
        large, small = outcome.outputs
        assert (large.name, large.data, large.size_bytes) == ("large", None, 64 * 2**20)
        assert small.data == b"s" * 2**20
        assert large.path.is_relative_to(outcome.folder)
        assert [path.name for path in outcome.folder.rglob("*") if path.is_file()] == ["large"]
        folder = outcome.folder
        outcome.release()
        outcome.release()
        assert not folder.exists()
        await executor.stop()

    bench.run(scenario)


def test_an_input_on_disk_is_linked_and_must_not_be_changed_in_place(bench):
    bench.script(
        "editor.py",
        """
        import os
        def task(name, pathin, pathout):
            with open(f"{pathout}/links", "w") as out:
                out.write(str(os.stat(f"{pathin}/{name}").st_nlink))
            if name == "scribble":
                with open(f"{pathin}/{name}", "a") as target:
                    target.write("!")
            elif name == "replace":
                os.unlink(f"{pathin}/{name}")
                os.rename(f"{pathout}/links", f"{pathin}/{name}")
        """,
    )
    kept = bench.folder / "kept"
    kept.write_text("mine")
    inputs = [{"a": [File(name, path=kept)]} for name in ("read", "replace")]
    read, replace = bench.outcomes("editor", *inputs)
    assert bench.contents(read)["links"] in (b"2", b"3")  # both calls may run at once
    assert replace.ok
    assert kept.read_text() == "mine"
    scribble = bench.outcome("editor", {"a": [File("scribble", path=kept)]})
    assert "changed its input 'scribble' in place" in scribble.reason


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        ("os.makedirs(f'{pathout}/sub'); open(f'{pathout}/sub/x', 'w').close()", "folder 'sub'"),
        ("os.symlink('/etc/hostname', f'{pathout}/link')", "'link' in pathout is no regular"),
        ("os.mkfifo(f'{pathout}/pipe')", "'pipe' in pathout is no regular"),
    ],
)
def test_what_cannot_be_an_output_fails_the_call(bench, make, reason):
    bench.script(
        "odd.py",
        f"""
        import os
        def task(name, pathin, pathout):
            {make}
        """,
    )
    outcome = bench.outcome("odd", ONE)
    assert not outcome.ok
    assert reason in outcome.reason


def test_an_empty_folder_in_pathout_is_ignored(bench):
    bench.script(
        "empty.py",
        """
        import os
        def task(name, pathin, pathout):
            os.mkdir(f"{pathout}/scratch")
            open(f"{pathout}/out", "w").close()
        """,
    )
    assert list(bench.contents(bench.outcome("empty", ONE))) == ["out"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def task(:\n", "SyntaxError"),
        ("import no_such_module_anywhere\n", "No module named 'no_such_module_anywhere'"),
        ("def other(): pass\n", "has no function task(files, pathin, pathout)"),
        ("import sys; sys.exit(4)\n", "SystemExit: 4"),
        ("import os; os._exit(5)\n", "exit code 5 (while it imported broken)"),
    ],
)
def test_a_module_that_cannot_be_used_fails_the_start(bench, text, reason):
    bench.script("broken.py", text)
    with pytest.raises(JupiterError, match="task tool") as caught:
        bench.outcome("broken", ONE)
    assert reason in str(caught.value)


def test_a_missing_script_fails_the_start(bench):
    with pytest.raises(JupiterError, match=r"there is no script nowhere\.py"):
        bench.outcome("nowhere", ONE)


@pytest.mark.parametrize("module", ["tera/master", "tera.master", "select", "dispatcher"])
def test_a_module_may_be_in_a_folder_or_be_called_like_another(bench, module):
    path = module.replace(".", "/") + ".py"
    bench.script(
        path, "from helper import NAME\nimport sys\ndef task(n, i, o): open(o + NAME, 'w')"
    )
    bench.script("helper.py", "NAME = '/helped'")
    assert list(bench.contents(bench.outcome(module, ONE))) == ["helped"]


def test_a_task_sees_its_folder_environment_arguments_and_job(bench):
    bench.script(
        "look.py",
        """
        import json, os, sys
        def task(name, pathin, pathout):
            with open(f"{pathout}/seen", "w") as out:
                names = ["TASK", "JUPITER_JOB", "JUPITER_ATTEMPT", "JUPITER_FIRING"]
                facts = [os.environ[name] for name in names]
                json.dump([os.getcwd(), sys.argv[1:], os.path.exists("look.py"), *facts], out)
        """,
    )

    async def scenario(host):
        executor = bench.executor(host, "look", args=("0", "3"), environment={"TASK": "tool"})
        await executor.start()
        outcome = await bench.submit(executor, ONE, job="job7", firing={"planned_ns": 5})
        await executor.stop()
        return outcome

    (seen,) = bench.contents(bench.run(scenario)).values()
    staged = str(bench.folder / "staged")
    expected = f'["{staged}", ["0", "3"], true, "tool", "job7", "1", "{{\\"planned_ns\\": 5}}"]'
    assert seen.decode() == expected


def test_a_template_that_is_killed_fails_its_calls_and_comes_back(bench):
    bench.script(
        "wait.py",
        """
        import signal
        def task(name, pathin, pathout):
            if name == "wait":
                open(open(f"{pathin}/{name}").read(), "w").close()  # tells the test that it runs
                signal.pause()
        """,
    )
    fifo = bench.folder / "fifo"
    os.mkfifo(fifo)

    async def scenario(host):
        executor = bench.executor(host, "wait")
        await executor.start()
        first = executor.pid
        waiting = bench.submit(executor, {"a": [File("wait", str(fifo).encode())]})
        await asyncio.get_running_loop().run_in_executor(None, fifo.read_bytes)
        os.kill(first, signal.SIGKILL)
        lost = await waiting
        assert (lost.ok, lost.exit_code) == (False, -signal.SIGKILL)
        assert "the process of task tool ended: killed by SIGKILL" in lost.reason
        again = await bench.submit(executor, ONE)
        assert again.ok
        assert executor.pid != first
        await executor.stop()

    bench.run(scenario)


def test_stop_fails_what_runs_and_leaves_no_process(bench):
    bench.script(
        "wait.py",
        """
        import os, signal
        def task(name, pathin, pathout):
            with open(open(f"{pathin}/{name}").read(), "w") as out:
                out.write(str(os.getpid()))
            signal.pause()
        """,
    )
    fifo = bench.folder / "fifo"
    os.mkfifo(fifo)

    async def scenario(host):
        executor = bench.executor(host, "wait")
        await executor.start()
        template = executor.pid
        waiting = bench.submit(executor, {"a": [File("wait", str(fifo).encode())]})
        call = int(await asyncio.get_running_loop().run_in_executor(None, fifo.read_text))
        await executor.stop()
        outcome = await waiting
        assert (outcome.ok, outcome.reason) == (False, "stopped")
        assert not is_alive(call)
        assert not is_alive(template)
        late = await bench.submit(executor, ONE)
        assert (late.ok, late.reason) == (False, "stopped")

    bench.run(scenario)


def test_the_work_folder_is_empty_after_the_calls(bench):
    bench.script("nothing.py", "def task(n, i, o): open(f'{o}/x', 'w').close()")

    async def scenario(host):
        executor = bench.executor(host, "nothing")
        await executor.start()
        await asyncio.gather(*(bench.submit(executor, ONE) for _ in range(4)))
        left = [path for path in (bench.folder / "work").rglob("*") if path.is_file()]
        assert left == []
        await executor.stop()

    bench.run(scenario)
    assert list((bench.folder / "work").iterdir()) == []


def is_alive(pid: int) -> bool:
    """Whether a process of that pid runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
