"""Bad input: exit code 2, a message that names the place and the fix, and nothing was started."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from dataclasses import field as data_field
from pathlib import Path

import pytest
from jupiter_command import APPS, Ended, Jupiter
from tiny_apps import COPY, write_app

from jupiter.run_folder import list_runs

UNUSABLE = 2

GOOD_YAML = """
tasks:
  first: {}
  second: {inputs: first, outputs: home}
"""
GOOD_CONFIGURATION = "2\nfirst 1 true second\nsecond 1 true home\n"
SCRIPTS = {"scripts/first.py": COPY, "scripts/second.py": COPY}
INPUTS = {"a.txt": "a"}
TIMED = """
timing: {{timeline: t, period: {period}, accuracy: 5ms, jobs: 5}}
tasks:
  first: {{executor: streaming, trigger: time{first}}}
  second: {{inputs: first, outputs: home, executor: streaming}}
"""
STAGE = """
class Stage:
    def __init__(self, context):
        self.task = context.task

    def process(self, job, inputs):
        return b""
"""
STAGES = {"scripts/first.py": STAGE, "scripts/second.py": STAGE}


@dataclass(frozen=True)
class Bad:
    """files of an APP folder that can't be used, and what the message must say."""

    files: dict[str, str]
    file: str | None
    """The end of the path that is named."""
    words: str
    line: int | None = None
    field: str | None = None
    inputs: dict[str, str] = data_field(default_factory=lambda: INPUTS)
    raw: dict[str, bytes] = data_field(default_factory=dict)


def yaml_app(text: str) -> dict[str, str]:
    return {"app.yaml": text, **SCRIPTS}


def configuration(text: str) -> dict[str, str]:
    return {"configuration.txt": text, **SCRIPTS}


BAD_APPS = {
    "an empty folder": Bad({}, "app", "empty", inputs={}),
    "no config in the folder": Bad(dict(SCRIPTS), "app", "app.yaml"),
    "wrong task count": Bad(
        configuration("3\nfirst 1 true second\nsecond 1 true home\n"), "configuration.txt", "3", 1
    ),
    "unknown child": Bad(
        configuration("2\nfirst 1 true secnd\nsecond 1 true home\n"),
        "configuration.txt",
        "'second'",
        2,
    ),
    "unknown input": Bad(
        yaml_app("tasks:\n  first: {}\n  second: {inputs: frist, outputs: home}\n"),
        "app.yaml",
        "'first'",
        3,
    ),
    "cycle": Bad(
        configuration("3\nstart 1 true first\nfirst 2 true second\nsecond 1 true first home\n")
        | {"scripts/start.py": COPY},
        "configuration.txt",
        "first → second",
    ),
    "unreachable task": Bad(
        {
            **yaml_app(
                """
tasks:
  first: {outputs: home}
  second: {inputs: third, outputs: third}
  third: {inputs: second, outputs: home}
"""
            ),
            "scripts/third.py": COPY,
        },
        "app.yaml",
        "second",
    ),
    "task without script": Bad(
        {"app.yaml": GOOD_YAML, "scripts/first.py": COPY}, "app.yaml", "second.py", 3
    ),
    "script with a syntax error": Bad(
        {**yaml_app(GOOD_YAML), "scripts/second.py": "def task(a, b, c):\n    return (\n"},
        "second.py",
        "was never closed",
        2,
    ),
    "script without the task function": Bad(
        {**yaml_app(GOOD_YAML), "scripts/second.py": "def tusk(a, b, c): pass\n"},
        "second.py",
        "task",
    ),
    "duplicate task": Bad(
        configuration("3\nfirst 1 true second\nsecond 1 true home\nsecond 1 true home\n"),
        "configuration.txt",
        "twice",
        4,
    ),
    "duplicate task in yaml": Bad(
        yaml_app("tasks:\n  first: {}\n  second: {inputs: first}\n  first: {}\n"),
        "app.yaml",
        "first",
        4,
    ),
    "NUM_INPUTS that can never be met": Bad(
        configuration("3\nfirst 1 false second third\nsecond 3 true home\nthird 1 true home\n")
        | {"scripts/third.py": COPY},
        "configuration.txt",
        "3",
        3,
    ),
    "empty sample_input": Bad(configuration(GOOD_CONFIGURATION), "sample_input", "", inputs={}),
    "malformed yaml": Bad(yaml_app("tasks:\n  first: {outputs: [home\n"), "app.yaml", "", 3),
    "unknown key": Bad(yaml_app("tasks:\n  first: {output: home}\n"), "app.yaml", "'outputs'", 2),
    "malformed json": Bad(
        {**configuration(GOOD_CONFIGURATION), "scripts/config.json": '{"taskname_map": {,}}'},
        "config.json",
        "",
        1,
    ),
    "a budget longer than the period": Bad(
        {"app.yaml": TIMED.format(period="50ms", first=", timing: {budget: 80ms}"), **STAGES},
        "app.yaml",
        "80 ms",
        field="tasks.first.timing.budget",
        inputs={},
    ),
    "a negative duration": Bad(
        {"app.yaml": TIMED.format(period="-50ms", first=""), **STAGES},
        "app.yaml",
        "-50ms",
        field="timing.period",
        inputs={},
    ),
    "a duration without a unit": Bad(
        {"app.yaml": TIMED.format(period="50", first=""), **STAGES},
        "app.yaml",
        "50ms",
        field="timing.period",
        inputs={},
    ),
    "a config that is not UTF-8": Bad(
        dict(SCRIPTS),
        "configuration.txt",
        "0xe9 is not UTF-8",
        2,
        raw={"configuration.txt": b"2\nfirst 1 true caf\xe9\nsecond 1 true home\n"},
    ),
    "a script that is not UTF-8": Bad(
        {"configuration.txt": GOOD_CONFIGURATION, "scripts/second.py": COPY},
        "first.py",
        "UTF-8",
        1,
        raw={"scripts/first.py": b"# caf\xe9\n" + COPY.encode()},
    ),
    "a pin on an unknown node": Bad(
        yaml_app("tasks:\n  first: {node: nod1}\n  second: {inputs: first}\n"),
        "app.yaml",
        "'node1'",
        2,
    ),
}


def errors_of(ended: Ended) -> list[dict[str, object]]:
    ended.expect(UNUSABLE)
    errors: list[dict[str, object]] = ended.json["errors"]
    return errors


def expect_nothing_started(jupiter: Jupiter) -> None:
    """No run folder, and no process: the command itself has ended."""
    assert list_runs(jupiter.runs) == []
    assert jupiter.processes() == {}


def expect_message(ended: Ended, *, file: str | None, words: str, line: int | None = None) -> None:
    """The text on stderr is the same as the data: place, what was seen, and the fix."""
    errors = errors_of(ended)
    assert all(error["fix"] for error in errors)
    found = [error for error in errors if words in f"{error['seen']} {error['fix']}"]
    assert found, f"{words!r} is not in {errors}"
    error = found[0]
    if file is not None:
        assert str(error["file"]).endswith(file), error
    if line is not None:
        assert error["line"] == line, error
        assert f"{error['file']}:{line}" in ended.stderr
    assert str(error["seen"]) in ended.stderr
    assert "fix: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("bad", BAD_APPS.values(), ids=BAD_APPS.keys())
def test_a_bad_app_is_refused(jupiter: Jupiter, bad: Bad):
    app = write_app(jupiter.folder / "app", bad.files, inputs=bad.inputs)
    for name, content in bad.raw.items():
        (app / name).write_bytes(content)
    if bad.files and not bad.inputs:
        (app / "sample_input").mkdir()
    ended = jupiter.run(app)
    expect_message(ended, file=bad.file, words=bad.words, line=bad.line)
    if bad.field is not None:
        assert [error["field"] for error in errors_of(ended)] == [bad.field]
    expect_nothing_started(jupiter)


# Bad input beside the app


@pytest.fixture
def good_app(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app", {"app.yaml": GOOD_YAML, **SCRIPTS}, inputs=INPUTS)


def test_a_missing_folder_is_refused(jupiter: Jupiter):
    ended = jupiter.run(jupiter.folder / "nowhere")
    expect_message(ended, file="nowhere", words="no")
    expect_nothing_started(jupiter)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        pytest.param("home localhost\nnode1 a\nnode1 b\n", "'node1' is there twice", 3, id="twice"),
        pytest.param("node1 localhost\n", "no node 'home'", None, id="no home"),
        pytest.param("home localhost\nnode1\n", "1 column", 2, id="no host"),
        pytest.param("home localhost\nno/de host\n", "'no/de'", 2, id="impossible name"),
    ],
)
def test_a_bad_node_list_is_refused(
    jupiter: Jupiter, good_app: Path, text: str, words: str, line: int | None
):
    nodes = jupiter.folder / "bad_nodes.txt"
    nodes.write_text(text)
    ended = jupiter("run", good_app, "--nodes", nodes, "--json")
    expect_message(ended, file="bad_nodes.txt", words=words, line=line)
    expect_nothing_started(jupiter)


def test_a_missing_node_list_is_refused(jupiter: Jupiter, good_app: Path):
    ended = jupiter("run", good_app, "--nodes", "nowhere.txt", "--json")
    expect_message(ended, file="nowhere.txt", words="no list of nodes")
    expect_nothing_started(jupiter)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        pytest.param('{"first": "node1", "second": "nod2"}', "'nod2'", id="unknown node"),
        pytest.param('{"first": "node1", "secnd": "node2"}', "'secnd'", id="unknown task"),
        pytest.param('{"first": "node1"}', "second", id="task without node"),
        pytest.param('{"first": "node1", "second": "node2"', "", id="malformed"),
    ],
)
def test_a_bad_mapping_is_refused(jupiter: Jupiter, good_app: Path, mapping: str, words: str):
    (jupiter.folder / "bad.json").write_text(mapping)
    ended = jupiter.run(good_app, "--mapping", jupiter.folder / "bad.json")
    expect_message(ended, file="bad.json", words=words)
    expect_nothing_started(jupiter)


def test_a_setting_that_does_not_exist_is_refused(jupiter: Jupiter, good_app: Path):
    (jupiter.folder / "jupiter_config.py").write_text("\nWINDOWS = 3\n")
    ended = jupiter.run(good_app)
    expect_message(ended, file="jupiter_config.py", words="'WINDOW'", line=2)
    expect_nothing_started(jupiter)


# Found out only when something has been started: it is stopped again, and nothing stays


def test_a_port_in_use_is_named_and_nothing_stays(jupiter: Jupiter, good_app: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = jupiter.run(good_app, nodes=1, env={"JUPITER_PORT_RANGE": f"{port}-{port}"})
    expect_message(ended, file=None, words=str(port))
    assert "in use" in ended.stderr
    assert "PORT_RANGE" in ended.stderr
    expect_nothing_started(jupiter)


def test_a_port_range_that_is_too_small_is_refused(jupiter: Jupiter, good_app: Path):
    ended = jupiter.run(good_app, nodes=3, env={"JUPITER_PORT_RANGE": "20000-20001"})
    expect_message(ended, file=None, words="20000-20001")
    expect_nothing_started(jupiter)


def test_ports_are_taken_from_the_range(jupiter: Jupiter, good_app: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ended = jupiter.run(good_app, nodes=1, env={"JUPITER_PORT_RANGE": f"{port}-{port}"})
    ended.expect(0)


def test_work_that_is_longer_than_the_period_is_found_out_before_the_first_job(jupiter: Jupiter):
    busy = """
        import time

        class Stage:
            def __init__(self, context):
                self.task = context.task

            def process(self, job, inputs):
                begin = time.monotonic()
                while time.monotonic() < begin + 0.03:
                    pass
                return b""
        """
    app = write_app(
        jupiter.folder / "app",
        {
            "app.yaml": TIMED.format(period="20ms", first=""),
            "scripts/first.py": busy,
            "scripts/second.py": STAGE,
        },
    )
    ended = jupiter.run(app)
    expect_message(ended, file="app.yaml", words="period of 20 ms", line=1)
    assert "first" in ended.stderr
    assert not [line for line in ended.stderr.splitlines() if "] stream" in line]
    expect_nothing_started(jupiter)


def test_all_mistakes_of_an_app_are_told_at_once(jupiter: Jupiter):
    app = write_app(
        jupiter.folder / "app",
        {
            "configuration.txt": GOOD_CONFIGURATION,
            "scripts/first.py": "def task(a, b, c:\n",
        },
    )
    errors = [str(error) for error in errors_of(jupiter.run(app))]
    assert any("first.py" in error and "never closed" in error for error in errors)
    assert any("second.py" in error for error in errors)
    assert any("sample_input" in error for error in errors)


@pytest.mark.parametrize("command", ["check", "plan"])
def test_check_and_plan_refuse_what_run_refuses(jupiter: Jupiter, command: str):
    app = write_app(jupiter.folder / "app", configuration("1\nfirst 1 true secnd\n"), inputs=INPUTS)
    ended = jupiter(command, app, "--json")
    expect_message(ended, file="configuration.txt", words="'secnd'", line=2)
    expect_nothing_started(jupiter)


def test_a_shipped_app_with_one_slip_is_refused(jupiter: Jupiter):
    text = (APPS / "network_monitoring" / "configuration.txt").read_text()
    slipped = text.replace("fusioncenter2 2 true globalfusion", "fusioncenter2 2 true globalfuson")
    scripts = {
        f"scripts/{path.name}": path.read_text()
        for path in (APPS / "network_monitoring" / "scripts").iterdir()
        if path.is_file()
    }
    app = write_app(
        jupiter.folder / "app", {"configuration.txt": slipped, **scripts}, inputs=INPUTS
    )
    ended = jupiter.run(app)
    expect_message(ended, file="configuration.txt", words="'globalfusion'", line=14)
