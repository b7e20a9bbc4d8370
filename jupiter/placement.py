"""The placement at the boundary: ``{"task": "node"}`` as JSON, in and out, and checked.

Also read are v1's ``task<TAB>node`` lines (``input_to_CIRCE.txt``). Services may be placed; tasks
must be.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from jupiter.app import HOME, App, Service, Task
from jupiter.errors import InputError, raise_input_errors
from jupiter.text_files import find_line, numbered_lines, read_text, suggestion


def read_placement(path: Path, app: App, nodes: Collection[str]) -> dict[str, str]:
    """The placement in a file, checked against the app and the names of the nodes.

    Raises InputError or InputErrors for anything that could not be deployed.
    """
    text = read_text(path, "placement")
    found = _from_json(text, path) if text.lstrip().startswith(("{", "[")) else _lines(text, path)
    found.pop(HOME, None)  # some mappers place home at home
    check_placement(found, app, nodes, file=path, text=text)
    return found


def write_placement(path: Path, placement: Mapping[str, str]) -> None:
    """Write ``{"task": "node"}``; the file is complete before its name appears."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(dict(placement), indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)


def check_placement(
    placement: Mapping[str, str],
    app: App,
    nodes: Collection[str],
    *,
    file: Path | None = None,
    text: str = "",
) -> None:
    """Judge a placement. file and text say where it came from, for the messages.

    Raises InputError or InputErrors: unknown task or node, a task without a node, a pin not kept.
    """
    errors = []
    known = [*app.tasks, *app.services]
    for task, node in placement.items():
        line = find_line(text, f'"{task}"') or find_line(text, task) if text else None
        if task not in known:
            errors.append(
                InputError(
                    f"{task!r} is not a task of {app.name}",
                    suggestion(task, known, "remove it"),
                    file=file,
                    line=line,
                    field=task,
                )
            )
            continue
        if node not in nodes:
            errors.append(
                InputError(
                    f"{task!r} is placed on {node!r}, which is not a node",
                    suggestion(node, nodes, "use one of " + ", ".join(list(nodes)[:8])),
                    file=file,
                    line=line,
                    field=task,
                )
            )
        pin = (app.tasks.get(task) or app.services[task]).node
        if pin is not None and pin != node:
            errors.append(
                InputError(
                    f"{task!r} is placed on {node!r}, but its author pins it to {pin!r}",
                    f"place it on {pin!r}, or remove its pin from {app.config.name}",
                    file=file,
                    line=line,
                    field=task,
                )
            )
    missing = [task for task in app.tasks if task not in placement]
    if missing:
        errors.append(
            InputError(
                "these tasks have no node: " + ", ".join(missing),
                f'add "{missing[0]}": "{next(iter(nodes), HOME)}" and so on',
                file=file,
                field=missing[0],
            )
        )
    raise_input_errors(errors)


def check_pins(app: App, nodes: Collection[str]) -> None:
    """Judge the nodes that the app's author names. Raises InputError or InputErrors."""
    errors = []
    owners: list[Task | Service] = [*app.tasks.values(), *app.services.values()]
    for owner in owners:
        if owner.node is not None and owner.node not in nodes:
            errors.append(
                InputError(
                    f"{owner.name!r} is pinned to {owner.node!r}, which is not a node",
                    suggestion(owner.node, nodes, "use one of " + ", ".join(list(nodes)[:8])),
                    file=app.config,
                    line=owner.line,
                    field="node",
                )
            )
    raise_input_errors(errors)


def _from_json(text: str, path: Path) -> dict[str, str]:
    def refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"{name!r} is placed twice",
                    "remove one of the two",
                    file=path,
                    line=find_line(text, f'"{name}"'),
                    field=name,
                )
        return dict(pairs)

    try:
        data = json.loads(text, object_pairs_hook=refuse_twice)
    except json.JSONDecodeError as error:
        raise InputError(
            f"it is not JSON: {error.msg} in column {error.colno}",
            'write {"task": "node"}',
            file=path,
            line=error.lineno,
        ) from error
    if not isinstance(data, dict):
        raise InputError("it is a list, expected an object", 'write {"task": "node"}', file=path)
    for task, node in data.items():
        if not isinstance(node, str):
            raise InputError(
                f"the node of {task!r} is {json.dumps(node)}, expected a name",
                f'write "{task}": "node1"',
                file=path,
                line=find_line(text, f'"{task}"'),
                field=task,
            )
    return data


def _lines(text: str, path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in numbered_lines(text):
        words = line.split()
        if len(words) != 2:
            raise InputError(
                f"{line!r} is not a placement",
                'write the file as JSON, {"task": "node"}, or as lines: TASK NODE',
                file=path,
                line=number,
            )
        if words[0] in found:
            raise InputError(
                f"{words[0]!r} is placed twice",
                "remove one of the two",
                file=path,
                line=number,
                field=words[0],
            )
        found[words[0]] = words[1]
    return found
