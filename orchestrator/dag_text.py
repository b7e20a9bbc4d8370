"""Draw an app's DAG as text, for the terminal.

A tree from home downwards. A task with several parents is written out once, with a mark ``[1]``;
its other parents show ``↑[1] name``. A chain of only children stays on one line. What would stand
too far to the right shows ``↓[2] name`` and is written out below, at the left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from jupiter.app import HOME, App, Trigger

WIDTH = 96
"""A chain is broken before it gets wider than this, unless another width is wanted."""

DEEPEST = 48
"""A branch that would be indented further is written out below."""

DEFAULT_LINES = 120
_ARROW = " → "


def dag_text(app: App, *, lines: int | None = DEFAULT_LINES, width: int = WIDTH) -> str:
    """The tree as lines of text; cut after ``lines``, saying how much is left out."""
    drawn = list(_Tree(app, width).lines())
    if lines is not None and len(drawn) > lines:
        left = len(drawn) - lines
        drawn = [*drawn[:lines], f"… and {left} lines more; dag.svg shows all"]
    return "\n".join(drawn)


class _Tree:
    """One pass over the DAG, without recursion: a chain may be longer than Python's stack."""

    def __init__(self, app: App, width: int) -> None:
        self._app = app
        self._width = width
        self._parents: dict[str, int] = dict.fromkeys(app.tasks, 0)
        for _, child in app.edges:
            self._parents[child] += 1
        for name in app.ingress:
            self._parents[name] += 1
        self._marks: dict[str, int] = {}
        self._done: set[str] = set()
        self._later: deque[str] = deque()

    def lines(self) -> Iterator[str]:
        yield HOME
        yield from self._tree(_branches("", list(self._app.ingress)))
        while self._later:
            name = self._later.popleft()
            self._done.remove(name)
            yield from self._tree([("", "", name)])
        for service in self._app.services:
            yield f"service {service}"

    def _tree(self, stack: list[tuple[str, str, str]]) -> Iterator[str]:
        """Lines of what is on the stack: (how its line leads, how lines below it lead, name)."""
        while stack:
            lead, below, name = stack.pop()
            if len(lead) > DEEPEST and name != HOME and name not in self._done:
                self._done.add(name)
                self._later.append(name)
            chain, children = self._chain(name)
            rows = _fill(chain, max(self._width - len(lead), 24))
            yield lead + rows[0]
            for row in rows[1:]:
                yield below + ("│ " if children else "  ") + row
            stack += _branches(below, children)

    def _chain(self, name: str) -> tuple[list[str], list[str]]:
        """The words of one line that begins with ``name``, and the children that come below it."""
        words: list[str] = []
        while True:
            if name == HOME or name in self._done:
                words.append(HOME if name == HOME else self._reference(name))
                return words, []
            self._done.add(name)
            words.append(self._word(name))
            children = list(dict.fromkeys(self._children(name)))
            if len(children) != 1:
                return words, children
            name = children[0]

    def _reference(self, name: str) -> str:
        """Points to where a task is written out: above, or below when that is yet to come."""
        return f"{'↓' if name in self._later else '↑'}[{self._mark(name)}] {name}"

    def _mark(self, name: str) -> int:
        return self._marks.setdefault(name, len(self._marks) + 1)

    def _children(self, name: str) -> list[str]:
        known = self._app.tasks
        return [child for child in known[name].children if child == HOME or child in known]

    def _word(self, name: str) -> str:
        word = f"{name} @" if self._app.tasks[name].trigger is Trigger.TIME else name
        if self._parents[name] > 1 or name in self._marks:
            word += f" [{self._mark(name)}]"
        return word


def _branches(below: str, children: list[str]) -> list[tuple[str, str, str]]:
    """What to draw for the children, last first: how the line leads, how what is below it does."""
    last = len(children) - 1
    return [
        (
            below + ("└─ " if index == last else "├─ "),
            below + ("   " if index == last else "│  "),
            child,
        )
        for index, child in reversed(list(enumerate(children)))
    ]


def _fill(words: list[str], width: int) -> list[str]:
    """Join a chain with arrows, in as many rows as it needs."""
    rows = [words[0]]
    for word in words[1:]:
        if len(rows[-1]) + len(_ARROW) + len(word) > width:
            rows.append(_ARROW.lstrip() + word)
        else:
            rows[-1] += _ARROW + word
    return rows
