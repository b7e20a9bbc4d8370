"""The tasks' code: is it there, is it Python, and does it offer what its executor calls?

Code is looked at as a syntax tree and never imported, so a check runs nobody's code.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jupiter.app import App, Executor, Service, Task
from jupiter.errors import InputError
from jupiter.text_files import decode_text, suggestion

_ARGUMENTS = {
    Executor.ISOLATED: ("files", "pathin", "pathout"),
    Executor.LOOP: ("q", "pathin", "pathout", "task_name"),
}


def script_of(app: App, task: Task) -> Path:
    """The file of a task's module. Dots mean what they mean in an import: a folder below."""
    return app.scripts / (task.module.replace(".", "/").strip("/") + ".py")


def check_scripts(app: App) -> list[InputError]:
    """Every fault of the tasks' and services' code."""
    if not app.scripts.is_dir():
        return [
            InputError(
                "there is no folder of scripts",
                f"make the folder {app.scripts.name}/ with a script for each task",
                file=app.scripts,
            )
        ]
    checker = _Checker(app)
    for task in app.tasks.values():
        checker.check_task(task)
    for service in app.services.values():
        checker.check_service(service)
    return checker.errors


@dataclass
class _Checker:
    app: App
    errors: list[InputError] = field(default_factory=list)
    trees: dict[Path, ast.Module | None] = field(default_factory=dict)
    reported: set[tuple[Path, Executor]] = field(default_factory=set)

    def check_task(self, task: Task) -> None:
        path = script_of(self.app, task)
        if not path.is_file():
            there = [
                script.relative_to(self.app.scripts).with_suffix("").as_posix()
                for script in self.app.scripts.rglob("*.py")
            ]
            self._missing(
                task,
                f"task {task.name!r} has no script: "
                f"{path.relative_to(self.app.scripts)} is not in {self.app.scripts.name}/",
                there,
            )
            return
        tree = self._tree(path)
        if tree is None or (path, task.executor) in self.reported:
            return
        fault = _contract_fault(tree, task.executor)
        if fault is not None:
            self.reported.add((path, task.executor))
            seen, fix, line = fault
            self.errors.append(
                InputError(f"{seen} (task {task.name!r})", fix, file=path, line=line)
            )

    def check_service(self, service: Service) -> None:
        for word in service.argv:
            if word.endswith((".py", ".sh")) and not word.startswith(("/", "-")):
                path = self.app.scripts / word
                if not path.is_file():
                    self.errors.append(
                        InputError(
                            f"service {service.name!r} has no script: {word} is not in "
                            f"{self.app.scripts.name}/",
                            f"add {word}, or correct the service's entry",
                            file=self.app.config,
                            line=service.line,
                            field=service.name,
                        )
                    )
                elif word.endswith(".py"):
                    self._tree(path)
                return

    def _missing(self, task: Task, seen: str, there: list[str]) -> None:
        self.errors.append(
            InputError(
                seen,
                suggestion(task.module, there, f"add {task.module}.py"),
                file=self.app.config,
                line=task.line,
                field="module",
            )
        )

    def _tree(self, path: Path) -> ast.Module | None:
        """The syntax tree of a script, read once; None after its fault was noted."""
        if path not in self.trees:
            self.trees[path] = None
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tree = ast.parse(_source(path), filename=str(path))
                    compile(tree, str(path), "exec", dont_inherit=True)
                    self.trees[path] = tree
            except InputError as error:
                self.errors.append(error)
            except SyntaxError as error:
                self.errors.append(
                    InputError(
                        f"the script is not Python 3: {error.msg}",
                        "mend the line; Python 2 code must be ported",
                        file=path,
                        line=error.lineno,
                    )
                )
            except (ValueError, RecursionError) as error:
                self.errors.append(
                    InputError(
                        f"the script can't be read: {error}", "save it as UTF-8 text", file=path
                    )
                )
            except OSError as error:
                self.errors.append(
                    InputError(
                        f"the script can't be read: {error.strerror}",
                        f"make it readable for you: chmod u+r {path}",
                        file=path,
                    )
                )
        return self.trees[path]


def _source(path: Path) -> bytes:
    """A script as bytes that decode as they say they do; Python itself lets comments pass.

    Raises InputError with the line that does not decode, SyntaxError for an unknown encoding.
    """
    raw = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError:
        encoding = "utf-8"  # the parser finds an unknown encoding again, with its line
    if encoding in ("utf-8", "utf-8-sig"):
        decode_text(raw, path)
    else:
        raw.decode(encoding)
    return raw


def _contract_fault(tree: ast.Module, executor: Executor) -> tuple[str, str, int | None] | None:
    """(what is wrong, the fix, the line), or None when the script offers what is called."""
    wanted = "Stage" if executor is Executor.STREAMING else "task"
    if any(isinstance(node, ast.ImportFrom) and _has_star(node) for node in _top_level(tree)):
        return None
    found = next((node for node in _top_level(tree) if wanted in _bound_names(node)), None)
    if executor is Executor.STREAMING:
        return _stage_fault(found)
    arguments = _ARGUMENTS[executor]
    call = f"task({', '.join(arguments)})"
    if found is None:
        return (
            f"the script has no function {call}, which the {executor} executor calls",
            f"define {call}",
            None,
        )
    if isinstance(found, ast.ClassDef | ast.AsyncFunctionDef):
        return ("task is not a plain function", f"define it as: def {call}", found.lineno)
    if isinstance(found, ast.FunctionDef) and not _accepts(found.args, len(arguments)):
        return (
            f"task takes other arguments than the {len(arguments)} that the {executor} executor "
            "gives",
            f"define it as: def {call}",
            found.lineno,
        )
    return None


def _stage_fault(found: ast.stmt | None) -> tuple[str, str, int | None] | None:
    fix = "define class Stage with a method process(self, job, inputs)"
    if found is None:
        return ("the script has no class Stage, which the streaming executor calls", fix, None)
    if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
        return ("Stage is a function, expected a class", fix, found.lineno)
    if not isinstance(found, ast.ClassDef) or found.bases:
        return None  # made elsewhere, or inherits what can't be seen from here
    method = next((node for node in found.body if "process" in _bound_names(node)), None)
    if method is None:
        return ("class Stage has no method process", fix, found.lineno)
    if isinstance(method, ast.AsyncFunctionDef):
        return ("Stage.process is a coroutine, expected a plain method", fix, method.lineno)
    plain = isinstance(method, ast.FunctionDef) and not method.decorator_list
    if plain and isinstance(method, ast.FunctionDef) and not _accepts(method.args, 3):
        return ("Stage.process takes other arguments than job and inputs", fix, method.lineno)
    return None


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run on import, also those inside if, try and with."""
    todo: list[ast.stmt] = list(reversed(tree.body))
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            inner: list[ast.stmt] = list(node.body)
            inner += getattr(node, "orelse", [])
            inner += getattr(node, "finalbody", [])
            for handler in getattr(node, "handlers", []):
                inner += handler.body
            todo += reversed(inner)


def _bound_names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {
            name.id
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        }
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return set()


def _has_star(node: ast.ImportFrom) -> bool:
    return any(alias.name == "*" for alias in node.names)


def _accepts(arguments: ast.arguments, count: int) -> bool:
    """Whether a call with ``count`` positional arguments fits."""
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    needs_keyword = any(default is None for default in arguments.kw_defaults)
    fits = least <= count and (count <= most or arguments.vararg is not None)
    return fits and not needs_keyword
