"""Python constants without running Python: the values of a settings file, from its syntax tree.

What is understood: literals, names assigned above, ``+`` of texts or numbers, f-strings of those,
``__file__``, ``os.environ['X']``, ``os.environ.get`` and ``os.getenv``, and the functions of
``os.path`` that make folders into paths. Anything else is an error with its line, never executed.
"""

from __future__ import annotations

import ast
import os.path
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from jupiter.text_files import read_text

_PATH_FUNCTIONS: dict[str, Callable[..., str]] = {
    "abspath": os.path.abspath,
    "dirname": os.path.dirname,
    "expanduser": os.path.expanduser,
    "join": os.path.join,
    "realpath": os.path.realpath,
}
_FIX = "write a plain value: text in quotes, a number, True or False, or HERE + 'folder/'"


@dataclass(slots=True)
class Constants:
    """values by name, and the line of each. errors: statements that could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    errors: list[InputError] = field(default_factory=list)


class _NotPlainError(Exception):
    """An expression that would have to be executed; the text says which part."""


def read_constants(path: Path, environment: Mapping[str, str]) -> Constants:
    """Every ``NAME = value`` of a Python file. Raises InputError when it is not Python at all.

    A value that is wholly an environment variable which is not set is None.
    """
    text = read_text(path, "settings file")
    try:
        tree = ast.parse(text, filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f"it is not Python: {getattr(error, 'msg', error)}",
            "close quotes and brackets, and write one NAME = value a line, text in quotes",
            file=path,
            line=getattr(error, "lineno", None),
        ) from error
    found = Constants(values={"__file__": str(path.resolve())})
    for statement in tree.body:
        _take(statement, path, found, environment)
    del found.values["__file__"]
    return found


def _take(
    statement: ast.stmt, path: Path, found: Constants, environment: Mapping[str, str]
) -> None:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return  # nothing is imported; the few functions that count are known here
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return  # a docstring
    names: list[str] = []
    value: ast.expr | None = None
    if isinstance(statement, ast.Assign):
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        value = statement.value if len(names) == len(statement.targets) else None
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        names, value = [statement.target.id], statement.value
    if value is None:
        found.errors.append(
            InputError(
                "this statement would have to be executed, and settings never are",
                "keep to lines of the form NAME = value",
                file=path,
                line=statement.lineno,
            )
        )
        return
    try:
        result = _value(value, found.values, environment)
    except _NotPlainError as error:
        found.errors.append(
            InputError(str(error), _FIX, file=path, line=statement.lineno, field=names[0])
        )
        result = None
    for name in names:
        found.values[name] = result
        found.lines[name] = statement.lineno


def _value(node: ast.expr, names: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    def inner(part: ast.expr) -> Any:
        return _value(part, names, environment)

    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise _NotPlainError(f"the name {node.id!r} has no value above this line")
        return names[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [inner(item) for item in node.elts]
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        keys = [inner(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(inner, node.values), strict=True))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = inner(node.operand)
        if isinstance(number, int | float):
            return -number
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _sum(inner(node.left), inner(node.right))
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(inner(part)) for part in node.values)
    if isinstance(node, ast.FormattedValue) and node.format_spec is None and node.conversion == -1:
        return _text(inner(node.value))
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("os.environ", "environ"):
        return environment.get(str(inner(node.slice)))
    if isinstance(node, ast.Call) and not node.keywords:
        return _call(ast.unparse(node.func), [inner(item) for item in node.args], environment)
    raise _NotPlainError(f"{ast.unparse(node)!r} would have to be executed, and settings never are")


def _call(function: str, arguments: list[Any], environment: Mapping[str, str]) -> Any:
    if function in ("os.environ.get", "environ.get", "os.getenv", "getenv") and arguments:
        default = arguments[1] if len(arguments) > 1 else None
        return environment.get(str(arguments[0]), default)
    name = function.rpartition(".")[2]
    known = function in (f"os.path.{name}", f"path.{name}", name) and name in _PATH_FUNCTIONS
    fits = (len(arguments) > 0 if name == "join" else len(arguments) == 1) and all(
        isinstance(item, str) for item in arguments
    )
    if known and fits:
        return _PATH_FUNCTIONS[name](*arguments)
    raise _NotPlainError(f"{function}(...) would have to be executed, and settings never are")


def _sum(left: Any, right: Any) -> Any:
    for kind in (str, list, (int, float)):
        if isinstance(left, kind) and isinstance(right, kind):
            return left + right  # type: ignore[operator]
    if left is None or right is None:
        raise _NotPlainError("a part of this value is an environment variable that is not set")
    raise _NotPlainError("only text can be added to text, and numbers to numbers")


def _text(value: Any) -> str:
    if value is None:
        raise _NotPlainError("a part of this value is an environment variable that is not set")
    return str(value)
