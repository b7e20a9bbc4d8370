"""What ``jupiter check`` says of an app that is whole: its shape, warnings, tree and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from jupiter.app import App, Trigger
from orchestrator.dag_text import WIDTH, dag_text
from orchestrator.text_parts import bullet, duration, facts, shorten


def check_figures(app: App, warnings: Sequence[str], pictures: list[Path]) -> dict[str, Any]:
    """The same as data."""
    return {
        "ok": True,
        "app": app.name,
        "folder": str(app.folder),
        "dialect": app.dialect,
        "tasks": {
            task.name: {
                "module": task.module,
                "children": list(task.children),
                "parents": list(app.parents(task.name)),
                "executor": task.executor.value,
                "trigger": task.trigger.value,
                "output_policy": task.output_policy.value,
                "node": task.node,
            }
            for task in app.tasks.values()
        },
        "edges": len(app.edges),
        "ingress": list(app.ingress),
        "sinks": list(app.sinks),
        "services": list(app.services),
        "period_ns": app.timing.period_ns if app.timing else None,
        "warnings": list(warnings),
        "pictures": [str(path) for path in pictures],
    }


def check_text(app: App, warnings: Sequence[str], pictures: list[Path]) -> RenderableType:
    """The page."""
    timed = sum(task.trigger is Trigger.TIME for task in app.tasks.values())
    shape = f"{len(app.tasks)} tasks, {len(app.edges)} edges"
    if app.services:
        shape += f", {len(app.services)} services"
    if timed and app.timing:
        period = duration(app.timing.period_ns)
        shape += f"; {timed} fire at instants (@) of {app.timing.timeline}, every {period}"
    rows = [("format", app.dialect), ("DAG", shape)]
    rows += [("drawn", shorten(str(path.resolve()))) for path in pictures]
    head = Text.assemble(("✓ ", "bold green"), (app.name, "bold"), ("  can run", "green"))
    notes = [bullet("•", "yellow", warning) for warning in warnings]
    tree = Padding(_Tree(app), (1, 0, 0, 2))
    return Group(head, Padding(facts(rows), (0, 0, 0, 2)), *notes, tree)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The DAG as text, as wide as there is room."""

    app: App

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        text = dag_text(self.app, width=min(options.max_width, WIDTH))
        yield Text(text, no_wrap=True, overflow="ellipsis")
