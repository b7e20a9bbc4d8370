"""The report as a person reads it in a terminal: tables that fit 100 columns, quiet colours.

Takes the figures of :mod:`orchestrator.report` and nothing else, so that a ``report.json`` from
elsewhere reads the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from jupiter.units import format_number, format_rate, format_size
from orchestrator.text_parts import (
    duration,
    facts,
    heading,
    interval,
    lines_of,
    more,
    per_cent,
    quiet_table,
    shorten,
    together,
)

MOST_ROWS = 24
TASK_COLUMNS = (">calls", ">median", ">p95", ">max", ">wait", ">out", ">failed", ">retried")
TIMING_COLUMNS = (
    ">fired",
    ">on time",
    ">inside",
    ">error p50 / p99 / max",
    ">bound p50 / max",
    ">late p50 / p99 / max",
)
MOST_FAILURES = 6
MOST_STDERR_LINES = 8
MOST_NOTICES = 12

_STATUS = {
    "succeeded": ("✓", "green", "every job succeeded"),
    "failed": ("✗", "red", "some jobs failed"),
    "incomplete": ("…", "yellow", "the run ended before every job did"),
}


def report_text(report: Mapping[str, Any]) -> RenderableType:
    """The whole report."""
    return Group(*_parts(report))


def _parts(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield _summary(report)
    if report["failures"] or report["failed_calls"]:
        yield from _failures(report)
    yield heading("Tasks")
    yield _tasks(report["tasks"])
    if report["links"]:
        yield heading("Links", "a one-way delay between two clocks is an interval")
        yield _links(report["links"])
    if report["timing"]:
        yield from _timing(report["timing"])
    yield from _events(report)
    yield _files(report)


def _summary(report: Mapping[str, Any]) -> RenderableType:
    jobs = report["jobs"]
    sign, colour, words = _STATUS[report["status"]]
    head = Text.assemble(
        (f"{sign} ", f"bold {colour}"),
        (report["app"]["name"], "bold"),
        (f"  {words}", colour),
        (f"   {report['run']}", "dim"),
    )
    latency = jobs["latency"] or {}
    counts = f"{jobs['done']} done"
    counts += "".join(f", {jobs[name]} {name}" for name in ("failed", "unfinished") if jobs[name])
    if jobs["expected"] is not None:
        counts += f" of {jobs['expected']}"
    rows = [("jobs", counts)]
    if latency:
        rows.append(
            (
                "end to end",
                "  ".join(f"{name} {duration(latency[f'{name}_ns'])}" for name in
                          ("p50", "p95", "p99", "max")),
            )
        )  # fmt: skip
    if jobs["throughput_per_s"] is not None:
        rows.append(
            (
                "throughput",
                f"{format_number(jobs['throughput_per_s'])} jobs/s "
                f"over {duration(jobs['stream_ns'])}",
            )
        )
    if jobs["first_output_ns"] is not None:
        rows.append(("first output", f"{duration(jobs['first_output_ns'])} after the start"))
    phases = [
        f"{phase['name']} {duration(phase['duration_ns'])}"
        for phase in report["phases"]
        if phase["duration_ns"] is not None
    ]
    if phases:
        rows.append(("phases", lines_of(phases)))
    busy = [
        f"{name}: {', '.join(node['tasks'][:6])}{' …' if len(node['tasks']) > 6 else ''}"
        for name, node in report["nodes"].items()
        if node["tasks"]
    ]
    rows.append(("placement", "\n".join(busy[:12] + more(len(busy) - 12))))
    return Group(Text(), head, Padding(facts(rows), (0, 0, 0, 2)))


def _tasks(tasks: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    table = quiet_table("task", "node", *TASK_COLUMNS)
    shown = list(tasks.items())
    if len(shown) > MOST_ROWS:
        shown.sort(key=lambda item: -_total_ns(item[1]))
        shown = shown[:MOST_ROWS]
    for name, task in shown:
        run, wait = task["run"] or {}, task["wait"] or {}
        nodes = ", ".join(task["nodes"]) or task["node"] or "–"
        table.add_row(
            escape(name),
            escape(nodes),
            str(task["count"]),
            duration(run.get("p50_ns")),
            duration(run.get("p95_ns")),
            duration(run.get("max_ns")),
            duration(wait.get("p50_ns")),
            format_size(task["output_bytes"]),
            _count(task["failures"] - task["retries"], "red"),
            _count(task["retries"], "yellow"),
        )
    left = len(tasks) - len(shown)
    return Group(table, *_cut_note(left, "tasks with less work"))


def _total_ns(task: Mapping[str, Any]) -> int:
    return int(task["count"] * task["run"]["p50_ns"]) if task["run"] else 0


def _links(links: Sequence[Mapping[str, Any]]) -> RenderableType:
    known = any(link["inside_share"] is not None for link in links)
    columns = [">transfers", ">bytes", ">median", ">interval", ">p95", ">rate"]
    table = quiet_table("from", "to", *columns, *([">held"] if known else []))
    shown = sorted(links, key=lambda link: (link["source"] == link["target"], -link["bytes"]))
    for link in shown[:MOST_ROWS]:
        delay = link["delay"]
        local = link["source"] == link["target"]
        row = [
            escape(link["source"]),
            escape("itself" if local else link["target"]),
            str(link["count"]),
            format_size(link["bytes"]),
            duration(delay["p50_ns"]),
            "–" if local else interval(delay["p50_low_ns"], delay["p50_high_ns"]),
            duration(delay["p95_ns"]),
            format_rate(link["rate_bit_s"]) if link["rate_bit_s"] else "–",
        ]
        table.add_row(*row, *([per_cent(link["inside_share"])] if known else []))
    return Group(table, *_cut_note(len(links) - MOST_ROWS, "links with fewer bytes"))


def _timing(timing: Mapping[str, Any]) -> Iterator[RenderableType]:
    demanded = timing["demanded_accuracy_ns"]
    wanted = "" if demanded is None else f", accuracy wanted {duration(demanded)}"
    yield heading("Firing at instants", f"timeline {timing['timeline']}{wanted}")
    table = quiet_table("stage", *TIMING_COLUMNS)
    stages = list(timing["stages"].items())[:MOST_ROWS]
    for name, stage in [*stages, ("all", timing["total"])]:
        error = stage["true_error"]
        table.add_row(
            Text(name, style="bold" if name == "all" else ""),
            str(stage["firings"]),
            per_cent(stage["verdicts"].get("on_time", 0) / stage["firings"]),
            per_cent(stage["inside_share"]),
            together(error, "p50", "p99", "max"),
            together(stage["bound"], "p50", "max"),
            together(stage["lateness"], "p50", "p99", "max"),
        )
    yield table
    odd = [
        f"{count} {verdict}"
        for verdict, count in timing["total"]["verdicts"].items()
        if verdict != "on_time"
    ]
    if odd:
        yield Text(f"  not on time: {', '.join(odd)}", style="yellow")
    if timing["co_firing"]:
        yield heading("Stages at one instant", "how far apart they really woke")
        skews = quiet_table(
            "stages", ">instants", ">inside", ">skew p50 / p99 / max", ">bound p50 / max"
        )
        for group in timing["co_firing"][:MOST_ROWS]:
            skew = group["true_skew"] or group["measured_skew"]
            skews.add_row(
                escape(" + ".join(group["tasks"])),
                str(group["instants"]),
                per_cent(group["inside_share"]),
                together(skew, "p50", "p99", "max"),
                together(group["bound"], "p50", "max"),
            )
        yield skews


def _failures(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    failures = report["failures"]
    if failures:
        yield heading("Failed jobs")
    for failure in failures[:MOST_FAILURES]:
        where = f"{failure['task']} on {failure['node']}" if failure["node"] else failure["task"]
        yield Text.assemble(("  ✗ ", "red"), f"{failure['job']} at {where}: {failure['reason']}")
        tail = failure["stderr_tail"].strip().splitlines()[-MOST_STDERR_LINES:]
        if tail:
            yield Padding(Text("\n".join(tail), style="dim"), (0, 0, 0, 6))
        if failure["dead_letter"]:
            yield Text(f"      its inputs: {shorten(failure['dead_letter'])}", style="dim")
    yield from _cut_note(len(failures) - MOST_FAILURES, "failed jobs")
    retried = [group for group in report["failed_calls"] if group["retried"]]
    if retried:
        yield heading("Retried calls")
    for group in retried[:MOST_FAILURES]:
        yield Text.assemble(
            ("  ↻ ", "yellow"),
            f"{group['task']}: {group['reason']} ",
            (f"× {group['retried']}", "dim"),
        )
    yield from _cut_note(len(retried) - MOST_FAILURES, "reasons")


def _events(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    losses = [(name, loss) for name, node in report["nodes"].items() for loss in node["losses"]]
    broken = [change for change in report["qot_changes"] if change["violated"]]
    exits = [
        (name, end) for name, service in report["services"].items() for end in service["exits"]
    ]
    notices = report["notices"]
    if losses or broken or exits or notices:
        yield heading("Worth knowing")
    for name, loss in losses[:MOST_NOTICES]:
        yield _note("red", f"node {name} was lost (process {loss['pid']}): {loss['reason']}")
    for change in broken[:MOST_NOTICES]:
        yield _note(
            "yellow",
            f"{change['node']}: quality of time {duration(change['delivered_ns'])} is worse than "
            f"the {duration(change['demanded_ns'])} wanted ({change['status']})",
        )
    for name, end in exits[:MOST_NOTICES]:
        yield _note("yellow", f"service {name} ended with exit code {end['exit_code']}")
    for notice in notices[:MOST_NOTICES]:
        colour = "red" if notice["level"] == "error" else "yellow"
        yield _note(colour, f"{notice['node']}: {notice['text']}")
    yield from _cut_note(len(notices) - MOST_NOTICES, "notices")


def _note(colour: str, text: str) -> Text:
    return Text.assemble(("  • ", colour), text)


def _files(report: Mapping[str, Any]) -> RenderableType:
    outputs = report["outputs"]
    words = (
        f"{shorten(outputs['folder'])}  ({outputs['files']} files, {format_size(outputs['bytes'])})"
    )
    folder = shorten(report["folder"])
    rows = [("outputs", words), ("report", f"{folder}/report/report.json")]
    rows += [
        ("picture", f"{folder}/{path}") for path in report["pictures"] if path.endswith(".svg")
    ]
    return Group(heading("Files"), Padding(facts(rows), (0, 0, 0, 2)))


def _count(count: int, colour: str) -> Text:
    return Text(str(count), style=colour) if count else Text("–", style="dim")


def _cut_note(left: int, what: str) -> list[Text]:
    return [Text(f"  … and {left} {what}: see report.json", style="dim")] if left > 0 else []
