"""Whatever is in a file, reading it gives a value or an InputError, never another exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jupiter.app_check import check_app
from jupiter.app_formats import load_app
from jupiter.errors import InputError
from jupiter.nodes import read_nodes
from jupiter.settings import load_settings

WORDS = [
    "a",
    "b",
    "home",
    "scheduler",
    "0",
    "1",
    "2",
    "-1",
    "true",
    "false",
    "node1",
    "x,y",
    "parent",
    "tasks",
    "tasks:",
    "app:",
    "inputs:",
    "{",
    "}",
    "[",
    "]",
    ":",
    "&x",
    "*x",
    "<<",
    "'",
    '"',
    "timing:",
    "period:",
    "10ms",
    "application:",
    "task_list:",
    "dag_tasks:",
    "name:",
    "children:",
    "home:",
    "null",
    "~",
    "worker_tasks:",
    "taskname_map",
    "dag",
    "schedule",
    "=",
    "(",
    ")",
    "+",
    "WINDOW",
    "HERE",
    "é",
    "#",
    "1.5e3",
    "!!python/object",
    "---",
    "root",
    "me@host",
]
lines = st.tuples(
    st.sampled_from(["", "  ", "    - ", "- ", "\t"]),
    st.lists(st.sampled_from([*WORDS, "\0"]), max_size=6).map(" ".join),
).map("".join)
texts = st.lists(lines, max_size=10).map("\n".join) | st.text(max_size=80)


def judge(folder: Path) -> None:
    check_app(load_app(folder))


READERS: dict[str, Callable[[Path], object]] = {
    "configuration.txt": lambda path: judge(path.parent),
    "DAG_Scheduler.txt": lambda path: judge(path.parent),
    "app_config.yaml": lambda path: judge(path.parent),
    "app.yaml": lambda path: judge(path.parent),
    "nodes.txt": read_nodes,
    "nodes.yaml": read_nodes,
    "jupiter_config.py": lambda path: load_settings(path, {}),
}


def survives(call: Callable[[], object]) -> None:
    """The call returns or says what is wrong; anything else fails the test by itself."""
    try:
        call()
    except InputError as error:
        fixes = [one.fix for one in getattr(error, "errors", [error])]
    else:
        fixes = []
    assert all(fixes)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None)
@given(text=texts.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60))
def test_any_text(tmp_path_factory, name, text):
    folder = tmp_path_factory.getbasetemp() / f"any_{name.replace('.', '_')}"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text)
    survives(lambda: READERS[name](folder / name))


@pytest.mark.parametrize("name", ["config.json", "app_config.ini", "static_assignment.py"])
@settings(max_examples=40, deadline=None)
@given(text=texts)
def test_any_side_file(tmp_path_factory, name, text):
    folder = tmp_path_factory.getbasetemp() / f"side_{name.replace('.', '_')}"
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    (folder / "configuration.txt").write_text("1\na 1 true home\n")
    for path in (folder / name, folder / "scripts" / name):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    survives(lambda: judge(folder))


GOOD: dict[str, Any] = {
    "app.yaml": {
        "app": "x",
        "ingress": {"files_per_job": 1},
        "timing": {"timeline": "t", "period": "1s", "accuracy": "1ms", "late": "skip", "jobs": 3},
        "tasks": {
            "a": {"args": [1, "x"], "trigger": "time", "timing": {"offset": "1ms"}},
            "b": {"inputs": ["a"], "outputs": "home", "resources": {"memory": "1MiB"}},
        },
        "services": {"s": {"command": ["python", "s.py"], "outputs": ["a"]}},
        "ports": {1: 2},
    },
    "app_config.yaml": {
        "node_map": {"home": "h", "node1": "n"},
        "application": {
            "port_mappings": ["1:2"],
            "tasks": {
                "nondag_tasks": [
                    {"name": "s", "base_script": "s.py", "k8s_host": "n", "children": ["a"]}
                ],
                "home": {"base_script": "home.py", "children": ["a"]},
                "dag_tasks": [
                    {"name": "a", "base_script": "a.py", "children": ["b", "s"]},
                    {"name": "b", "base_script": "a.py", "children": ["home"]},
                ],
            },
        },
    },
    "transitional": {
        "node_list": {"home": "h"},
        "application": {
            "num_tasks": 2,
            "sources": [{"name": "d"}],
            "task_list": {
                "non_dag_tasks": [{"name": "n"}],
                "worker_tasks": [
                    {"name": "a", "output_policy": "UNICAST", "children": ["b"], "dag_task": True},
                    {"name": "b", "inputs_to_wait_for": 1, "base_script": "b.py"},
                ],
            },
        },
    },
    "config.json": {
        "taskname_map": {"a": ["a", True, 1], "b": ["b", False]},
        "exec_profiler": {"a": True},
    },
}
odd = st.sampled_from(
    [None, True, "\0", 0, -1, 2.5, "", "a", "home", "x y", "1s", [], ["a"], [None], [[]], {},
     {"a": 1}, {1: {}}, {None: 1}, {"b": None}, [{"name": "a"}], [{}], {"a": {"inputs": "b"}}]
)  # fmt: skip


def places(data: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside of ``data``."""
    found = [where]
    steps = data.keys() if isinstance(data, dict) else range(len(data) if type(data) is list else 0)
    for step in steps:
        found += places(data[step], (*where, step))
    return found


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place(tmp_path_factory, name, data):
    content = {"": copy.deepcopy(GOOD[name])}
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(places(content)[1:]))
        holder: Any = content
        for step in way:
            holder = holder[step]
        holder[last] = copy.deepcopy(data.draw(odd))
    folder = tmp_path_factory.getbasetemp() / f"value_{name.replace('.', '_')}"
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    if name == "config.json":
        (folder / "configuration.txt").write_text("2\na 1 true b\nb 1 true home\n")
        (folder / "scripts" / name).write_text(json.dumps(content[""]))
    else:
        target = "app_config.yaml" if name == "transitional" else name
        (folder / target).write_text(yaml.safe_dump(content[""]))
        if target == "app_config.yaml":
            survives(lambda: read_nodes(folder / target))
    survives(lambda: judge(folder))
