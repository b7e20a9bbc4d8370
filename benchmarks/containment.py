"""Do the bounds hold? The containment audit of every scenario, in virtual time.

    python benchmarks/containment.py [--samples 1000000] [--only "loss"] [--seed 1]

Runs the time service's own code against a hidden true clock through every fault of
``qot/faults/scenarios.py``: an hour each, at least a million promised samples each. Prints a table
(scenarios, then what was claimed of them and is not so) and one JSON line. Exit code 1 when a hard
bound, the statistical confidence or a claim did not hold. Nothing depends on the machine's speed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from qot.audit import format_table
from qot.faults.scenarios import SCENARIOS
from qot.faults.stage import Outcome

_ROOM = 1.05
"""Samples beyond those asked for, for the moments without a promise."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    outcomes: dict[str, Outcome] = {}
    begun = time.monotonic()
    for scenario in SCENARIOS.values():
        if arguments.only not in scenario.name:
            continue
        print(f"{scenario.name}: {scenario.says}", file=sys.stderr, flush=True)
        outcomes[scenario.name] = scenario.run(
            round(arguments.samples * _ROOM), seed=arguments.seed
        )
    print(format_table(outcome.report for outcome in outcomes.values()))
    for name, outcome in outcomes.items():
        for text in outcome.broken:
            print(f"NOT SO in {name}: {text}")
    figures = {
        "samples_asked_for": arguments.samples,
        "fewest_promised": min((o.report.promised for o in outcomes.values()), default=0),
        "hold": sum(outcome.holds for outcome in outcomes.values()),
        "of": len(outcomes),
        "took_s": round(time.monotonic() - begun, 1),
        "scenarios": {name: outcome.as_dict() for name, outcome in outcomes.items()},
    }
    print(json.dumps(figures))
    return 0 if outcomes and all(outcome.holds for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
