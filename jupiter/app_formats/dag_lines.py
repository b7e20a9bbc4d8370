"""DAG lines: what the classic dialects say about a task, and the readers of their text files.

``configuration.txt`` (CIRCE-2017 to v4)::

    14                                              how many task lines follow
    localpro 1 false aggregate0 aggregate1          task, NUM_INPUTS, FLAG, children
    ...
    localpro node1                                  task, node: optional mapping lines

``DAG_Scheduler.txt`` (WAVE): a header line, then a parent and its children per line.

Reading is tolerant of blanks, comments and a missing final newline, and strict about the rest.
Every error that one pass can find is collected.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from jupiter.app import HOME
from jupiter.errors import InputError
from jupiter.text_files import numbered_lines, read_text

SINKS = (HOME, "scheduler")
"""What a child may be called that means home; ``scheduler`` is CIRCE-2017's word."""

FLAGS = {"true": False, "false": True, "ordered": True}
"""The wait flag → whether outputs are scattered over the children. ``ordered`` is late v4's."""


@dataclass(frozen=True, slots=True)
class DagLine:
    """One task as a classic dialect declares it. ``files`` is NUM_INPUTS."""

    name: str
    files: int
    scatter: bool
    children: tuple[str, ...]
    line: int | None = None
    module: str | None = None
    is_service: bool | None = None
    """None: config.json decides."""
    node: str | None = None


@dataclass(slots=True)
class DagFile:
    """All of a classic config. errors holds what is wrong with it."""

    path: Path
    dialect: str
    lines: list[DagLine] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    mapping_lines: dict[str, int] = field(default_factory=dict)
    errors: list[InputError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fail(self, seen: str, fix: str, line: int | None = None, name: str | None = None) -> None:
        """Note an input error of this file."""
        self.errors.append(InputError(seen, fix, file=self.path, line=line, field=name))

    def add(self, task: DagLine) -> None:
        """Take one task line, or note why it can't be taken."""
        if task.name in SINKS[:1]:
            self.fail(
                "a task is called 'home', which is the name of the node that jobs enter by",
                "give the task another name",
                task.line,
                "task",
            )
            return
        first = next((other for other in self.lines if other.name == task.name), None)
        if first is not None:
            self.fail(
                f"task {task.name!r} is declared twice, first in line {first.line}",
                "remove one of the two lines, or rename one task",
                task.line,
                "task",
            )
            return
        twice = sorted({child for child in task.children if task.children.count(child) > 1})
        if twice:
            self.fail(
                f"task {task.name!r} names the child {twice[0]!r} more than once",
                "name every child once",
                task.line,
                "children",
            )
            task = replace(task, children=tuple(dict.fromkeys(task.children)))
        self.lines.append(task)


def read_configuration_txt(path: Path) -> DagFile:
    """Read ``configuration.txt``. Raises InputError only when the file itself can't be read."""
    text = read_text(path, "configuration.txt")
    found = DagFile(path, "configuration.txt")
    lines = list(numbered_lines(text))
    if not lines:
        found.fail("the file is empty", "write the number of tasks, then one line per task")
        return found
    number, first = lines[0]
    count = int(first) if first.isascii() and first.isdigit() else None
    if count is None:
        found.fail(
            f"the first line is {first!r}, expected the number of task lines",
            "write the number of tasks alone into the first line",
            number,
            "task count",
        )
    body = lines[1:] if count is not None or len(first.split()) == 1 else lines
    seen = 0
    for at, line in body:
        words = line.split()
        if len(words) == 2 and not words[1].isdigit():
            _add_mapping(found, words[0], words[1], at)
            continue
        seen += 1
        task = _task_line(found, words, at)
        if task is not None:
            found.add(task)
    if count is not None and count != seen:
        found.fail(
            f"the first line says {count} tasks, but {seen} task lines follow",
            f"write {seen} into line {number}, or mend the task lines",
            number,
            "task count",
        )
    return found


def _task_line(found: DagFile, words: list[str], at: int) -> DagLine | None:
    if len(words) < 3:
        found.fail(
            f"{' '.join(words)!r} is not a task line",
            "write: TASK NUM_INPUTS true|false CHILD [CHILD ...]",
            at,
        )
        return None
    name, number, flag, *children = words
    good = True
    if not (number.isascii() and number.lstrip("-").isdigit()):
        found.fail(
            f"NUM_INPUTS of task {name!r} is {number!r}, expected a whole number",
            "write how many files one call of the task takes, for example 1",
            at,
            "NUM_INPUTS",
        )
        good = False
    elif int(number) < 1:
        found.fail(
            f"NUM_INPUTS of task {name!r} is {number}, so it could never run",
            "write 1 or more: how many files one call of the task takes",
            at,
            "NUM_INPUTS",
        )
        good = False
    if flag.lower() not in FLAGS:
        found.fail(
            f"the flag of task {name!r} is {flag!r}, expected true or false",
            "write true (every output goes to every child) or false (the i-th output goes to the "
            "i-th child)",
            at,
            "flag",
        )
        good = False
    if not children:
        found.fail(
            f"task {name!r} has no child",
            "name the tasks that its output goes to, or home if it is a result",
            at,
            "children",
        )
        good = False
    files = int(number) if good else 1
    return DagLine(name, files, FLAGS.get(flag.lower(), False), tuple(children), at)


def _add_mapping(found: DagFile, task: str, node: str, at: int) -> None:
    first = found.mapping_lines.get(task)
    if first is not None and found.mapping[task] != node:
        found.fail(
            f"task {task!r} is mapped twice, first in line {first}",
            "remove one of the two mapping lines",
            at,
            "mapping",
        )
    found.mapping[task] = node
    found.mapping_lines[task] = at


def read_dag_scheduler_txt(path: Path) -> DagFile:
    """Read ``DAG_Scheduler.txt``, which has neither counts nor flags nor home.

    What it leaves out is filled in: a task takes one file of each parent, its outputs go to all
    children, and a task that is nobody's parent sends to home.
    """
    text = read_text(path, "DAG_Scheduler.txt")
    found = DagFile(path, "DAG_Scheduler.txt")
    children: dict[str, tuple[str, ...]] = {}
    at_line: dict[str, int] = {}
    for at, line in numbered_lines(text):
        name, *rest = line.split()
        if name.lower() == "parent" and not children:
            continue
        if name in children:
            found.fail(
                f"task {name!r} is declared twice, first in line {at_line[name]}",
                "write all children of a task into one line",
                at,
                "parent",
            )
            continue
        children[name], at_line[name] = tuple(rest), at
    if not children:
        found.fail("the file declares no task", "write one line per task: PARENT CHILD [CHILD ...]")
    for listed in list(children.values()):
        for name in listed:
            if name not in SINKS:
                children.setdefault(name, ())
    parents = dict.fromkeys(children, 0)
    for name, names in children.items():
        for child in names:
            if child in parents and child != name:
                parents[child] += 1
    for name, names in children.items():
        found.add(DagLine(name, max(1, parents[name]), False, names or (HOME,), at_line.get(name)))
    return found
