"""The pages of ``jupiter timeline`` and ``jupiter timeline audit``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from jupiter.units import format_duration, format_number
from orchestrator.quiet_table import NOTHING, QuietTable
from orchestrator.text_parts import duration, heading, per_cent
from orchestrator.timeline_pages import NodeTime, TimelineFacts
from qot.audit import Report
from qot.instant import Status

_COLOURS = {
    Status.SYNCHRONIZED: "green",
    Status.HOLDOVER: "yellow",
    Status.UNSYNCHRONIZED: "red",
    Status.DISRUPTED: "bold red",
}


def timeline_text(facts: TimelineFacts, nodes: Sequence[NodeTime]) -> RenderableType:
    """A row per node: status, bound delivered against demanded, where its time comes from."""
    demanded_ns = facts.timeline.accuracy_ns
    table = QuietTable(
        "node", "status", ">bound", "against demand", ">exchanges/s", "source", ">renewed",
        least=("renewed", "source", "exchanges/s"),
    )  # fmt: skip
    for entry in nodes:
        if entry.problem:
            table.add_row(entry.node, Text(entry.problem, style="red"), *[NOTHING] * 5)
            continue
        met = entry.bound_ns is not None and entry.bound_ns <= demanded_ns
        rate = entry.exchanges_per_s
        is_reference = entry.node == facts.reference
        table.add_row(
            entry.node,
            Text(entry.status, style=_COLOURS[Status(entry.status)]),
            duration(entry.bound_ns),
            Text("met", style="green") if met else Text("not met", style="bold red"),
            NOTHING if rate is None else format_number(rate),
            "its own clock, the reference" if is_reference else f"exchange with {facts.reference}",
            f"{duration(entry.age_ns)} ago",
        )
    return Group(
        Text.assemble(
            ("timeline ", "dim"), (facts.timeline.name, "bold"), ("  of run ", "dim"), facts.run
        ),
        Text(f"accuracy demanded: {format_duration(demanded_ns)}", style="dim"),
        table,
        *_ended(nodes),
    )


def _ended(nodes: Sequence[NodeTime]) -> list[Text]:
    ages = [entry.age_ns for entry in nodes if entry.age_ns is not None]
    if not ages or any(entry.bound_ns is not None for entry in nodes):
        return []
    return [Text(f"the run has ended: this is what was left {format_duration(min(ages))} ago")]


def audit_text(reports: Sequence[Report], reference: str) -> RenderableType:
    """A row per node: did its intervals hold what the reference's clock showed?"""
    table = QuietTable(
        "node", ">samples", "inside", ">bound p50", ">p99", ">max", ">worst error",
        "no promise", least=("p99", "bound p50", "no promise"),
    )  # fmt: skip
    for report in reports:
        unpromised = report.samples - report.promised
        table.add_row(
            report.name,
            f"{report.promised:,}",
            per_cent(report.hard_containment if report.promised else None),
            format_duration(report.hard_bound_median_ns),
            format_duration(report.hard_bound_p99_ns),
            format_duration(report.hard_bound_worst_ns),
            format_duration(report.worst_error_ns),
            f"{unpromised:,}" if unpromised else NOTHING,
        )
    return Group(heading("Containment", f"every interval against the clock of {reference}"), table)
