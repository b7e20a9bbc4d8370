"""globalfusion: one verdict per window from the findings of all branches.

Slices are random thirds of the flows, so what many flows do together must show in most of them:
such a finding needs a majority of the branches. An ``alpha_flow`` is one flow and lives in one
slice, so one branch is enough.
"""

from __future__ import annotations

from collections import Counter
from statistics import median_low
from typing import Any

from anomaly_report import Finding, overlap
from task_files import (
    Files,
    as_list,
    output_name,
    read_json,
    run_on_sample,
    same_window,
    write_json,
)

PRECEDENCE = ("volume_ddos", "port_scan", "alpha_flow", "flash_crowd")
"""When as many branches name the same traffic one way as another, the earlier kind wins."""


def rank(kind: str) -> int:
    """Position in PRECEDENCE; kinds that are not named there come last."""
    return PRECEDENCE.index(kind) if kind in PRECEDENCE else len(PRECEDENCE)


def group(branches: list[dict[str, Any]]) -> list[list[tuple[int, Finding]]]:
    """Findings about the same traffic at the same time, each with its slice."""
    groups: list[list[tuple[int, Finding]]] = []
    for branch in branches:
        for found in branch["findings"]:
            for members in groups:
                first = members[0][1]
                if found["key"] == first["key"] and overlap(found, first, slack=1):
                    members.append((branch["slice"], found))
                    break
            else:
                groups.append([(branch["slice"], found)])
    return groups


def verdict(members: list[tuple[int, Finding]], branches: int) -> Finding | None:
    """The anomaly that a group stands for, or None if too few branches saw it."""
    voters = sorted({index for index, _ in members})
    votes = Counter(found["kind"] for _, found in members)
    kind = min(votes, key=lambda name: (-votes[name], rank(name)))
    if kind != "alpha_flow" and 2 * len(voters) <= branches:
        return None
    witnesses = [found for _, found in members if found["kind"] == kind]
    return {
        "kind": kind,
        "key": witnesses[0]["key"],
        "first_bin": median_low(found["first_bin"] for found in witnesses),
        "last_bin": median_low(found["last_bin"] for found in witnesses),
        "score": max(found["score"] for found in witnesses),
        "branches": voters,
        "detectors": sorted({name for _, found in members for name in found["detectors"]}),
    }


def task(filename: Files, pathin: str, pathout: str) -> list[str]:
    """The findings of every branch in, in any order; the window's verdict out."""
    branches = sorted(
        (read_json(pathin, name) for name in as_list(filename)), key=lambda item: item["slice"]
    )
    input_name = same_window(branches)
    slices = [branch["slice"] for branch in branches]
    if slices != list(range(branches[0]["slices"])):
        raise ValueError(f"{input_name}: slices {slices} of {branches[0]['slices']} came together")
    found = [verdict(members, len(branches)) for members in group(branches)]
    anomalies = [anomaly for anomaly in found if anomaly is not None]
    result = {
        "input": input_name,
        "records": sum(branch["records"] for branch in branches),
        "anomalies": sorted(anomalies, key=lambda item: (item["first_bin"], item["kind"])),
    }
    return write_json(pathout, output_name(input_name, "global_anomalies.json"), result)


def main() -> list[str]:
    """Profiling entry."""
    patterns = [f"*fusion_center{index}.json" for index in range(3)]
    return run_on_sample(task, *patterns)


if __name__ == "__main__":
    print(main())
