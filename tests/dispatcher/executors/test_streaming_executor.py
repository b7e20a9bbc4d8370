"""The contract of class Stage, and what happens to calls when its process fails."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from dispatcher.executors.base import File
from dispatcher.executors.streaming_worker import ReturnError, as_outputs
from jupiter.errors import JupiterError

STAGE = """
    import os, signal
    class Stage:
        def __init__(self, context):
            self.context = context
            self.calls = 0
        def process(self, job, inputs):
            self.calls += 1
            (payload,) = inputs.values()
            if payload == b"raise":
                raise ValueError("not this one")
            if payload == b"die":
                os._exit(9)
            if payload == b"segv":
                print("boom", file=__import__("sys").stderr, flush=True)
                os.kill(os.getpid(), signal.SIGSEGV)
            if payload == b"hang":
                signal.pause()
            return b"%d:%s:%s" % (self.calls, job.encode(), payload)
"""


def payloads(*values: bytes) -> list[dict[str, list[File]]]:
    return [{"source": [File("x.bin", value)]} for value in values]


def test_a_batch_is_processed_in_order_by_one_object(bench):
    bench.script("stage.py", STAGE)
    outcomes = bench.outcomes("stage", *payloads(b"a", b"b", b"c"), kind="streaming")
    assert [bench.contents(outcome) for outcome in outcomes] == [
        {"tool.bin": b"1:j0:a"},
        {"tool.bin": b"2:j1:b"},
        {"tool.bin": b"3:j2:c"},
    ]
    stamps = [stamp for outcome in outcomes for stamp in (outcome.started_ns, outcome.ended_ns)]
    assert stamps == sorted(stamps)
    assert outcomes[-1].peak_memory_bytes > 2**20


def test_inputs_are_keyed_by_parent_or_by_file_and_may_be_on_disk(bench):
    bench.script(
        "keys.py",
        """
        class Stage:
            def __init__(self, context): pass
            def process(self, job, inputs):
                return repr(list(inputs.items())).encode()
        """,
    )
    large = bench.folder / "large"
    large.write_bytes(b"from disk")
    inputs = {
        "home": [File("right.png", memoryview(b"r")), File("left.png", b"l")],
        "disk": [File("x", path=large)],
    }
    outcome = bench.outcome("keys", inputs, kind="streaming")
    assert (
        bench.contents(outcome)["tool.bin"]
        == repr(
            [("home/right.png", b"r"), ("home/left.png", b"l"), ("disk", b"from disk")]
        ).encode()
    )


def test_what_process_returns_becomes_files():
    def plain(returned: object) -> list[tuple[str, bytes | None, str | None]]:
        outputs = as_outputs(returned, "tool", ("one", "two"))
        return [(out.name, out.data, out.child) for out in outputs]

    assert plain(b"x") == [("tool.bin", b"x", None)]
    assert plain(bytearray(b"x")) == [("tool.bin", b"x", None)]
    assert plain(None) == []
    assert plain({"two": b"2", "one": b"1"}) == [
        ("tool.bin", b"2", "two"),
        ("tool.bin", b"1", "one"),
    ]
    assert plain([("b", b"1"), ("a", b"2")]) == [("b", b"1", None), ("a", b"2", None)]


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("text", "returned str"),
        ({"three": b""}, "no child of tool; its children are one, two"),
        ({"one": "text"}, "returned str"),
        ([b"x"], "pairs"),
        ([("../x", b"")], "plain name"),
    ],
)
def test_other_returns_are_refused(returned, says):
    with pytest.raises(ReturnError, match=says):
        as_outputs(returned, "tool", ("one", "two"))


def test_an_exception_fails_its_own_call_alone(bench):
    bench.script("stage.py", STAGE)
    before, bad, after = bench.outcomes("stage", *payloads(b"a", b"raise", b"b"), kind="streaming")
    assert (bad.ok, bad.reason) == (False, "ValueError: not this one")
    assert "stage.py" in bad.stderr_tail
    assert before.ok
    assert bench.contents(after) == {"tool.bin": b"3:j2:b"}  # the same object went on


@pytest.mark.parametrize(
    ("poison", "code", "reason"),
    [(b"die", 9, "exit code 9"), (b"segv", -signal.SIGSEGV, "killed by SIGSEGV")],
)
def test_a_crash_fails_the_call_that_caused_it_and_the_others_run_again(
    bench, poison, code, reason
):
    bench.script("stage.py", STAGE)
    values = (b"a", poison, b"b", poison, b"c")
    outcomes = bench.outcomes("stage", *payloads(*values), kind="streaming")
    assert [outcome.ok for outcome in outcomes] == [True, False, True, False, True]
    for bad in (outcomes[1], outcomes[3]):
        assert bad.exit_code == code
        assert reason in bad.reason
    if poison == b"segv":
        assert outcomes[1].stderr_tail == "boom\n"


def test_a_call_that_hangs_fails_at_its_timeout_and_the_others_run(bench):
    bench.script("stage.py", STAGE)
    before, hung, after = bench.outcomes(
        "stage", *payloads(b"a", b"hang", b"b"), kind="streaming", timeout_ns=200_000_000
    )
    assert (hung.ok, hung.reason) == (False, "timed out after 0.2 s")
    assert before.ok
    assert after.ok


def test_a_process_that_dies_between_calls_is_started_again(bench):
    bench.script("stage.py", STAGE)

    async def scenario(host):
        executor = bench.executor(host, "stage", "streaming")
        await executor.start()
        (first, second) = payloads(b"a", b"b")
        assert (await bench.submit(executor, first)).ok
        pid = executor.pid
        os.kill(pid, signal.SIGKILL)
        outcome = await bench.submit(executor, second)
        # Either it was noticed before, or the call was lost with the process and says so.
        assert outcome.ok or "killed by SIGKILL" in outcome.reason
        outcome = await bench.submit(executor, second)
        assert outcome.ok
        assert executor.pid != pid
        await executor.stop()

    bench.run(scenario)


def test_payloads_larger_than_every_buffer_pass(bench):
    bench.script("stage.py", STAGE)
    big = os.urandom(2**20) * 9
    outcomes = bench.outcomes("stage", *payloads(big, big, big), kind="streaming")
    assert [outcome.outputs[0].size_bytes for outcome in outcomes] == [len(big) + 5] * 3


def test_many_calls_end_once_each(bench):
    bench.script("stage.py", STAGE)
    values = [b"%d" % number for number in range(2000)]
    outcomes = bench.outcomes("stage", *payloads(*values), kind="streaming")
    ends = [bench.contents(outcome)["tool.bin"].rpartition(b":")[2] for outcome in outcomes]
    assert ends == values


def test_the_context_tells_task_node_args_children_and_the_instant(bench):
    bench.script(
        "context.py",
        """
        class Stage:
            def __init__(self, context):
                self.c = context
            def process(self, job, inputs):
                c = self.c
                return repr((c.task, c.node, c.args, c.children, c.firing)).encode()
        """,
    )

    async def scenario(host):
        executor = bench.executor(
            host, "context", "streaming", args=("1",), environment={"NODE_NAME": "node3"}
        )
        await executor.start()
        both = [
            await bench.submit(executor, {}, firing={"planned_ns": 7, "status": "synchronized"}),
            await bench.submit(executor, {}),
        ]
        await executor.stop()
        return both

    fired, plain = bench.run(scenario)
    start = "('tool', 'node3', ('1',), ('next',), "
    assert bench.contents(fired)["tool.bin"].decode() == (
        start + "{'planned_ns': 7, 'status': 'synchronized'})"
    )
    assert bench.contents(plain)["tool.bin"].decode() == start + "None)"


def test_close_is_called_at_the_end(bench):
    bench.script(
        "closing.py",
        """
        class Stage:
            def __init__(self, context): pass
            def process(self, job, inputs): return b""
            def close(self): open("closed", "w").close()
        """,
    )
    bench.outcome("closing", payloads(b"")[0], kind="streaming")
    assert (bench.folder / "staged" / "closed").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("class Stage:\n    def __init__(self, context): 1 / 0\n", "ZeroDivisionError"),
        ("class Stage:\n    def __init__(self, context): pass\n", "no method process"),
        ("def task(): pass\n", "has no class Stage"),
    ],
)
def test_a_stage_that_cannot_be_made_fails_the_start(bench, text, reason):
    bench.script("broken.py", text)
    with pytest.raises(JupiterError, match=reason):
        bench.outcome("broken", payloads(b"")[0], kind="streaming")


def test_a_stage_that_cannot_be_made_again_fails_its_calls(bench):
    bench.script(
        "once.py",
        """
        import os
        class Stage:
            def __init__(self, context):
                os.mkdir("made")
            def process(self, job, inputs):
                os._exit(1)
        """,
    )

    async def scenario(host):
        executor = bench.executor(host, "once", "streaming")
        await executor.start()
        calls = [bench.submit(executor, inputs) for inputs in payloads(b"a", b"b")]
        first, second = await asyncio.gather(*calls)
        assert "exit code 1" in first.reason
        assert "FileExistsError" in second.reason
        await executor.stop()

    bench.run(scenario)


def test_a_stage_that_writes_to_the_node_is_ended_and_the_node_lives(bench):
    bench.script(
        "rude.py",
        """
        import os
        class Stage:
            def __init__(self, context): pass
            def process(self, job, inputs):
                for descriptor in os.listdir("/proc/self/fd"):
                    if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                        os.write(int(descriptor), bytes([4, 0, 0, 0, 1, 2, 3, 4]))
        """,
    )
    outcome = bench.outcome("rude", payloads(b"")[0], kind="streaming")
    assert not outcome.ok
    assert "nonsense" in outcome.reason
