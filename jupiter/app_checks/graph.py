"""The shape of the DAG: unknown children, cycles, tasks that no job reaches or leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jupiter.app import HOME, App, Task
from jupiter.errors import InputError
from jupiter.text_files import suggestion


def check_graph(app: App) -> list[InputError]:
    """Every fault of the DAG's shape. When there is a cycle, reachability is not judged."""
    if not app.tasks:
        fix = "declare at least one task; `jupiter new APP` shows how"
        return [InputError("the app has no task", fix, file=app.config)]
    errors = [*_unknown_children(app), *_childless(app)]
    cycles = find_cycles({name: task.children for name, task in app.tasks.items()})
    for cycle in cycles:
        errors.append(
            _error(
                app,
                app.tasks[cycle[0]],
                "these tasks wait for each other for ever: " + " → ".join([*cycle, cycle[0]]),
                f"{_cut(app, cycle[-1], cycle[0])}, or cut another of these edges; a DAG has no "
                "cycle",
            )
        )
    if not errors:
        errors += [*_unreachable(app), *_dead_ends(app)]
    return errors


def _error(app: App, task: Task, seen: str, fix: str, name: str = "children") -> InputError:
    if app.dialect == "app.yaml":  # where a task names its inputs, and is named
        name = f"tasks.{task.name}.inputs" if name == "children" else f"tasks.{task.name}"
    return InputError(seen, fix, file=app.config, line=task.line, field=name)


def _cut(app: App, parent: str, child: str) -> str:
    """What to write to be rid of an edge."""
    if app.dialect == "app.yaml":
        return f"remove {parent!r} from the inputs of {child!r}"
    return f"remove {child!r} from the children of {parent!r}"


def _unknown_children(app: App) -> Iterable[InputError]:
    known = [*app.tasks, HOME]
    for task in app.tasks.values():
        for child in task.children:
            if child not in known:
                yield _error(
                    app,
                    task,
                    f"task {task.name!r} has the child {child!r}, which is not a task",
                    suggestion(child, known, f"add the task {child!r}, or remove it here"),
                )


def _childless(app: App) -> Iterable[InputError]:
    for task in app.tasks.values():
        if not task.children:
            yield _error(
                app,
                task,
                f"task {task.name!r} has no child that takes its output",
                "send it to a task, or to home if it is a result",
            )


def find_cycles(children: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """One cycle for every way back that a walk in the order of the config meets; else nothing.

    Each cycle starts with its task that the config names first, and its last task leads to it.
    """
    order = {name: at for at, name in enumerate(children)}
    done: set[str] = set()
    found: list[list[str]] = []
    for root in children:
        if root in done:
            continue
        path = [root]
        on_path = {root}
        ways = [iter(children[root])]
        while path:
            child = next(ways[-1], None)
            if child is None:
                on_path.discard(path[-1])
                done.add(path.pop())
                ways.pop()
            elif child in on_path:
                cycle = path[path.index(child) :]
                first = cycle.index(min(cycle, key=order.__getitem__))
                found.append(cycle[first:] + cycle[:first])
            elif child in children and child not in done:
                path.append(child)
                on_path.add(child)
                ways.append(iter(children[child]))
    return found


def _unreachable(app: App) -> Iterable[InputError]:
    children = {name: task.children for name, task in app.tasks.items()}
    reached = _closure(app.ingress, children)
    for task in app.tasks.values():
        if task.name not in reached:
            yield _error(
                app,
                task,
                f"no job reaches task {task.name!r}: jobs enter by {', '.join(app.ingress)}",
                "make it the child of a task that jobs reach, or an ingress, or remove it",
                "task",
            )


def _dead_ends(app: App) -> Iterable[InputError]:
    parents: dict[str, list[str]] = {}
    for task in app.tasks.values():
        for child in task.children:
            parents.setdefault(child, []).append(task.name)
    leaving = _closure((HOME,), {name: tuple(found) for name, found in parents.items()})
    for task in app.tasks.values():
        if task.name not in leaving:
            yield _error(
                app,
                task,
                f"nothing that task {task.name!r} makes ever reaches home",
                "send its output, or that of a later task, to home",
            )


def _closure(start: Iterable[str], edges: Mapping[str, tuple[str, ...]]) -> set[str]:
    reached: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += edges.get(name, ())
    return reached
