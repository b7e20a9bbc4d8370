"""The plan as a person reads it: placement, predicted times with bars, the timetable."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from jupiter.timetable import Timetable
from jupiter.units import format_number
from orchestrator.plan import Plan
from orchestrator.quiet_table import QuietTable
from orchestrator.text_parts import bullet, duration, facts, heading, more

BAR = 32
"""Columns of the bar that shows when a task runs."""

MOST_TASKS = 60


def plan_text(plan: Plan) -> RenderableType:
    """The whole plan."""
    return Group(*_parts(plan))


def _parts(plan: Plan) -> Iterator[RenderableType]:
    rows = [
        ("scheduler", plan.scheduler),
        ("profiles", plan.profiles),
        ("makespan", f"{duration(plan.makespan_ns)} for one job alone"),
    ]
    if plan.period_ns:
        rate = 1e9 / plan.period_ns
        rows.append(("throughput", f"at most {format_number(rate)} jobs/s, by the busiest node"))
    yield Text.assemble("\n", (plan.app.name, "bold"), ("  what would run where", "dim"))
    yield Padding(facts(rows), (0, 0, 0, 2))
    yield heading("Placement", "predicted times of one job, after its release")
    yield _placement(plan)
    yield heading("Nodes")
    yield _nodes(plan)
    if plan.timetable is not None:
        table = plan.timetable
        note = f"timeline {table.timeline}, a job every {duration(table.period_ns)}, "
        yield heading("Timetable", f"{note}{duration(table.latency_ns)} from release to end")
        yield _timetable(table)
    if plan.notices:
        yield heading("Worth knowing")
    for notice in plan.notices:
        yield bullet("•", "yellow", notice)


def _placement(plan: Plan) -> RenderableType:
    table = QuietTable("task", "node", ">start", ">end", "", least=("",))
    order = sorted(plan.predicted, key=lambda task: plan.predicted[task].start_ns)
    for task in order[:MOST_TASKS]:
        times = plan.predicted[task]
        table.add_row(
            task,
            plan.placement[task],
            duration(times.start_ns),
            duration(times.end_ns),
            _bar(times.start_ns, times.end_ns, plan.makespan_ns),
        )
    left = more(len(order) - MOST_TASKS)
    return Group(table, *(Text(f"  {line}", style="dim") for line in left))


def _bar(start_ns: int, end_ns: int, whole_ns: int) -> Text:
    """Blanks, then a stroke of at least one column."""
    if whole_ns <= 0:
        return Text()
    first = min(start_ns * BAR // whole_ns, BAR - 1)
    columns = max(1, round((end_ns - start_ns) * BAR / whole_ns))
    return Text(" " * first + "━" * min(columns, BAR - first), style="cyan")


def _nodes(plan: Plan) -> RenderableType:
    table = QuietTable("node", ">tasks", ">busy per job", "", least=("",))
    busiest = max(plan.busy_ns.values(), default=0)
    for node, busy_ns in plan.busy_ns.items():
        placed = sum(where == node for where in plan.placement.values())
        table.add_row(
            node,
            str(placed),
            duration(busy_ns),
            _bar(0, busy_ns, busiest) if busy_ns else "",
        )
    return table


def _timetable(timetable: Timetable) -> RenderableType:
    table = QuietTable(
        "stage", "node", ">fires at", ">budget", ">guard", "decided by",
        least=("guard", "budget"),
    )  # fmt: skip
    for slot in sorted(timetable.slots.values(), key=lambda slot: (slot.offset_ns, slot.task)):
        table.add_row(
            slot.task,
            slot.node,
            duration(slot.offset_ns),
            duration(slot.budget_ns),
            duration(slot.guard_ns),
            slot.why,
        )
    return table
