"""Compare a run's outputs with the right answers. Exit code 0: all right; 1: not; 2: can't tell.

    python check_outputs.py RUN/outputs
    python check_outputs.py RUN/outputs --jobs 30
    python check_outputs.py RUN/outputs --expected elsewhere/expected

``RUN/outputs`` has one folder per job; its one file says in its content which input it is about,
so neither folder nor file names matter. Every expected window must be there exactly once, or with
``--jobs N`` as often as a run of N jobs takes it in turn, with the same number of records and
exactly the expected anomalies: kind, key and bins.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

APP = Path(__file__).resolve().parent


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """The right answers by input name, in the order that a run takes the inputs in."""
    answers = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    answers.sort(key=lambda answer: in_turn(answer["input"]))
    return {answer["input"]: answer for answer in answers}


def in_turn(name: str) -> list[tuple[int, str]]:
    """Sort key: numbers inside names count as numbers, so 2botnet comes before 10botnet."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def essence(anomalies: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What of an anomaly must be right, in an order that does not depend on the writer."""
    return sorted(
        (a["kind"], a["first_bin"], a["last_bin"], sorted(a["key"].items())) for a in anomalies
    )


def compare(output: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    """What is wrong with one output, in words."""
    wrong = []
    if output["records"] != answer["records"]:
        wrong.append(f"{output['records']} records, expected {answer['records']}")
    found, truth = essence(output["anomalies"]), essence(answer["anomalies"])
    wrong += [f"missed {item}" for item in truth if item not in found]
    wrong += [f"false alarm {item}" for item in found if item not in truth]
    return wrong


def check(outputs: Path, expected: Path, jobs: int | None = None) -> list[str]:
    """Everything that is wrong with an outputs folder; empty if it is right."""
    answers = load(expected)
    whole, rest = divmod(len(answers) if jobs is None else jobs, len(answers))
    wanted = {name: whole + (number < rest) for number, name in enumerate(answers)}
    seen: Counter[str] = Counter()
    wrong = []
    folders = (path for path in outputs.iterdir() if path.is_dir() and path.name[0] != ".")
    for job in sorted(folders):
        files = sorted(path for path in job.rglob("*") if path.is_file())
        if len(files) != 1:
            wrong.append(f"{job.name}: {len(files)} files, expected 1")
        for path in files:
            try:
                output = json.loads(path.read_bytes())
                name = output["input"]
            except (ValueError, KeyError, TypeError) as error:
                wrong.append(f"{path}: not a verdict of globalfusion: {error}")
                continue
            seen[name] += 1
            if name not in answers:
                wrong.append(f"{path}: no right answer is known for {name}")
            else:
                wrong += [f"{path}: {name}: {text}" for text in compare(output, answers[name])]
    return wrong + [
        f"{name}: {seen[name]} outputs, expected {count}"
        for name, count in wanted.items()
        if seen[name] != count
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outputs", type=Path, help="the outputs folder of a run")
    parser.add_argument("--expected", type=Path, default=APP / "expected")
    parser.add_argument("--jobs", type=int, help="how many jobs were run, if not one per window")
    given = parser.parse_args()
    for folder in (given.outputs, given.expected):
        if not folder.is_dir():
            print(f"{folder} is not a folder", file=sys.stderr)
            return 2
    wrong = check(given.outputs, given.expected, given.jobs)
    count = len(load(given.expected)) if given.jobs is None else given.jobs
    print("\n".join(wrong) or f"all {count} windows are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
