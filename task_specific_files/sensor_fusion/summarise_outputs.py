"""Sampling skew against its bound, and position error, from a run's outputs.

    python summarise_outputs.py RUN/outputs
    python summarise_outputs.py RUN/outputs --json

Exit code 0: every output was read and synchronized; 1: some was not; 2: there is nothing to read.
The position error is known because the scene is a pure function of time (scripts/scene.py).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

APP = Path(__file__).resolve().parent
sys.path.insert(0, str(APP / "scripts"))

from scene import position_at  # noqa: E402

ROWS = {
    "skew_ns": "sampling skew",
    "skew_bound_ns": "bound of the skew",
    "largest_possible_skew_ns": "skew + bound",
    "error_m": "position error",
    "error_if_simultaneous_m": "… if taken for simultaneous",
}


def read_results(outputs: Path) -> list[dict[str, Any]]:
    """All results below an outputs folder, in the order of their times. Raises ValueError."""
    results = []
    for path in sorted(path for path in outputs.glob("*/*") if path.is_file()):
        try:
            result = json.loads(path.read_bytes())
            results.append({**result, "reference_ns": int(result["reference_ns"])})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a result of fuse: {error}") from error
    return sorted(results, key=lambda result: result["reference_ns"])


def measures(result: dict[str, Any]) -> dict[str, float]:
    """The figures of one job."""
    truth = position_at(result["reference_ns"])
    return {
        "skew_ns": result["skew_ns"],
        "skew_bound_ns": result["skew_bound_ns"],
        "largest_possible_skew_ns": result["skew_ns"] + result["skew_bound_ns"],
        "error_m": math.dist(result["position_m"], truth),
        "error_if_simultaneous_m": math.dist(result["position_if_simultaneous_m"], truth),
    }


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Median, 99th percentile (nearest rank) and maximum of every measure."""
    columns = [measures(result) for result in results]
    summary: dict[str, Any] = {
        "jobs": len(results),
        "synchronized": sum(bool(result["synchronized"]) for result in results),
    }
    for name in ROWS:
        values = sorted(column[name] for column in columns)
        ranks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        summary[name] = {
            key: values[max(0, math.ceil(rank * len(values)) - 1)] for key, rank in ranks.items()
        }
    return summary


def table(summary: dict[str, Any]) -> str:
    """The summary for people."""
    lines = [
        f"{summary['jobs']} jobs, {summary['synchronized']} with all samples synchronized",
        f"{'':<30}{'p50':>12}{'p99':>12}{'max':>12}",
    ]
    for name, told in ROWS.items():
        scale, unit = (1e6, "ms") if name.endswith("_ns") else (0.01, "cm")
        cells = "".join(f"{value / scale:>9.3f} {unit}" for value in summary[name].values())
        lines.append(f"{told:<30}{cells}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outputs", type=Path, help="the outputs folder of a run")
    parser.add_argument("--json", action="store_true", help="print data instead of a table")
    given = parser.parse_args()
    try:
        results = read_results(given.outputs)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if not results:
        print(f"{given.outputs}: no outputs there", file=sys.stderr)
        return 2
    summary = summarise(results)
    print(json.dumps(summary, indent=2) if given.json else table(summary))
    return 0 if summary["synchronized"] == summary["jobs"] else 1


if __name__ == "__main__":
    sys.exit(main())
