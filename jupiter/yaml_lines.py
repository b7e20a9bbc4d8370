"""YAML with line numbers: the data of a document, and the line of every value in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jupiter.errors import InputError
from jupiter.text_files import read_text

Where = tuple[str | int, ...]
"""The way to a value: keys and list indices from the top."""

_MOST_VALUES = 1_000_000
_DEEPEST = 32
"""Aliases can make a small file endless; no real app comes near these."""

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """data as plain Python; lines tells the line of each key, list item and value."""

    path: Path
    data: Any
    lines: dict[Where, int]

    def line(self, where: Sequence[str | int]) -> int | None:
        """The line of ``where``, or of the nearest thing above it that has one."""
        path = tuple(where)
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)

    def error(self, where: Sequence[str | int], seen: str, fix: str) -> InputError:
        """An InputError that points at ``where``."""
        return InputError(
            seen, fix, file=self.path, line=self.line(where), field=field_name(where) or None
        )


def field_name(where: Sequence[str | int]) -> str:
    """``("tasks", "align", "inputs", 0)`` → ``"tasks.align.inputs[0]"``."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def read_yaml(path: Path, what: str) -> YamlDocument:
    """Read one YAML document. Raises InputError for bad YAML and for a key that comes twice."""
    text = read_text(path, what)
    loader = _LOADER(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise InputError(
                "the file is empty", f"write the {what}; docs/app_formats.md shows it", file=path
            )
        _refuse_double_keys(root, path)
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            f"it is not YAML: {error.problem or error.context}",
            "mend the YAML here; often it is a tab, the indentation, a missing colon or quote",
            file=path,
            line=mark.line + 1 if mark else None,
        ) from error
    except yaml.YAMLError as error:
        fix = "save it as UTF-8 text, without control characters"
        raise InputError(f"it is not YAML: {error}", fix, file=path) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"it holds a value that can't be read: {error}", "write it in quotes", file=path
        ) from error
    finally:
        loader.dispose()
    return YamlDocument(path, data, _lines(root, path))


def _refuse_double_keys(root: yaml.Node, path: Path) -> None:
    """YAML parsers let the last one win in silence, which loses a task."""
    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                todo.append(value)
                if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                    continue
                line = key.start_mark.line + 1
                if key.value in first:
                    raise InputError(
                        f"{key.value!r} is there twice, first in line {first[key.value]}",
                        "remove one of them, or rename it",
                        file=path,
                        line=line,
                        field=key.value,
                    )
                first[key.value] = line


def _lines(root: yaml.Node, path: Path) -> dict[Where, int]:
    lines: dict[Where, int] = {(): root.start_mark.line + 1}
    todo: list[tuple[yaml.Node, Where]] = [(root, ())]
    while todo:
        node, where = todo.pop()
        if len(lines) > _MOST_VALUES or len(where) > _DEEPEST:
            raise InputError(
                "aliases make this file refer to itself or grow without end",
                "write the values out instead of using & and *",
                file=path,
            )
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    below = (*where, key.value)
                    lines[below] = key.start_mark.line + 1
                    todo.append((value, below))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                below = (*where, index)
                lines[below] = value.start_mark.line + 1
                todo.append((value, below))
    return lines
