"""Jupiter v5's endless loop, one job after the other."""

from __future__ import annotations

import os

import pytest

from dispatcher.executors.base import File

COPY = """
    import os, shutil
    jobs = 0
    def task(q, pathin, pathout, task_name):
        global jobs
        got = []
        while True:
            name = q.get()
            source, this, base = name.split("_", 2)
            assert this == task_name
            got.append(f"{source}:{open(f'{pathin}/{name}').read()}")
            if base == "last":
                jobs += 1
                for child in ("left", "right"):
                    with open(f"{pathout}/{task_name}_{child}_out", "w") as out:
                        out.write(f"{jobs} {child} {got}")
                got = []
"""


def test_a_join_of_two_parents_in_parent_order(bench):
    bench.script("copy.py", COPY)
    job = {"b": [File("first", b"1")], "a": [File("last", b"2")]}
    first, second = bench.outcomes("copy", job, job, kind="loop")
    assert bench.contents(first) == {
        "tool_left_out": b"1 left ['b:1', 'a:2']",
        "tool_right_out": b"1 right ['b:1', 'a:2']",
    }
    assert bench.contents(second)["tool_left_out"].startswith(b"2 left")
    assert first.started_ns < first.ended_ns < second.started_ns


@pytest.mark.parametrize(
    "take",
    [
        "name = q.get()",
        "name = q.get_nowait() if not q.empty() else q.get()",
        "name = q.get(timeout=1000)",
        "name = q.get() if q.qsize() else q.get(True, 1)",
    ],
)
def test_every_way_to_ask_the_queue_ends_a_job(bench, take):
    bench.script(
        "ask.py",
        f"""
        def task(q, pathin, pathout, task_name):
            while True:
                {take}
                open(f"{{pathout}}/{{name}}", "w").close()
                q.task_done()
        """,
    )
    job = {"a": [File("x_y", b"1"), File("z", b"1")]}
    for outcome in bench.outcomes("ask", job, job, kind="loop"):
        assert list(bench.contents(outcome)) == ["a_tool_x_y", "a_tool_z"]


@pytest.mark.parametrize(
    "wait",
    [
        "if q.empty(): continue",
        "if not q.qsize(): continue",
        "try: q.put(q.get(timeout=0.001))\n                except queue.Empty: continue",
        "try: q.put(q.get_nowait())\n                except queue.Empty: continue",
    ],
)
def test_a_loop_may_poll(bench, wait):
    bench.script(
        "poll.py",
        f"""
        import queue
        def task(q, pathin, pathout, task_name):
            while True:
                {wait}
                name = q.get()
                open(f"{{pathout}}/{{name}}", "w").close()
        """,
    )
    jobs = [{"a": [File("x", b"1")]}, {"a": [File("y", b"1"), File("z", b"1")]}]
    first, second = bench.outcomes("poll", *jobs, kind="loop")
    assert list(bench.contents(first)) == ["a_tool_x"]
    assert sorted(bench.contents(second)) == ["a_tool_y", "a_tool_z"]


def test_files_of_another_loop_keep_their_name(bench):
    bench.script("copy.py", COPY)
    job = {"a": [File("a_tool_last", b"1")]}
    (outcome,) = bench.outcomes("copy", job, kind="loop")
    assert bench.contents(outcome)["tool_left_out"] == b"1 left ['a:1']"


def test_a_name_that_is_put_back_comes_again_after_the_others(bench):
    bench.script(
        "again.py",
        """
        def task(q, pathin, pathout, task_name):
            seen = set()
            while True:
                name = q.get()
                if name.endswith("later") and name not in seen:
                    seen.add(name)
                    q.put(name)
                    continue
                with open(f"{pathin}/{name}") as source, open(f"{pathout}/{name}", "w") as out:
                    out.write(source.read())
        """,
    )
    outcome = bench.outcome("again", {"a": [File("later", b"l"), File("x", b"x")]}, kind="loop")
    assert list(bench.contents(outcome)) == ["a_tool_x", "a_tool_later"]


FAIL = """
    import os, signal
    def task(q, pathin, pathout, task_name):
        while True:
            name = q.get()
            command = open(f"{pathin}/{name}").read()
            if command == "raise":
                raise ValueError("no")
            if command == "return":
                return
            if command == "exit":
                raise SystemExit(6)
            if command == "hang":
                signal.pause()
            with open(f"{pathout}/{task_name}_next_{command}", "w") as out:
                out.write(str(os.listdir(pathin)))
"""


@pytest.mark.parametrize(
    ("command", "reason", "stderr"),
    [
        ("raise", "exit code 1", "ValueError: no"),
        ("return", "exit code 1", "a v5 task loops for ever"),
        ("exit", "exit code 6", ""),
        ("hang", "timed out after 0.2 s", ""),
    ],
)
def test_a_loop_that_ends_or_hangs_fails_its_job_and_the_others_run(bench, command, reason, stderr):
    bench.script("fail.py", FAIL)
    jobs = [{"a": [File("f", word.encode())]} for word in ("one", command, "two")]
    one, bad, two = bench.outcomes("fail", *jobs, kind="loop", timeout_ns=200_000_000)
    assert bench.contents(one) == {"tool_next_one": b"['a_tool_f']"}
    assert bench.contents(two) == {"tool_next_two": b"['a_tool_f']"}
    assert not bad.ok
    assert reason in bad.reason
    assert stderr in bad.stderr_tail


def test_a_large_output_is_handed_over_on_disk(bench):
    bench.script(
        "large.py",
        """
        def task(q, pathin, pathout, task_name):
            while True:
                size = int(open(f"{pathin}/{q.get()}").read())
                with open(f"{pathout}/{task_name}_next_x", "wb") as out:
                    out.write(bytes(size))
        """,
    )

    async def scenario(host):
        executor = bench.executor(host, "large", "loop")
        await executor.start()
        size = 3 * 2**20
        outcome = await bench.submit(executor, {"a": [File("n", str(size).encode())]})
        (output,) = outcome.outputs
        assert (output.data, output.size_bytes) == (None, size)
        small = await bench.submit(executor, {"a": [File("n", b"5")]})
        assert bench.contents(small) == {"tool_next_x": bytes(5)}
        outcome.release()
        assert not output.path.exists()
        await executor.stop()

    bench.run(scenario)


def test_jobs_without_usable_files_fail_with_the_reason(bench):
    bench.script("copy.py", COPY)
    clash = {"a": [File("tool_x", b"")], "a_tool": [File("x", b"")]}
    empty, same, odd = bench.outcomes("copy", {}, clash, {"a": [File("b/c", b"")]}, kind="loop")
    assert "no input files" in empty.reason
    assert "same name" in same.reason
    assert "'b/c'" in odd.reason


def test_an_input_on_disk_is_seen_by_its_v5_name(bench):
    bench.script("copy.py", COPY)
    kept = bench.folder / "kept"
    kept.write_text("k")
    outcome = bench.outcome("copy", {"a": [File("last", path=kept)]}, kind="loop")
    assert bench.contents(outcome)["tool_left_out"] == b"1 left ['a:k']"
    assert os.stat(kept).st_nlink == 1
