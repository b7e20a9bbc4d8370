"""Every value of a YAML file knows its line."""

from __future__ import annotations

import pytest

from jupiter.yaml_lines import field_name, read_yaml

TEXT = "a:\n  - x\n  - {b: 1,\n     c: 2}\nbase: &base\n  d: 3\nuse:\n  <<: *base\n  e: 4\n"


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("a",), 1),
        (("a", 0), 2),
        (("a", 1, "c"), 4),
        (("use", "d"), 6),
        (("use", "e"), 9),
        (("use", "missing", "deeper"), 7),
        ((), 1),
    ],
)
def test_lines(write, where, line):
    document = read_yaml(write({"x.yaml": TEXT}) / "x.yaml", "test")
    assert document.line(where) == line
    assert document.data["use"] == {"d": 3, "e": 4}


def test_double_keys_are_refused(write, errors):
    path = write({"x.yaml": "a: 1\nb: {c: 1}\na: 2\n"}) / "x.yaml"
    (error,) = errors(lambda: read_yaml(path, "test"))
    assert (error.line, error.field) == (3, "a")


def test_endless_aliases_are_refused(write, errors):
    path = write({"x.yaml": "a: &a\n  b: *a\n"}) / "x.yaml"
    (error,) = errors(lambda: read_yaml(path, "test"))
    assert "without end" in error.seen


def test_field_names():
    assert field_name(("tasks", "a", "inputs", 0)) == "tasks.a.inputs[0]"
