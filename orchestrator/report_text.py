"""The report as a person reads it in a terminal: tables that fit it, quiet colours.

Takes the figures of :mod:`orchestrator.report` and nothing else, so that a ``report.json`` from
elsewhere reads the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from jupiter.units import format_number, format_rate, format_size
from orchestrator.failure_text import failure_text
from orchestrator.quiet_table import QuietTable
from orchestrator.text_parts import (
    SideBySide,
    bullet,
    cut_note,
    duration,
    facts,
    heading,
    interval,
    more,
    per_cent,
    shorten,
    together,
    unbroken,
)

MOST_ROWS = 24
TASK_COLUMNS = (">calls", ">median", ">p95", ">max", ">wait", ">out", ">failed", ">retried")
LEAST_OF_TASKS = ("out", "max", "wait", "retried", "p95", "failed", "node")
LINK_COLUMNS = (
    "from",
    "to",
    ">transfers",
    ">bytes",
    ">median",
    ">interval",
    ">p95",
    ">rate",
    ">held",
)
LEAST_OF_LINKS = ("rate", "p95", "bytes", "held", "transfers", "interval")
TIMING_COLUMNS = (
    ">fired",
    ">on time",
    ">inside",
    ">error p50 / p99 / max",
    ">bound p50 / max",
    ">late p50 / p99 / max",
)
LEAST_OF_TIMING = (
    "late p50 / p99 / max",
    "fired",
    "bound p50 / max",
    "on time",
    "error p50 / p99 / max",
)
SKEW_COLUMNS = ("stages", ">instants", ">inside", ">skew p50 / p99 / max", ">bound p50 / max")
WIDTH_OF_STAGES = 28
MOST_NOTICES = 12
MOST_PLACED, FEW_PLACED = 6, 2
"""Tasks that are named beside their node: at most, and when the app has more than MOST_ROWS."""

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
        yield from failure_text(report)
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
    )
    latency = jobs["latency"] or {}
    counts = f"{jobs['done']} done"
    counts += "".join(f", {jobs[name]} {name}" for name in ("failed", "unfinished") if jobs[name])
    if jobs["expected"] is not None:
        counts += f" of {jobs['expected']}"
    rows: list[tuple[str, RenderableType]] = [("run", report["run"]), ("jobs", counts)]
    if latency:
        names = ("p50", "p95", "p99", "max")
        parts = [f"{name} {duration(latency[f'{name}_ns'])}" for name in names]
        rows.append(("end to end", SideBySide(parts)))
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
        rows.append(("phases", SideBySide(phases)))
    named = MOST_PLACED if len(report["tasks"]) <= MOST_ROWS else FEW_PLACED
    busy = [
        SideBySide([f"{name}:", *_listed(node["tasks"], named)], " ")
        for name, node in report["nodes"].items()
        if node["tasks"]
    ]
    left = [Text(line) for line in more(len(busy) - MOST_NOTICES)]
    rows.append(("placement", Group(*busy[:MOST_NOTICES], *left)))
    return Group(Text(), head, Padding(facts(rows), (0, 0, 0, 2)))


def _listed(tasks: Sequence[str], named: int) -> list[str]:
    names = [*tasks[:named], *more(len(tasks) - named)]
    return [*(f"{name}," for name in names[:-1]), names[-1]]


def _tasks(tasks: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    table = QuietTable("task", "node", *TASK_COLUMNS, least=LEAST_OF_TASKS)
    shown = list(tasks.items())
    if len(shown) > MOST_ROWS:
        shown.sort(key=lambda item: -_total_ns(item[1]))
        shown = shown[:MOST_ROWS]
    for name, task in shown:
        run, wait = task["run"] or {}, task["wait"] or {}
        table.add_row(
            name,
            _nodes(task["nodes"]) or task["node"] or "–",
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
    return Group(table, *cut_note(left, "tasks with less work"))


def _nodes(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 2 else ", ".join(names)


def _total_ns(task: Mapping[str, Any]) -> int:
    return int(task["count"] * task["run"]["p50_ns"]) if task["run"] else 0


def _links(links: Sequence[Mapping[str, Any]]) -> RenderableType:
    known = any(link["inside_share"] is not None for link in links)
    columns = LINK_COLUMNS if known else LINK_COLUMNS[:-1]
    table = QuietTable(*columns, least=LEAST_OF_LINKS)
    shown = sorted(links, key=lambda link: (link["source"] == link["target"], -link["bytes"]))
    for link in shown[:MOST_ROWS]:
        delay = link["delay"]
        local = link["source"] == link["target"]
        row = [
            link["source"],
            "itself" if local else link["target"],
            str(link["count"]),
            format_size(link["bytes"]),
            duration(delay["p50_ns"]),
            "–" if local else interval(delay["p50_low_ns"], delay["p50_high_ns"]),
            duration(delay["p95_ns"]),
            format_rate(link["rate_bit_s"]) if link["rate_bit_s"] else "–",
        ]
        table.add_row(*row, *([per_cent(link["inside_share"])] if known else []))
    return Group(table, *cut_note(len(links) - MOST_ROWS, "links with fewer bytes"))


def _timing(timing: Mapping[str, Any]) -> Iterator[RenderableType]:
    demanded = timing["demanded_accuracy_ns"]
    wanted = "" if demanded is None else f", accuracy wanted {duration(demanded)}"
    yield heading("Firing at instants", f"timeline {timing['timeline']}{wanted}")
    table = QuietTable("stage", *TIMING_COLUMNS, least=LEAST_OF_TIMING)
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
        skews = QuietTable(*SKEW_COLUMNS, least=("instants", "bound p50 / max"))
        for group in timing["co_firing"][:MOST_ROWS]:
            skew = group["true_skew"] or group["measured_skew"]
            skews.add_row(
                "\n".join(SideBySide(group["tasks"], " + ").lines(WIDTH_OF_STAGES)),
                str(group["instants"]),
                per_cent(group["inside_share"]),
                together(skew, "p50", "p99", "max"),
                together(group["bound"], "p50", "max"),
            )
        yield skews


def _events(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What else happened; the same thing again is counted."""
    happened: Counter[tuple[str, str]] = Counter()
    for name, node in report["nodes"].items():
        for loss in node["losses"]:
            happened["red", f"node {name} was lost: {loss['reason']}"] += 1
    for changes in _broken(report["qot_changes"]).values():
        happened["yellow", _quality(changes)] += len(changes)
    for name, service in report["services"].items():
        for end in service["exits"]:
            happened["yellow", f"service {name} ended with exit code {end['exit_code']}"] += 1
    for notice in report["notices"]:
        colour = "red" if notice["level"] == "error" else "yellow"
        happened[colour, f"{notice['node']}: {notice['text']}"] += 1
    if happened:
        yield heading("Worth knowing")
    for (colour, text), count in list(happened.items())[:MOST_NOTICES]:
        words = Text(text)
        yield bullet("•", colour, words.append(f"  × {count}", "dim") if count > 1 else words)
    yield from cut_note(len(happened) - MOST_NOTICES, "things")


def _broken(
    changes: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """The times that the quality was worse than wanted, by node and status."""
    broken: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for change in changes:
        if change["violated"]:
            broken.setdefault((change["node"], change["status"]), []).append(change)
    return broken


def _quality(changes: Sequence[Mapping[str, Any]]) -> str:
    worst = max(changes, key=lambda change: int(change["delivered_ns"]))
    return (
        f"{worst['node']}: quality of time {duration(worst['delivered_ns'])} is worse than "
        f"the {duration(worst['demanded_ns'])} wanted ({worst['status']})"
    )


def _files(report: Mapping[str, Any]) -> RenderableType:
    outputs = report["outputs"]
    folder = shorten(report["folder"])
    rows = [("outputs", shorten(outputs["folder"])), ("report", f"{folder}/report/report.json")]
    rows += [
        ("picture", f"{folder}/{path}") for path in report["pictures"] if path.endswith(".svg")
    ]
    note = f"{outputs['files']} outputs, {format_size(outputs['bytes'])}"
    return Group(
        heading("Files", note), *(unbroken(f"  {name:<7}  {words}") for name, words in rows)
    )


def _count(count: int, colour: str) -> Text:
    return Text(str(count), style=colour) if count else Text("–", style="dim")
