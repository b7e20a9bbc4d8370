"""How long until the first output of ``hello``, and what an idle node costs.

    python benchmarks/start_and_memory.py [--rounds 5]

The time is from the start of the ``jupiter run`` process to the first job done at home: imports,
checks, node processes, clock synchronisation, profiling, scheduling and deployment are in it.
Memory is that of one node process that has been told nothing yet (RSS, and USS: what is its own).
Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from pathlib import Path

from runs import run_jupiter, write_nodes

from clusters.local import LocalCluster
from jupiter.events import JobDone, NodeStarted, decode_events

HELLO = Path(__file__).resolve().parents[1] / "task_specific_files" / "hello"


def first_output_s(nodes: int, rounds: int) -> list[float]:
    """Seconds to the first output, for each round."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        names = write_nodes(base / "nodes.txt", nodes)
        for _ in range(rounds):
            run = run_jupiter(HELLO, base / "runs", names)
            done = min(e.at.core_ns for e in run.events if isinstance(e, JobDone) and e.at)
            found.append((done - run.begun_ns) / 1e9)
    return found


async def idle_node_mib() -> dict[str, float]:
    """Memory of a node process and of the time service beside it."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = LocalCluster(["home", "node1"], Path(folder) / "nodes", timeline="run", seed=1)
        await cluster.start()
        try:
            with (Path(folder) / "nodes" / "node1" / "events.jsonl").open("rb") as log:
                pid = next(e.pid for e in decode_events(log) if isinstance(e, NodeStarted))
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return _memory("node", pid) | _memory("time_service", int(children[0]))
        finally:
            await cluster.stop()


def _memory(name: str, pid: int) -> dict[str, float]:
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value = line.split(":")
        sizes[key] = int(value.split()[0]) / 1024
    own = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return {f"{name}_rss_mib": round(sizes["Rss"], 1), f"{name}_uss_mib": round(own, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    four, eight = first_output_s(4, rounds), first_output_s(8, rounds)
    figures = {
        "first_output_4_nodes_s": round(statistics.median(four), 2),
        "first_output_4_nodes_worst_s": round(max(four), 2),
        "first_output_8_nodes_s": round(statistics.median(eight), 2),
        "first_output_8_nodes_worst_s": round(max(eight), 2),
        **asyncio.run(idle_node_mib()),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
