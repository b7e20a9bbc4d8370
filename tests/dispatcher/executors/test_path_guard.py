"""/centralized_scheduler inside a task: written in the script, or put together while it runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.executors.base import File
from dispatcher.executors.path_guard import Redirection

ONE = {"a": [File("x", b"")]}
SCRIPT = """
    import glob, os, pathlib, shutil, subprocess
    LITERAL = "/centralized_scheduler"
    DYNAMIC = "/" + "_".join(["centralized", "scheduler"])

    def ways(root):
        with open(root + "/config.json") as source:
            yield source.read()
        yield pathlib.Path(root, "config.json").read_text()
        yield open(os.fsencode(root + "/config.json")).read()
        yield str(os.path.isdir(root) and "config.json" in os.listdir(root))
        yield str(os.stat(root + "/config.json").st_size)
        yield str(len(glob.glob(root + "/*.json")))
        yield str([entry.name for entry in os.scandir(root) if entry.name == "config.json"])
        yield subprocess.run(["cat", root + "/config.json"], capture_output=True, text=True).stdout
        yield subprocess.check_output(f"cat < {root}/config.json", shell=True, text=True)
        yield subprocess.check_output(["./show.sh", "config.json"], cwd=root, text=True)
        yield subprocess.check_output([pathlib.Path(root) / "show.sh", "config.json"], text=True)
        yield str(os.system(f"test -f {root}/config.json"))
        yield os.popen(f"cat {root}/config.json").read()
        os.makedirs(root + "/made/deep", exist_ok=True)
        shutil.copy(root + "/config.json", root + "/made/deep")
        os.rename(root + "/made/deep/config.json", root + "/made/moved")
        os.symlink(root + "/made/moved", root + "/made/link")
        yield pathlib.Path(root, "made", "link").read_text()
        shutil.rmtree(root + "/made")
        yield str(os.path.exists("made"))
        os.chdir(root)
        yield open("config.json").read()

    def task(name, pathin, pathout):
        root = LITERAL if name == "literal" else DYNAMIC
        with open(pathout + "/ways", "w") as out:
            for way in ways(root):
                out.write(way.strip() + "\\n")
"""
WAYS = 16


@pytest.mark.parametrize("name", ["literal", "dynamic"])
def test_every_way_of_python_reaches_the_staged_copy(bench, name):
    bench.script("ways.py", SCRIPT)
    bench.script("config.json", "{}")
    bench.script("show.sh", '#!/bin/sh\ncat "$(dirname "$0")/$1"\n')
    (bench.app / "show.sh").chmod(0o755)
    outcome = bench.outcome("ways", {"a": [File(name, b"")]})
    text = bench.contents(outcome)["ways"].decode().split("\n")[:-1]
    told = ["True", "2", "1", "['config.json']"]
    assert text[:3] == ["{}"] * 3
    assert text[3:7] == told
    assert text[7:11] == ["{}"] * 4
    assert text[11:] == ["0", "{}", "{}", "False", "{}"]
    assert len(text) == WAYS


def test_streaming_and_loop_tasks_are_redirected_too(bench):
    bench.script("config.json", "{}")
    bench.script(
        "stage.py",
        """
        DYNAMIC = "/" + "_".join(["centralized", "scheduler"])
        class Stage:
            def __init__(self, context): pass
            def process(self, job, inputs): return open(DYNAMIC + "/config.json", "rb").read()
        def task(q, pathin, pathout, name):
            while True:
                q.get()
                with open(f"{pathout}/x", "wb") as out:
                    out.write(Stage(None).process("", {}))
        """,
    )
    for kind in ("streaming", "loop"):
        outcome = bench.outcome("stage", ONE, kind=kind)
        assert list(bench.contents(outcome).values()) == [b"{}"]


redirect = Redirection("/s")


@pytest.mark.parametrize(
    ("path", "moved"),
    [
        ("/centralized_scheduler", "/s"),
        ("/centralized_scheduler/a", "/s/a"),
        (b"/centralized_scheduler/a", b"/s/a"),
        ("/centralized_scheduler2/a", "/centralized_scheduler2/a"),
        ("/x/centralized_scheduler", "/x/centralized_scheduler"),
        (3, 3),
        (None, None),
    ],
)
def test_paths(path, moved):
    assert redirect.path(path) == moved


@given(st.one_of(st.text(), st.binary(), st.integers()))
def test_any_other_path_is_passed_on_as_the_same_object(path):
    assert redirect.path(path) is path


def test_command_lines():
    line = "sh -c 'cat /centralized_scheduler/a; cat /x/centralized_scheduler'"
    assert redirect.argv(line) == "sh -c 'cat /s/a; cat /x/centralized_scheduler'"
    assert redirect.argv(("sh", "--in=/centralized_scheduler/a")) == ["sh", "--in=/s/a"]
