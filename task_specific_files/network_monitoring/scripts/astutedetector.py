"""astutedetector: find many small flow changes that happen together, with the ASTUTE test.

An alarm at the step from bin t to t + 1 is explained by the source or destination address whose
flows, when left out, bring the assessment value back to about zero. A rise is the first bin of an
anomaly, the fall of the same traffic ends it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from anomaly_report import Finding, finding, report
from astute_test import assessment_value, volume_changes
from task_files import Files, as_list, output_name, read_json, run_on_sample, write_json

K = 5.0
"""Alarm threshold. A standard normal value is beyond ±5 once in 1.7 million."""
K_END = 3.5
"""A fall of traffic that is known to have risen needs less evidence than a new alarm."""
MIN_MEMBERS = 10
"""An address explains an alarm only if at least this many of its flows moved."""
BALANCED = 2.0
"""A value within ±2 is what independent flows give anyway: the equilibrium is restored."""
MAX_SCORE = 1e6


def explain(changes: dict[int, int], flows: list[list[str]], sign: int) -> dict[str, str]:
    """The address whose flows, left out, restore the equilibrium; {} if no single one does.

    Of addresses that do so well enough, the one with the fewest flows: a scanner is blamed
    before its victim, which also has honest traffic.
    """
    members: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for flow, delta in changes.items():
        if delta * sign > 0:
            members["src", flows[flow][0]].add(flow)
            members["dst", flows[flow][1]].add(flow)
    candidates = []
    for (field, address), left_out in members.items():
        if len(left_out) >= MIN_MEMBERS:
            rest = (delta for flow, delta in changes.items() if flow not in left_out)
            value = abs(assessment_value(rest))
            if value <= K:
                candidates.append((value, len(left_out), {field: address}))
    if not candidates:
        return {}
    limit = max(BALANCED, min(value for value, _, _ in candidates))
    return min((c for c in candidates if c[0] <= limit), key=lambda c: c[1])[2]


def alarms(table: dict[str, Any]) -> list[tuple[int, float, dict[str, str]]]:
    """(bin in which the change shows, AAV, key) for every step above K or below -K_END."""
    packets = [{flow: count for flow, count, _ in active} for active in table["bins"]]
    found = []
    for index in range(1, len(packets)):
        changes = volume_changes(packets[index - 1], packets[index])
        value = assessment_value(changes.values())
        if value > K or value < -K_END:
            sign = 1 if value > 0 else -1
            score = math.copysign(min(abs(value), MAX_SCORE), value)
            found.append((index, score, explain(changes, table["flows"], sign)))
    return found


def intervals(steps: list[tuple[int, float, dict[str, str]]], bins: int) -> list[Finding]:
    """Pair each rise with the next fall of the same traffic.

    A rise that never falls lasts to the end of the window; a fall beyond -K without a rise began
    before it.
    """
    found: list[Finding] = []
    rising: dict[tuple[tuple[str, str], ...], Finding] = {}
    for index, value, key in steps:
        name = tuple(key.items())
        if value > 0 and name not in rising:
            rising[name] = finding("correlated_change", index, key, value)
            rising[name]["last_bin"] = bins - 1
            found.append(rising[name])
        elif value < 0 and name in rising:
            rising.pop(name)["last_bin"] = index - 1
        elif value < -K:
            found.append({**finding("correlated_change", 0, key, -value), "last_bin": index - 1})
    return found


def task(filename: Files, pathin: str, pathout: str) -> list[str]:
    """One table of a slice in, one report out."""
    (name,) = as_list(filename)
    table = read_json(pathin, name)
    findings = intervals(alarms(table), len(table["bins"]))
    return write_json(
        pathout,
        output_name(table["input"], f"anomalies_astute{table['slice']}.json"),
        report(table, "astute", findings),
    )


def main() -> list[str]:
    """Profiling entry."""
    return run_on_sample(task, "*merged_file0.json")


if __name__ == "__main__":
    print(main())
