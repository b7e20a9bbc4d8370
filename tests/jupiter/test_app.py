"""The App's own answers, and that a node can use it cheaply."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jupiter.app import HOME, App, Task


def app_of(*tasks: Task, ingress: tuple[str, ...]) -> App:
    return App(
        name="x",
        folder=Path("x"),
        scripts=Path("x"),
        config=Path("x/app.yaml"),
        sample_input=None,
        dialect="test",
        tasks={task.name: task for task in tasks},
        ingress=ingress,
    )


def test_parents_are_in_config_order_unless_inputs_say_otherwise():
    a = Task("a", "a", ("c", "d"))
    b = Task("b", "b", ("c", "d"))
    c = Task("c", "c", (HOME,))
    d = Task("d", "d", (HOME,), inputs=("b", "a"))
    app = app_of(a, b, c, d, ingress=("a", "b"))
    assert app.parents("c") == ("a", "b")
    assert app.parents("d") == ("b", "a")
    assert app.parents("a") == (HOME,)
    assert app.edges == (("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"))
    assert app.sinks == ("c", "d")


def test_home_stands_where_the_inputs_put_it():
    a = Task("a", "a", ("b",))
    first = app_of(a, Task("b", "b", (HOME,), inputs=("a",)), ingress=("a", "b"))
    last = app_of(a, Task("b", "b", (HOME,), inputs=("a", HOME)), ingress=("a", "b"))
    assert first.parents("b") == (HOME, "a")
    assert last.parents("b") == ("a", HOME)


def test_nodes_need_no_parser_to_import_the_nouns():
    code = (
        "import sys, jupiter.app, jupiter.errors, jupiter.units, jupiter.events\n"
        "print([name for name in ('pydantic', 'yaml', 'networkx', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
