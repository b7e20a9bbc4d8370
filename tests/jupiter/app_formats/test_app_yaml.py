"""The one-file format: what it says, and how it says no."""

from __future__ import annotations

import pytest

from jupiter.app import HOME, Executor, LatePolicy, OutputPolicy, Service, TaskTiming, Trigger
from jupiter.app_formats import load_app

FUSION = """\
app: sensor_fusion
ingress: {files_per_job: 2}
timing:
  timeline: fusion
  period: 100ms
  accuracy: 2ms
  jobs: 50
tasks:
  camera_left:
    module: camera
    args: [left, 3, true]
    trigger: time
    timing: {offset: 0ms, budget: 5ms, late: skip}
    node: node1
  camera_right: {module: camera, args: [right], trigger: time}
  align:
    inputs: [camera_right, camera_left]
  fuse:
    inputs: align
    outputs: home
    executor: streaming
    retries: 1
    timeout: 2s
    resources: {cores: 0.5, memory: 64MiB}
  view:
    inputs: [fuse]
services:
  monitor: {command: [python, -u, monitor.py, 5], outputs: align, node: node2}
ports: {9000: 8000}
"""


def test_reads_every_field(write):
    folder = write({"app.yaml": FUSION, "scripts/x": "", "sample_input/1": ""})
    app = load_app(folder, home_child=("nobody",))
    assert app.name == "sensor_fusion"
    assert app.dialect == "app.yaml"
    assert app.ingress == ("camera_left", "camera_right")
    assert app.files_per_job == 2
    assert app.timing is not None
    assert (app.timing.period_ns, app.timing.accuracy_ns) == (100_000_000, 2_000_000)
    assert (app.timing.resolution_ns, app.timing.jobs) == (1_000, 50)
    left = app.tasks["camera_left"]
    assert left.args == ("left", "3", "true")
    assert left.trigger is Trigger.TIME
    assert left.timing == TaskTiming(0, 5_000_000, None, LatePolicy.SKIP)
    assert (left.node, left.line) == ("node1", 9)
    fuse = app.tasks["fuse"]
    assert fuse.children == (HOME, "view")
    assert fuse.executor is Executor.STREAMING
    assert (fuse.retries, fuse.timeout_ns) == (1, 2_000_000_000)
    assert (fuse.cores, fuse.memory_bytes) == (0.5, 64 * 2**20)
    assert app.tasks["view"].children == (HOME,)
    assert app.tasks["view"].module == "view"
    assert app.services["monitor"] == Service(
        "monitor", ("python", "-u", "monitor.py", "5"), ("align",), "node2", 28
    )
    assert app.ports == {9000: 8000}
    assert app.scripts == folder / "scripts"
    assert app.sample_input == folder / "sample_input"


def test_declared_input_order_wins(write):
    app = load_app(write({"app.yaml": FUSION}))
    assert app.parents("align") == ("camera_right", "camera_left")
    assert app.parents("camera_left") == (HOME,)


def test_home_among_the_inputs(write):
    app = load_app(write({"app.yaml": "tasks:\n  a:\n  b: {inputs: [a, home]}\n"}))
    assert app.ingress == ("a", "b")
    assert app.parents("b") == ("a", HOME)
    assert app.name == "myapp"


def test_scatter_order_is_that_of_outputs(write):
    text = "tasks:\n  a: {output_policy: scatter, outputs: [c, b]}\n  b: {inputs: a}\n"
    app = load_app(write({"app.yaml": text + "  c: {inputs: a}\n"}))
    assert app.tasks["a"].children == ("c", "b")
    assert app.tasks["a"].output_policy is OutputPolicy.SCATTER


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "said", "fix"),
    [
        ("period: 100ms", "period: 100", 5, "timing.period", "100 is not a duration", "unit"),
        ("period: 100ms", "period: -1ms", 5, "timing.period", "negative", "0 or more"),
        ("period: 100ms", "perod: 100ms", 5, "timing.perod", "unknown key", "'period'"),
        ("timeout: 2s", "timeout: 2", 23, "tasks.fuse.timeout", "2 is not a duration", "unit"),
        ("64MiB", "64", 24, "tasks.fuse.resources.memory", "not a size", "unit"),
        ("cores: 0.5", "core: 0.5", 24, "tasks.fuse.resources.core", "unknown", "'cores'"),
        ("retries: 1", "retries: -1", 22, "tasks.fuse.retries", "-1", "larger number"),
        ("retries: 1", "retries: few", 22, "tasks.fuse.retries", "'few'", "whole number"),
        ("retries: 1", "profiled: often", 22, "tasks.fuse.profiled", "'often'", "true or false"),
        ("retries: 1", "args: {a: b}", 22, "tasks.fuse.args", "list", "first, second"),
        ("retries: 1", "timing: 5ms", 22, "tasks.fuse.timing", "a block of keys", "indented"),
        ("retries: 1", "late: skip", 22, "tasks.fuse.late", "unknown key", "into timing"),
        ("retries: 1", "zzzzz: 1", 22, "tasks.fuse.zzzzz", "unknown key", "known here"),
        ("late: skip", "late: skp", 13, "tasks.camera_left.timing.late", "'skp'", "'skip'"),
        ("executor: streaming", "executor: steam", 21, "tasks.fuse.executor", "'steam'", "isol"),
        ("  align:\n", "  ' x':\n", 16, "tasks. x", "can't be a name", "letters"),
        ("inputs: align", "inputs: algin", 19, "tasks.fuse.inputs[0]", "'algin'", "'align'"),
        ("inputs: align", "inputs: fuse", 19, "tasks.fuse.inputs[0]", "own input", "remove"),
        ("inputs: align", "inputs: monitor", 19, "tasks.fuse.inputs[0]", "service", "outputs"),
        ("[camera_right, ", "[camera_left, ", 17, "tasks.align.inputs[1]", "twice", "once"),
        ("outputs: home", "outputs: align", 20, "tasks.fuse.outputs[0]", "'align'", "inputs of"),
        ("outputs: align,", "outputs: algin,", 28, "services.monitor.outputs[0]", "not", "align"),
        ("  period: 100ms\n", "", 3, "timing.period", "'period' is missing", "add period"),
        ("  align:\n", "  fuse:\n", 18, "fuse", "twice", "line 16|rename"),
        ("app: sensor", "scripts: ../..\napp: sensor", 1, "scripts", "leads out", "inside"),
        ("tasks:", "task:", 8, "task", "unknown key", "'tasks'"),
        ("files_per_job: 2", "files_per_job: 0", 2, "ingress.files_per_job", "0", "docs"),
        ("app: sensor_fusion", "app: [x", 2, None, "not YAML", "mend"),
        ("monitor: {", "align: {", 16, "tasks.align", "a service", "another"),
    ],
)
def test_bad_app_yaml(write, errors, old, new, line, field, said, fix):
    assert old in FUSION
    folder = write({"app.yaml": FUSION.replace(old, new, 1)})
    found = errors(lambda: load_app(folder))
    match = [error for error in found if said in error.seen and error.field == field]
    assert match, [str(error) for error in found]
    assert match[0].line == line
    assert any(word in match[0].fix for word in fix.split("|")), match[0].fix


@pytest.mark.parametrize(
    "text",
    ["", "- a\n", "just text", "tasks: {}\n", "tasks:\n", "a: &a [*a]\n", "x: 2024-99-99\n", "\t"],
)
def test_hopeless_files(write, errors, text):
    for error in errors(lambda: load_app(write({"app.yaml": text}))):
        assert error.file is not None
        assert error.fix


def test_nobody_takes_jobs(write, errors):
    text = "tasks:\n  a: {inputs: b}\n  b: {inputs: a}\n"
    (error,) = errors(lambda: load_app(write({"app.yaml": text})))
    assert "no job can ever enter" in error.seen


def test_scatter_must_list_all_children(write, errors):
    text = "tasks:\n  a: {output_policy: scatter, outputs: [c]}\n  b: {inputs: a}\n"
    (error,) = errors(lambda: load_app(write({"app.yaml": text + "  c: {inputs: a}\n"})))
    assert "'b'" in error.seen


def test_several_errors_at_once(write, errors):
    text = FUSION.replace("100ms", "100").replace("timeout: 2s", "timeuot: 2s")
    assert {error.line for error in errors(lambda: load_app(write({"app.yaml": text})))} == {5, 23}
