"""Values of a Python file without running it."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.literals import read_constants

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_every_literal_is_read_as_python_reads_it(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "literals.py"
    path.write_text(f"X = {ast.unparse(ast.parse(repr(value)))}\n", encoding="utf-8")
    found = read_constants(path, {})
    assert not found.errors
    assert found.values == {"X": value}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' + 'b'", "ab"),
        ("A + '/x'", "top/x"),
        ("f'{A}/{1}'", "top/1"),
        ("os.path.join(A, 'x')", "top/x"),
        ("os.environ['HOME']", "/me"),
        ("os.environ.get('NO', 'other')", "other"),
        ("os.getenv('NO')", None),
        ("1 + 2", 3),
        ("-4", -4),
    ],
)
def test_expressions(tmp_path, expression, value):
    path = tmp_path / "x.py"
    path.write_text(f"A = 'top'\nX = {expression}\n")
    assert read_constants(path, {"HOME": "/me"}).values["X"] == value


@pytest.mark.parametrize(
    "expression",
    [
        "open('x')",
        "__import__('os')",
        "[x for x in 'ab']",
        "A.upper()",
        "A * 9",
        "A[0]",
        "1 + 'a'",
        "lambda: 1",
        "f'{A!r:>9}'",
        "os.path.join(1)",
        "{**A}",
    ],
)
def test_nothing_is_executed(tmp_path, expression):
    path = tmp_path / "x.py"
    path.write_text(f"A = 'top'\nX = {expression}\n")
    (error,) = read_constants(path, {}).errors
    assert (error.line, error.field) == (2, "X")
