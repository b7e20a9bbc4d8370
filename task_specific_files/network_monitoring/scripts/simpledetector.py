"""simpledetector: robust thresholds on volumes and on the fan-out of sources.

Volumes: packets and bytes per bin are compared with the window's median, in units of the median
absolute deviation (scaled to a standard deviation). A high bin is explained by the flow that
carries most of the excess (``alpha_flow``) or by the destination that many sources send to
(``volume_ddos``). Fan-out: a source that talks to far more (destination, port) pairs than sources
usually do is a ``port_scan``.

It does not see many small changes that happen together while the volume stays within its normal
swing; :mod:`astutedetector` does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import Any

from anomaly_report import FIELDS, Finding, finding, join_bins, report
from task_files import Files, as_list, output_name, read_json, run_on_sample, write_json

VOLUME_THRESHOLD = 5.0
"""Robust z-score above which a bin's volume is an anomaly."""
DOMINANT_SHARE = 0.5
"""Share of the excess that one flow or destination must carry to be named."""
MIN_SOURCES = 10
"""A destination with fewer sources is not attacked by many."""
FANOUT_THRESHOLD = 8.0
MIN_FANOUT = 12
"""Fewer distinct (destination, port) pairs in one bin are never a scan."""

_TO_SIGMA = 1.4826


def robust_scores(values: list[float]) -> list[float]:
    """(x − median) / (1.4826 · MAD); the scale is at least 5 % of the median, and never 0."""
    centre = median(values)
    spread = _TO_SIGMA * median(abs(value - centre) for value in values)
    scale = max(spread, 0.05 * abs(centre)) or 1.0
    return [(value - centre) / scale for value in values]


def volume_findings(table: dict[str, Any]) -> list[Finding]:
    """One finding for each bin and measure (packets, bytes) that is far above the median."""
    flows, bins = table["flows"], table["bins"]
    found = []
    for measure in (1, 2):
        volumes = [float(sum(entry[measure] for entry in active)) for active in bins]
        normal = median(volumes)
        for index, score in enumerate(robust_scores(volumes)):
            if score > VOLUME_THRESHOLD:
                kind, key = explain(bins[index], flows, measure, volumes[index] - normal)
                found.append(finding(kind, index, key, score))
    return found


def explain(
    active: list[list[int]], flows: list[list[str]], measure: int, excess: float
) -> tuple[str, dict[str, str]]:
    """Kind and key of a bin whose volume is ``excess`` above normal."""
    largest = max(active, key=lambda entry: entry[measure])
    if largest[measure] >= DOMINANT_SHARE * excess:
        return "alpha_flow", dict(zip(FIELDS, flows[largest[0]], strict=True))
    per_destination: Counter[str] = Counter()
    sources: defaultdict[str, set[str]] = defaultdict(set)
    for entry in active:
        src, dst = flows[entry[0]][:2]
        per_destination[dst] += entry[measure]
        sources[dst].add(src)
    dst, volume = per_destination.most_common(1)[0]
    if volume >= DOMINANT_SHARE * excess and len(sources[dst]) >= MIN_SOURCES:
        return "volume_ddos", {"dst": dst}
    return "volume_change", {}


def scan_findings(table: dict[str, Any]) -> list[Finding]:
    """One finding for each bin and source whose fan-out is far above that of sources in general."""
    flows = table["flows"]
    fanouts: list[tuple[int, str, int]] = []
    for index, active in enumerate(table["bins"]):
        targets: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for entry in active:
            src, dst, _, dport, _ = flows[entry[0]]
            targets[src].add((dst, dport))
        fanouts += [(index, src, len(pairs)) for src, pairs in targets.items()]
    scores = robust_scores([float(size) for _, _, size in fanouts]) if fanouts else []
    return [
        finding("port_scan", index, {"src": src}, score)
        for (index, src, size), score in zip(fanouts, scores, strict=True)
        if size >= MIN_FANOUT and score > FANOUT_THRESHOLD
    ]


def task(filename: Files, pathin: str, pathout: str) -> list[str]:
    """One table of a slice in, one report out."""
    (name,) = as_list(filename)
    table = read_json(pathin, name)
    findings = join_bins(volume_findings(table) + scan_findings(table))
    return write_json(
        pathout,
        output_name(table["input"], f"anomalies_simple{table['slice']}.json"),
        report(table, "simple", findings),
    )


def main() -> list[str]:
    """Profiling entry."""
    return run_on_sample(task, "*merged_file0.json")


if __name__ == "__main__":
    print(main())
