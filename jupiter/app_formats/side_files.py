"""The small files beside a classic config: ports, static assignment, and app data worth a look.

``communication.txt`` and ``name_convert.txt`` belong to the app: its tasks read them, Jupiter does
not. They are only looked at, because a slip in them shows as a wrong result much later.
"""

from __future__ import annotations

import ast
import configparser
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from jupiter.text_files import find_line, numbered_lines, read_text


def read_ports(path: Path) -> dict[int, int]:
    """``app_config.ini``: service port → port inside, the two sections paired by key.

    Empty when there is no such file. Raises InputError.
    """
    if not path.is_file():
        return {}
    text = read_text(path, "app_config.ini")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        raise InputError(
            f"it is not an ini file: {str(error).splitlines()[0]}",
            "write [DOCKER_PORT] and [SVC_PORT] with the same keys",
            file=path,
            line=line if isinstance(line, int) else None,
        ) from error
    inside = dict(parser["DOCKER_PORT"]) if "DOCKER_PORT" in parser else {}
    service = dict(parser["SVC_PORT"]) if "SVC_PORT" in parser else {}
    for key in inside.keys() ^ service.keys():
        raise InputError(
            f"{key.upper()} stands in one of [DOCKER_PORT] and [SVC_PORT] only",
            "give it in both sections",
            file=path,
            line=find_line(text.upper(), key.upper()),
            field=key.upper(),
        )
    return {
        _port(path, text, key, service[key]): _port(path, text, key, inside[key]) for key in service
    }


def _port(path: Path, text: str, key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise InputError(
            f"{value!r} is not a port",
            "write a number from 1 to 65535",
            file=path,
            line=find_line(text, value),
            field=key.upper(),
        )
    return int(value)


def read_static_assignment(path: Path) -> tuple[dict[str, str], list[str]]:
    """``static_assignment.py``: task → node, and warnings. The file is parsed, never executed.

    ``dag = [first, {...}, {task: node}]`` is used when it has the third part, else
    ``schedule = [first, {...}, {task: [task, host, ...]}]``, whose nodes are host names. Raises
    InputError when neither is there as literals.
    """
    if not path.is_file():
        return {}, []
    text = read_text(path, "static_assignment.py")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f"it is not Python: {getattr(error, 'msg', error)}",
            "mend this line, or remove the file: only a static mapping needs it",
            file=path,
            line=getattr(error, "lineno", None),
        ) from error
    values = _literals(tree)
    warnings: list[str] = []
    schedule = _third(values.get("schedule"))
    if any(isinstance(row, list) and len(row) > 3 for row in schedule.values()):
        warnings.append(
            f"{path.name}: user names and passwords in it are not used; remove them, because "
            "secrets do not belong into files"
        )
    placement = {task: node for task, node in _third(values.get("dag")).items() if _names(node)}
    if not placement:
        placement = {
            task: row[1]
            for task, row in schedule.items()
            if isinstance(row, list) and len(row) > 1 and _names(row[1])
        }
    if not placement:
        raise InputError(
            "it has neither dag nor schedule with a task → node table as plain values",
            "write dag = ['first', {...}, {'task': 'node'}], or remove the file",
            file=path,
            field="dag",
        )
    placement.pop("home", None)
    return placement, warnings


def _literals(tree: ast.Module) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                values[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue  # an expression: not ours to run
    return values


def _third(value: Any) -> dict[str, Any]:
    if isinstance(value, list) and len(value) > 2 and isinstance(value[2], dict):
        return {key: item for key, item in value[2].items() if isinstance(key, str)}
    return {}


def _names(node: Any) -> bool:
    return isinstance(node, str) and bool(node)


def look_at_app_data(folder: Path, scripts: Path, tasks: set[str]) -> list[str]:
    """Warnings about ``communication.txt`` and ``name_convert.txt``, where they are."""
    warnings: list[str] = []
    for path in dict.fromkeys((scripts / "communication.txt", folder / "communication.txt")):
        for number, line in _lines_of(path, warnings):
            task = line.split()[0]
            if task not in tasks:
                warnings.append(f"{path.name}:{number}: {task!r} is not a task of this app")
    for path in dict.fromkeys((folder / "name_convert.txt", scripts / "name_convert.txt")):
        for number, line in _lines_of(path, warnings):
            words = line.split()
            if len(words) != 3:
                warnings.append(
                    f"{path.name}:{number}: expected TASK OUT_SUFFIX IN_SUFFIX, found {line!r}"
                )
            elif words[0] not in tasks and words[0] != "input":
                warnings.append(f"{path.name}:{number}: {words[0]!r} is not a task of this app")
    return warnings


def _lines_of(path: Path, warnings: list[str]) -> list[tuple[int, str]]:
    if not path.is_file():
        return []
    try:
        return list(numbered_lines(read_text(path, path.name)))
    except InputError as error:
        warnings.append(f"{error.place}: {error.seen}")
        return []
