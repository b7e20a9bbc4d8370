"""fusioncenter: join what the two detectors of one branch found.

A correlated change about the same traffic at the same time as a finding of the simple detector is
further evidence for it. A correlated rise towards one destination that the simple detector did not
notice is a ``flash_crowd``.
"""

from __future__ import annotations

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


def fuse(simple: list[Finding], astute: list[Finding]) -> list[Finding]:
    """The branch's findings, each with the ``detectors`` that saw it."""
    fused = [{**found, "detectors": ["simple"]} for found in simple]
    for change in astute:
        matches = [
            found
            for found in fused
            if overlap(found, change, slack=1) and found["key"] == change["key"]
        ]
        for found in matches:
            found["detectors"] = ["astute", "simple"]
        if not matches:
            kind = "flash_crowd" if "dst" in change["key"] else change["kind"]
            fused.append({**change, "kind": kind, "detectors": ["astute"]})
    return fused


def task(filename: Files, pathin: str, pathout: str) -> list[str]:
    """The two detectors' reports of one branch in, in any order; the branch's findings out."""
    reports = [read_json(pathin, name) for name in as_list(filename)]
    input_name = same_window(reports)
    findings = {report["detector"]: report["findings"] for report in reports}
    first = reports[0]
    if set(findings) != {"simple", "astute"} or {r["slice"] for r in reports} != {first["slice"]}:
        raise ValueError(
            f"expected one simple and one astute report of one slice, got "
            f"{[(report['detector'], report['slice']) for report in reports]}"
        )
    branch = {
        "input": input_name,
        "slice": first["slice"],
        "slices": first["slices"],
        "records": first["records"],
        "findings": fuse(findings["simple"], findings["astute"]),
    }
    return write_json(
        pathout, output_name(input_name, f"fusion_center{first['slice']}.json"), branch
    )


def main() -> list[str]:
    """Profiling entry."""
    return run_on_sample(task, "*anomalies_simple0.json", "*anomalies_astute0.json")


if __name__ == "__main__":
    print(main())
