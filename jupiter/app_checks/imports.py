"""Modules that scripts import and this Python does not have: a warning for each, before a start.

Nodes run tasks with the same Python. It is no error, because a script may extend ``sys.path``.
Only what a script imports without condition is looked at, and nothing is imported to find out.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from jupiter.app import App
from jupiter.app_checks.scripts import script_of

_PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What pip calls the package of a module, where the names differ and many apps use it."""


def missing_imports(app: App) -> list[str]:
    """A warning for each module that can't be found, with the first script that imports it.

    Scripts that can't be parsed are left out; :mod:`jupiter.app_checks.scripts` refuses them.
    """
    todo = [script_of(app, task) for task in app.tasks.values()]
    todo += [
        app.scripts / word
        for service in app.services.values()
        for word in service.argv
        if word.endswith(".py")
    ]
    seen: set[Path] = set()
    missing: dict[str, str] = {}
    while todo:
        script = todo.pop(0)
        if script in seen or not script.is_file():
            continue
        seen.add(script)
        for name, line in _imports(script):
            ours = [app.scripts / f"{name}.py", app.scripts / name / "__init__.py"]
            if ours[0].is_file() or ours[1].parent.is_dir():
                todo += ours
            elif name not in missing and not _is_found(name):
                missing[name] = (
                    f"{script}:{line} imports {name}, which this Python does not have; install it: "
                    f"{sys.executable} -m pip install {_PACKAGES.get(name, name)}"
                )
    return list(missing.values())


def _imports(script: Path) -> Iterator[tuple[str, int]]:
    """(top-level module, line) of every import that is in no block."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def _is_found(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module that is loaded and has no specification, such as __main__
        return True
