"""1,000 jobs of 4 KiB through a chain of five streaming tasks, beside plain TCP in the same run.

    python benchmarks/chain_throughput.py [--jobs 1000] [--size 4096] [--window 64] [--rounds 3]

Ours: five nodes and home as processes, mutual TLS, every delivery on disk before it is
acknowledged, every job's output a file. Theirs: benchmarks/plain_tcp.py, which is none of that.
Rounds alternate; the best of each is compared, since other programs on the machine only ever make
one slower. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from plain_tcp import run_pipeline
from runs import Measured, percentile, run_jupiter, write_nodes

from jupiter.events import JobDone, JobReleased, TaskDone

STAGES = 5

_STAGE = '''
class Stage:
    """Copies its payload once."""

    def __init__(self, context):
        pass

    def process(self, job, inputs):
        (payload,) = inputs.values()
        return bytes(bytearray(payload))
'''


def write_app(folder: Path, size_bytes: int) -> Path:
    """The chain, each task pinned to a node of its own."""
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "copy_stage.py").write_text(_STAGE)
    (folder / "sample_input").mkdir()
    (folder / "sample_input" / "payload.bin").write_bytes(os.urandom(size_bytes))
    lines = ["app: chain", "tasks:"]
    for number in range(1, STAGES + 1):
        inputs = f", inputs: [t{number - 1}]" if number > 1 else ""
        lines.append(
            f"  t{number}: {{module: copy_stage, executor: streaming, node: node{number}{inputs}}}"
        )
    (folder / "app.yaml").write_text("\n".join(lines) + "\n")
    return folder


def jobs_per_second(run: Measured) -> float:
    """From the first release to the last job done, both at home."""
    released = [e.at.core_ns for e in run.events if isinstance(e, JobReleased) and e.at]
    done = [e.at.core_ns for e in run.events if isinstance(e, JobDone) and e.at]
    return len(done) / ((max(done) - min(released)) / 1e9)


def hops_ns(run: Measured) -> list[int]:
    """From the end of a task to the start of the next one: all that we do between two tasks."""
    calls = {(e.job, e.task): e for e in run.events if isinstance(e, TaskDone)}
    return [
        call.started.core_ns - calls[job, f"t{int(task[1:]) - 1}"].ended.core_ns
        for (job, task), call in calls.items()
        if task != "t1"
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours: list[float] = []
    theirs: list[float] = []
    our_hops: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        app = write_app(base / "app", options.size)
        nodes = write_nodes(base / "nodes.txt", STAGES)
        payload = (app / "sample_input" / "payload.bin").read_bytes()
        for _ in range(options.rounds):
            seconds, _ = run_pipeline(STAGES, options.jobs, payload, options.window)
            theirs.append(options.jobs / seconds)
            run = run_jupiter(
                app, base / "runs", nodes, "--jobs", str(options.jobs), window=options.window
            )
            ours.append(jobs_per_second(run))
        _, their_hops = run_pipeline(STAGES, 200, payload, 1)
        alone = run_jupiter(app, base / "runs", nodes, "--jobs", "200", window=1)
        our_hops = [float(hop) for hop in hops_ns(alone)]
    figures = {
        "jobs": options.jobs,
        "size_bytes": options.size,
        "window": options.window,
        "jobs_per_s": round(max(ours)),
        "plain_tcp_jobs_per_s": round(max(theirs)),
        "ratio": round(max(ours) / max(theirs), 3),
        "all_rounds": [round(rate) for rate in ours],
        "plain_tcp_all_rounds": [round(rate) for rate in theirs],
        "one_in_flight_hop_us_p50": round(statistics.median(our_hops) / 1e3),
        "one_in_flight_hop_us_p99": round(percentile(our_hops, 0.99) / 1e3),
        "plain_tcp_hop_us_p50": round(statistics.median(their_hops) / 1e3),
        "plain_tcp_hop_us_p99": round(percentile([float(h) for h in their_hops], 0.99) / 1e3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
