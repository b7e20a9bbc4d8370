"""The plan as data and as a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from jupiter.app import HOME, App, Task
from jupiter.timetable import Slot, Timetable
from orchestrator.plan import Plan, Predicted
from orchestrator.plan_text import plan_text

MS = 1_000_000


@pytest.fixture
def plan() -> Plan:
    tasks = {"a": Task("a", "a", ("b",)), "b": Task("b", "b", (HOME,))}
    folder = Path("app")
    return Plan(
        app=App("demo", folder, folder, folder, None, "yaml", tasks, ("a",)),
        nodes=("home", "n1", "n2"),
        scheduler="heft",
        placement={"a": "n1", "b": "n2"},
        predicted={"a": Predicted(0, 4 * MS), "b": Predicted(6 * MS, 8 * MS)},
        profiles="measured 2 min ago",
        period_ns=4 * MS,
        timetable=Timetable("main", 50 * MS, {"b": Slot("b", "n2", 6 * MS, 3 * MS, MS, "a")}),
        notices=("n3 is slow",),
    )


def test_figures(plan: Plan) -> None:
    data = plan.as_dict()
    assert data["makespan_ns"] == 8 * MS
    assert data["busy_ns"] == {"home": 0, "n1": 4 * MS, "n2": 2 * MS}
    assert data["placement"] == {"a": "n1", "b": "n2"}
    assert data["timetable"]["slots"]["b"]["offset_ns"] == 6 * MS


def test_page(plan: Plan) -> None:
    console = Console(width=100, highlight=False)
    with console.capture() as capture:
        console.print(plan_text(plan))
    text = capture.get()
    for words in ("heft", "8 ms for one job alone", "250 jobs/s", "a job every 50 ms",
                  "n3 is slow", "9 ms from release to end"):  # fmt: skip
        assert words in text
    rows = {row.split()[0]: row.rstrip() for row in text.splitlines() if row.split()}
    assert rows["a"].endswith("━" * 16)
    assert all(len(row.rstrip()) <= 100 for row in text.splitlines())


def test_plan_of_an_instant_app_has_no_length() -> None:
    folder = Path("app")
    app = App("demo", folder, folder, folder, None, "yaml", {"a": Task("a", "a", (HOME,))}, ("a",))
    plan = Plan(app, ("home",), "heft", {"a": "home"}, {"a": Predicted(0, 0)}, "assumed")
    assert plan.makespan_ns == 0
    Console(width=100, quiet=True).print(plan_text(plan))
