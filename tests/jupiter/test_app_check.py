"""Apps that can't work are refused before anything starts, each with place and fix."""

from __future__ import annotations

import pytest

from jupiter.app_check import check_app
from jupiter.app_formats import load_app

TASK = "def task(files, pathin, pathout):\n    pass\n"
CHAIN = "3\na 1 true b\nb 1 true c\nc 1 true home\n"


def folder_of(config: str, *, scripts: dict[str, str | bytes] | None = None, samples: int = 2):
    """The files of an app in which every one of a to f has a script."""
    files: dict[str, str | bytes] = {"configuration.txt": config}
    files |= {f"scripts/{name}.py": TASK for name in "abcdef"}
    files |= {f"scripts/{name}": text for name, text in (scripts or {}).items()}
    files |= {f"sample_input/{number}.txt": "" for number in range(samples)}
    return files


def judge(folder):
    check_app(load_app(folder))


def test_a_sound_app_passes(write):
    judge(write(folder_of(CHAIN)))


@pytest.mark.parametrize(
    ("config", "line", "said", "fix"),
    [
        ("2\na 1 true b\nb 1 true a\n", 2, "a → b → a", "no cycle"),
        (
            "4\na 1 true b\nb 1 true c\nc 1 true d b\nd 1 true home\n",
            3,
            "b → c → b",
            "remove 'b' from the children of 'c', or cut another",
        ),
        ("3\na 1 true home\nb 1 true c\nc 1 true b\n", 3, "b → c → b", "from the children of"),
        ("3\na 1 false b c\nb 2 true home\nc 1 true home\n", 3, "takes 2 files", "write 1"),
        (
            "4\na 1 false b c\nb 1 false d home\nc 1 false d home\nd 3 true home\n",
            5,
            "gets 2 per job from b, c",
            "write 2",
        ),
        ("1\na;b 1 true home\n", 2, "can't be the name", "letters"),
    ],
)
def test_bad_graphs(write, errors, config, line, said, fix):
    found = errors(lambda: judge(write(folder_of(config))))
    match = [error for error in found if said in error.seen]
    assert match, [str(error) for error in found]
    assert match[0].line == line
    assert fix in match[0].fix
    assert match[0].file is not None
    assert match[0].file.endswith("configuration.txt")


def test_a_cycle_in_app_yaml_names_the_line_and_the_inputs(write, errors):
    tasks = "  a: {inputs: [home, c]}\n  b: {inputs: a}\n  c: {inputs: b, outputs: home}\n"
    files = {"app.yaml": f"tasks:\n{tasks}", "sample_input/1.txt": ""}
    files |= {f"scripts/{name}.py": TASK for name in "abc"}
    (error,) = errors(lambda: judge(write(files)))
    assert "a → b → c → a" in error.seen
    assert error.fix.startswith("remove 'c' from the inputs of 'a'")
    assert (error.line, error.field) == (2, "tasks.a.inputs")


def test_a_task_that_no_job_reaches(write, errors):
    folder = write(folder_of("3\na 1 true c\nb 1 true c\nc 2 true home\n"))
    (error,) = errors(lambda: check_app(load_app(folder, home_child=("a",))))
    assert (error.line, error.field) == (3, "task")
    assert "no job reaches task 'b'" in error.seen


def test_a_task_whose_output_never_reaches_home(write, errors):
    folder = write(
        {
            "app_config.yaml": "application:\n  tasks:\n    dag_tasks:\n"
            "    - {name: a, base_script: a.py, children: [home, b]}\n"
            "    - {name: b, base_script: b.py, children: [s]}\n"
            "    nondag_tasks:\n    - {name: s, base_script: s.py, children: [a]}\n",
            "a.py": "def task(q, pathin, pathout, task_name): pass",
            "b.py": "def task(q, pathin, pathout, task_name): pass",
            "s.py": "",
            "sample_inputs/1": "",
        }
    )
    (error,) = errors(lambda: judge(folder))
    assert error.line == 5


@pytest.mark.parametrize(
    "config",
    [
        # The parent sends two files with flag true, so one parent is enough for NUM_INPUTS 2.
        "4\na 2 true b c\nb 2 true d\nc 2 true d\nd 2 true home\n",
        # Two calls per job, each handing out two files.
        "3\na 1 false b c\nb 1 true home\nc 1 true home\n",
        # A service in the DAG's file.
        "2\na 1 true home\nb 1 false b\n",
    ],
)
def test_num_inputs_is_not_the_number_of_parents(write, config):
    judge(write(folder_of(config)))


@pytest.mark.parametrize(
    ("name", "source", "line", "said"),
    [
        ("b.py", "def task(:\n", 1, "not Python 3"),
        ("b.py", "x = 1\n\nprint 'two'\n", 3, "not Python 3"),
        ("b.py", "def task(files, pathin, pathout):\n    return\nreturn 1\n", 3, "not Python 3"),
        ("b.py", b"#\n#\n# caf\xe9\n" + TASK.encode(), 3, "not UTF-8"),
        ("b.py", b"x = '\0'\n", 1, "zero byte"),
        ("b.py", "def tusk(files, pathin, pathout): pass\n", None, "no function task"),
        ("b.py", "\ndef task(q, pathin, pathout, name): pass\n", 2, "other arguments"),
        ("b.py", "async def task(f, i, o): pass\n", 1, "not a plain function"),
        ("b.py", "class C:\n    def task(self, f, i, o): pass\n", None, "no function task"),
    ],
)
def test_bad_scripts(write, errors, name, source, line, said):
    folder = write(folder_of(CHAIN, scripts={name: source}))
    (error,) = errors(lambda: judge(folder))
    assert error.file == str(folder / "scripts" / name)
    assert line is None or error.line == line
    assert any(word in error.seen for word in said.split("|"))


@pytest.mark.parametrize(
    "source",
    [
        "def task(files, pathin, pathout, more=1): pass\n",
        "def task(*args): pass\n",
        "from helper import task\n",
        "from helper import *\n",
        "task = lambda f, i, o: None\n",
        "import helper as task\n",
        "try:\n    import fast\nexcept ImportError:\n    def task(f, i, o): pass\n",
        "if True:\n    def task(f, i, o): pass\n",
        "# -*- coding: latin-1 -*-\ndef task(f, i, o): pass\n",
        'def task(f, i, o):\n    "\\d"\n',
    ],
)
def test_scripts_that_are_fine(write, source):
    judge(write(folder_of(CHAIN, scripts={"b.py": source})))


def test_scripts_are_not_run(write, tmp_path):
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n" + TASK
    judge(write(folder_of(CHAIN, scripts={"a.py": trap})))
    assert not (tmp_path / "ran").exists()


def test_a_task_without_script_names_the_nearest_one(write, errors):
    config = "1\naggregate 1 true home\n"
    folder = write(folder_of(config, scripts={"agregate.py": TASK}))
    (error,) = errors(lambda: judge(folder))
    assert (error.line, error.field) == (2, "module")
    assert "'agregate'" in error.fix


@pytest.mark.parametrize(("module", "path"), [("sub/b", "sub/b.py"), ("sub.b", "sub/b.py")])
def test_modules_may_be_slashed_or_dotted(write, module, path):
    taskmap = f'{{"taskname_map": {{"a": ["{module}", true]}}}}'
    folder = write(folder_of("1\na 1 true home\n", scripts={"config.json": taskmap, path: TASK}))
    judge(folder)


def test_a_module_may_not_lead_out_of_the_app(write, errors):
    taskmap = '{"taskname_map": {"a": ["../../x", true]}}'
    folder = write(folder_of("1\na 1 true home\n", scripts={"config.json": taskmap}))
    (error,) = errors(lambda: judge(folder))
    assert "no script" in error.seen


def test_a_service_without_script(write, errors):
    folder = write(folder_of("2\na 1 true home\nslave 1 false slave\n"))
    (error,) = errors(lambda: judge(folder))
    assert (error.line, error.field) == (3, "slave")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\n", "no class Stage"),
        ("def Stage(): pass\n", "is a function"),
        ("class Stage:\n    def run(self): pass\n", "no method process"),
        ("class Stage:\n    async def process(self, job, inputs): pass\n", "coroutine"),
        ("class Stage:\n    def process(self): pass\n", "other arguments"),
        ("class Stage:\n    def process(self, job, inputs): pass\n", None),
        ("class Stage(Base):\n    pass\n", None),
        ("from helper import Stage\n", None),
    ],
)
def test_streaming_scripts(write, errors, source, said):
    folder = write(
        {
            "app.yaml": "tasks:\n  a: {executor: streaming}\n",
            "scripts/a.py": source,
            "sample_input/1": "",
        }
    )
    if said is None:
        judge(folder)
    else:
        (error,) = errors(lambda: judge(folder))
        assert said in error.seen


def test_no_scripts_folder(write, errors):
    folder = write({"app.yaml": "tasks:\n  a:\n", "sample_input/1": ""})
    (error,) = errors(lambda: judge(folder))
    assert error.file == str(folder / "scripts")


def test_missing_sample_input(write, errors):
    (error,) = errors(lambda: judge(write(folder_of(CHAIN, samples=0))))
    assert "no folder of input files" in error.seen


def test_empty_sample_input(write, errors):
    folder = write(folder_of(CHAIN, samples=0))
    (folder / "sample_input").mkdir()
    (error,) = errors(lambda: judge(folder))
    assert "no input file" in error.seen
    assert error.file == str(folder / "sample_input")


def test_sample_input_that_makes_no_whole_jobs(write, errors):
    folder = write(folder_of("1\na 2 true home\n", samples=3))
    (error,) = errors(lambda: judge(folder))
    assert "3 input files" in error.seen
    assert "multiple of 2" in error.fix


TIMED = """\
timing: {timeline: t, period: 100ms, accuracy: 2ms, jobs: 5}
tasks:
  a: {trigger: time, timing: {offset: 10ms, budget: 5ms}}
  b: {inputs: a, trigger: time, timing: {offset: 20ms, budget: 5ms, deadline: 50ms}}
"""


def timed(write, old: str = "", new: str = ""):
    assert old in TIMED
    text = TIMED.replace(old, new, 1) if old else TIMED
    return write({"app.yaml": text, "scripts/a.py": TASK, "scripts/b.py": TASK})


def test_a_periodic_app_needs_no_files(write):
    judge(timed(write))


def test_a_periodic_app_without_files_says_how_many_jobs(write, errors):
    (error,) = errors(lambda: judge(timed(write, ", jobs: 5", "")))
    assert "timing.jobs" in error.fix


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("period: 100ms", "period: 4ms", "tasks.a.timing.budget", "longer than the period"),
        ("period: 100ms", "period: 0ms", "timing.period", "0"),
        ("accuracy: 2ms", "accuracy: 0ms", "timing.accuracy", "any clock"),
        ("accuracy: 2ms", "accuracy: 100ms", "timing.accuracy", "as long as the period"),
        ("accuracy: 2ms", "accuracy: 2ms, resolution: 3ms", "timing.resolution", "longer"),
        ("deadline: 50ms", "deadline: 24ms", "tasks.b.timing.deadline", "must end by 24 ms"),
        ("offset: 20ms", "offset: 14ms", "tasks.b.timing.offset", "before its input 'a'"),
        ("budget: 5ms", "budget: 0s", "tasks.a.timing.budget", "nothing run"),
        ("trigger: time, ", "", "tasks.a.timing.offset", "when its inputs are there"),
        ("  a: {", "  a: {timeout: 1ms, ", "tasks.a.timeout", "before its budget"),
        (
            "timing: {timeline: t, period: 100ms, accuracy: 2ms, jobs: 5}\n",
            "",
            "tasks.a.trigger",
            "the app has no timing",
        ),
    ],
)
def test_times_that_contradict_each_other(write, errors, old, new, field, said):
    found = errors(lambda: judge(timed(write, old, new)))
    match = [error for error in found if error.field == field and said in error.seen]
    assert match, [str(error) for error in found]
    assert match[0].line is not None


def test_timing_that_nobody_uses(write, errors):
    text = "timing: {timeline: t, period: 1s, accuracy: 1ms, jobs: 1}\ntasks:\n  a:\n"
    (error,) = errors(lambda: judge(write({"app.yaml": text, "scripts/a.py": TASK})))
    assert (error.line, error.field) == (1, "timing")


def test_all_kinds_of_faults_come_together(write, errors):
    folder = write(folder_of("2\na 1 true b\nb 1 true a\n", samples=0, scripts={"b.py": "("}))
    assert len(errors(lambda: judge(folder))) == 3
