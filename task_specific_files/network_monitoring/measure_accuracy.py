"""Precision and recall over freshly generated windows, by kind. Runs the tasks in this process.

python measure_accuracy.py --windows 200 --seed 1
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from check_outputs import essence
from generate_sample_input import write_window
from synthetic_traffic import KINDS, make_window, random_anomalies

SCRIPTS = Path(__file__).resolve().parent / "scripts"


def detect(sample: Path, folder: Path) -> dict[str, Any]:
    """The verdict on one window file, by the DAG of configuration.txt with names left out."""

    def call(module: str, paths: list[str]) -> list[str]:
        for path in paths:
            target = folder / Path(path).name
            if Path(path) != target:
                target.write_bytes(Path(path).read_bytes())
        names = [Path(path).name for path in paths]
        task = importlib.import_module(module).task
        written: list[str] = task(names[0] if len(names) == 1 else names, str(folder), str(folder))
        return written

    branches = []
    for part in call("localpro", [str(sample)]):
        table = call("aggregate", [part])
        branches += call(
            "fusioncenter", call("simpledetector", table) + call("astutedetector", table)
        )
    (verdict,) = call("globalfusion", branches)
    result: dict[str, Any] = json.loads(Path(verdict).read_text("utf-8"))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.path.insert(0, str(SCRIPTS))
    hits: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for number in range(1, given.windows + 1):
        seed = given.seed * 1_000_003 + number
        window = make_window(seed, random_anomalies(seed))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            verdict = detect(write_window(folder, number, window), folder)
        found, truth = essence(verdict["anomalies"]), essence(window.truth)
        hits.update(item[0] for item in truth if item in found)
        missed.update(item[0] for item in truth if item not in found)
        false.update(item[0] for item in found if item not in truth)
        for text, items, others in (("missed", truth, found), ("false alarm", found, truth)):
            for item in items:
                if item not in others:
                    print(f"seed {seed}: {text} {item}")
    print(f"{'kind':<18}{'injected':>9}{'found':>7}{'false':>7}{'recall':>8}{'precision':>11}")
    for kind in (*KINDS, *sorted(false.keys() - set(KINDS)), "all"):
        tp, fn, fp = (
            counter.total() if kind == "all" else counter[kind] for counter in (hits, missed, false)
        )
        recall = f"{tp / (tp + fn):.3f}" if tp + fn else "-"
        precision = f"{tp / (tp + fp):.3f}" if tp + fp else "-"
        print(f"{kind:<18}{tp + fn:>9}{tp:>7}{fp:>7}{recall:>8}{precision:>11}")


if __name__ == "__main__":
    main()
