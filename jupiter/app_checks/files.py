"""Counting files: NUM_INPUTS that can never be met, and sample input that makes no whole jobs.

NUM_INPUTS counts files per call, not parents. An edge's count is known when it can't be anything
else: home gives each ingress the job's input files, and a task that hands out its files in turn
gives one per child and call. A task that sends every file to every child may make any number of
them, so nothing can be said about its children.
"""

from __future__ import annotations

from jupiter.app import HOME, App, OutputPolicy
from jupiter.app_formats.layout import sample_files
from jupiter.errors import InputError


def check_files(app: App) -> list[InputError]:
    """Every count of files that can't come out. The DAG must have been found sound."""
    return [*_check_calls(app), *check_sample_input(app)]


def _check_calls(app: App) -> list[InputError]:
    errors = []
    key = "files_per_call" if app.dialect == "app.yaml" else "NUM_INPUTS"
    calls: dict[str, int | None] = {}
    for name in topological_order(app):
        task = app.tasks[name]
        parents = app.parents(name)
        total: int | None = 0
        for parent in parents:
            given = _given(app, parent, calls)
            total = None if total is None or given is None else total + given
        size = task.files_per_call
        if size is not None and size < 1:
            total = 0
        if size is None or total is None:
            calls[name] = 1 if size is None else None
            continue
        calls[name] = total // size if size > 0 else None
        if total == 0 or total % size:
            errors.append(
                InputError(
                    f"task {name!r} takes {size} files per call, but gets {total} per job from "
                    f"{', '.join(parents) or 'nobody'}",
                    f"write {total or 1} as {key}, or change how many files its parents make",
                    file=app.config,
                    line=task.line,
                    field=f"tasks.{name}.{key}" if app.dialect == "app.yaml" else key,
                )
            )
            calls[name] = None
    return errors


def _given(app: App, parent: str, calls: dict[str, int | None]) -> int | None:
    """How many files ``parent`` sends over one edge for one job; None: any number."""
    if parent == HOME:
        return app.files_per_job
    if app.tasks[parent].output_policy is OutputPolicy.SCATTER:
        return calls.get(parent)
    return None


def topological_order(app: App) -> list[str]:
    """The tasks of a DAG, parents before children, else in the order of the config."""
    waiting = dict.fromkeys(app.tasks, 0)
    for _, child in app.edges:
        waiting[child] += 1
    ready = [name for name, count in waiting.items() if count == 0]
    order = []
    while ready:
        name = ready.pop(0)
        order.append(name)
        for child in app.tasks[name].children:
            if child in waiting:
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
    return order


def check_sample_input(app: App) -> list[InputError]:
    """Sample input that is missing or does not divide into jobs, unless the app needs none."""
    files = sample_files(app.sample_input)
    if not files:
        if app.timing is not None and app.timing.jobs is not None:
            return []
        where = app.sample_input or app.folder / "sample_input"
        seen = "there is no input file" if app.sample_input else "there is no folder of input files"
        fix = f"put at least {app.files_per_job} file(s) into {where.name}/"
        if app.timing is not None:
            fix += ", or say with timing.jobs how many jobs to make without files"
        return [InputError(seen, fix, file=where)]
    if len(files) % app.files_per_job:
        return [
            InputError(
                f"{len(files)} input files do not divide into jobs of {app.files_per_job} files",
                f"add or remove files until their number is a multiple of {app.files_per_job}",
                file=app.sample_input,
                field="files_per_job",
            )
        ]
    return []
