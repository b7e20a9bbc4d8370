"""An app of 800 tasks and 2,300 edges on eight local nodes: loads, checks, schedules and runs.

    python benchmarks/large_app.py [--tasks 800] [--edges 2300] [--jobs 3]

Prints one JSON line: seconds of every phase, and the peak of the memory that all processes of the
run together took from the machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import tempfile
import threading
from pathlib import Path

from runs import run_jupiter, write_nodes

from jupiter.events import JobDone, Phase

_WORK = """
import os


def task(files, pathin, pathout):
    files = [files] if isinstance(files, str) else files
    total = sum(os.path.getsize(os.path.join(pathin, name)) for name in files)
    with open(os.path.join(pathout, os.environ["TASK"] + ".txt"), "w") as out:
        out.write(f"{total}\\n")
"""


def write_app(folder: Path, tasks: int, edges: int, seed: int = 1) -> Path:
    """A layered DAG in Jupiter's own format: one source, one sink, every task in one script."""
    chance = random.Random(seed)
    layers_count = max(3, round(tasks**0.5))
    inner = [f"t{number}" for number in range(1, tasks - 1)]
    each = -(-len(inner) // (layers_count - 2))
    layers = [["t0"], *(inner[i : i + each] for i in range(0, len(inner), each)), [f"t{tasks - 1}"]]
    found: set[tuple[str, str]] = set()
    for above, below in itertools.pairwise(layers):
        found |= {(chance.choice(above), child) for child in below}
        parents = {parent for parent, _ in found}
        found |= {(parent, chance.choice(below)) for parent in above if parent not in parents}
    while len(found) < edges:
        place = chance.randrange(len(layers) - 1)
        found.add((chance.choice(layers[place]), chance.choice(layers[place + 1])))
    children: dict[str, list[str]] = {f"t{number}": [] for number in range(tasks)}
    in_degree = dict.fromkeys(children, 0)
    for parent, child in sorted(found):
        children[parent].append(child)
        in_degree[child] += 1
    lines = [str(tasks)]
    for name, targets in children.items():
        lines.append(f"{name} {max(1, in_degree[name])} true {' '.join(targets or ['home'])}")
    (folder / "scripts").mkdir(parents=True)
    (folder / "configuration.txt").write_text("\n".join(lines) + "\n")
    names = {name: ["work", True] for name in children}
    config = {"taskname_map": names, "exec_profiler": dict.fromkeys(children, True)}
    (folder / "scripts" / "config.json").write_text(json.dumps(config))
    (folder / "scripts" / "work.py").write_text(_WORK)
    (folder / "sample_input").mkdir()
    (folder / "sample_input" / "1.txt").write_text("hello\n")
    return folder


class PeakMemory:
    """Watches how much of the machine's memory is taken, against the moment it began."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._start = self._used_mib()
        self.peak_mib = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @staticmethod
    def _used_mib() -> float:
        facts = dict(
            line.split(":") for line in Path("/proc/meminfo").read_text().splitlines() if line
        )
        total, available = (int(facts[k].split()[0]) for k in ("MemTotal", "MemAvailable"))
        return (total - available) / 1024

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            self.peak_mib = max(self.peak_mib, self._used_mib() - self._start)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=800)
    parser.add_argument("--edges", type=int, default=2300)
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        app = write_app(base / "app", options.tasks, options.edges)
        nodes = write_nodes(base / "nodes.txt", 8)
        with PeakMemory() as memory:
            run = run_jupiter(app, base / "runs", nodes, "--jobs", str(options.jobs))
    phases = [event for event in run.events if isinstance(event, Phase)]
    seconds = {
        f"{phase.name}_s": round((following.unix_ns - phase.unix_ns) / 1e9, 2)
        for phase, following in itertools.pairwise(phases)
    }
    done = sum(isinstance(event, JobDone) for event in run.events)
    figures = {"tasks": options.tasks, "edges": options.edges, "jobs_done": done, **seconds}
    print(json.dumps({**figures, "all_s": run.wall_s, "peak_memory_mib": round(memory.peak_mib)}))


if __name__ == "__main__":
    main()
