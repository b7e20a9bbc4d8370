"""``scripts/config.json``: which module runs a task, and whether it is part of the DAG at all.

``taskname_map: {TASK: [MODULE, IS_DAG, arg...]}`` is read, and ``exec_profiler: {TASK: bool}``;
every other key is the app's own and stays in the file, where its tasks read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from jupiter.text_files import find_line, read_text


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One task of ``taskname_map``. module has no ``.py`` and may be slashed or dotted."""

    module: str
    is_dag: bool
    args: tuple[str, ...]


@dataclass(slots=True)
class TaskMap:
    """What config.json says. Empty when there is no such file."""

    path: Path | None = None
    entries: dict[str, MapEntry] = field(default_factory=dict)
    profiled: dict[str, bool] = field(default_factory=dict)
    errors: list[InputError] = field(default_factory=list)


def read_config_json(path: Path) -> TaskMap:
    """Read ``config.json`` if it is there. Faults are collected in the result's ``errors``."""
    found = TaskMap()
    if not path.is_file():
        return found
    found.path = path
    try:
        text = read_text(path, "config.json")
        data = json.loads(text)
    except InputError as error:
        found.errors.append(error)
        return found
    except json.JSONDecodeError as error:
        found.errors.append(
            InputError(
                f"it is not JSON: {error.msg} in column {error.colno}",
                "mend the JSON here; often it is a comma too many or missing, or a single quote",
                file=path,
                line=error.lineno,
            )
        )
        return found
    table = data.get("taskname_map") if isinstance(data, dict) else None
    if not isinstance(table, dict):
        found.errors.append(
            InputError(
                "it has no object 'taskname_map'",
                'add "taskname_map": {"TASK": ["MODULE", true]}',
                file=path,
                field="taskname_map",
            )
        )
        return found
    for name, value in table.items():
        entry = _entry(value)
        if entry is None:
            found.errors.append(
                InputError(
                    f"the entry is {json.dumps(value)}, expected a module and a truth value",
                    f'write "{name}": ["MODULE", true] (false for a service, then its arguments)',
                    file=path,
                    line=find_line(text, f'"{name}"'),
                    field=f"taskname_map.{name}",
                )
            )
        else:
            found.entries[name] = entry
    profiled = data.get("exec_profiler", {})
    if isinstance(profiled, dict):
        found.profiled = {name: _truth(value) is not False for name, value in profiled.items()}
    return found


def _entry(value: Any) -> MapEntry | None:
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], str):
        return None
    is_dag = _truth(value[1])
    module = module_name(value[0])
    if is_dag is None or not module:
        return None
    return MapEntry(module, is_dag, tuple(_argument(item) for item in value[2:]))


def _argument(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return bool(value) if value in (0, 1) else None


def module_name(script: str) -> str:
    """``"task.py"`` → ``"task"``: a script's path below the scripts folder, as a module."""
    return script.strip().removeprefix("./").removesuffix(".py")
