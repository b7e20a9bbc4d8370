"""Does every node's interval hold the truth? Asked of a live run, or of nodes started for that.

The truth of a timeline is what its reference's core clock shows, and on one machine every core
clock is a known function of one CLOCK_MONOTONIC: so a node's interval and the truth are read of the
same moment. Nodes on other machines can't be audited so.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from clusters.local import LocalCluster
from clusters.together import together
from dispatcher.messages import Done, Synchronize
from jupiter.app import HOME
from jupiter.errors import InputError
from jupiter.run_folder import RunFolder
from jupiter.settings import load_settings
from orchestrator.inputs import read_node_list
from orchestrator.timeline_pages import PAGE, ClockPages, timeline_of
from qot.audit import Audit, Report
from qot.clock import SECOND_NS, monotonic_ns
from qot.timeline import TimelineReader

_BATCH = 20
"""Samples of one node in a row, before the next node's turn."""
_PAUSE_S = 0.002
"""Between two rounds, so that the audit leaves the machine to what it audits."""
_TIMELINE = "audit"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: a report for each node but the reference, which is right by definition."""

    reference: str
    reports: list[Report]


def audit_pages(folders: Mapping[str, Path], reference: str, duration_s: float) -> Found:
    """Sample every node's page for a while. Raises PageError."""
    with ExitStack() as stack:
        readers = {
            node: stack.enter_context(TimelineReader(folder / PAGE))
            for node, folder in folders.items()
        }
        truth_at = readers[reference].clock.from_monotonic_ns
        audits = {node: Audit(node) for node in readers if node != reference}
        end_ns = monotonic_ns() + round(duration_s * SECOND_NS)
        while monotonic_ns() < end_ns:
            for node, audit in audits.items():
                for _ in range(_BATCH):
                    at_ns = monotonic_ns()
                    audit.add(readers[node].at_monotonic(at_ns), truth_at(at_ns))
            time.sleep(_PAUSE_S)
        return Found(reference, [audit.report() for audit in audits.values()])


def audit_run(folder: RunFolder, duration_s: float) -> Found:
    """Audit the nodes of a run that goes on. Raises InputError when it does not, or not here."""
    facts = timeline_of(folder)
    if not folder.read_lock().one_machine:
        raise InputError(
            f"the nodes of {facts.run} are on several machines, where no truth is known",
            "audit nodes of this machine: leave RUN out",
        )
    if not ClockPages(facts.folders).is_live():
        raise InputError(
            f"{facts.run} has ended, nobody renews its clock pages",
            "name a run that is going on, or leave RUN out to start nodes for the audit alone",
        )
    return audit_pages(facts.folders, facts.reference, duration_s)


def audit_new_nodes(nodes: Path | None, config: Path | None, seed: int, duration_s: float) -> Found:
    """Start the nodes of nodes.txt, synchronise them, audit, and stop them. Raises InputError."""
    listed, _ = read_node_list(nodes, load_settings(config))
    names = [HOME, *(name for name in listed if name != HOME)]
    if len(names) == 1:
        raise InputError("home alone has nobody to agree with", "list another node in nodes.txt")
    return asyncio.run(_audit_cluster(names, seed, duration_s))


async def _audit_cluster(names: list[str], seed: int, duration_s: float) -> Found:
    with tempfile.TemporaryDirectory(prefix="jupiter-audit-") as folder:
        cluster = LocalCluster(names, Path(folder) / "nodes", timeline=_TIMELINE, seed=seed)
        await cluster.start()
        try:
            host, udp_port = cluster.reference
            order = Synchronize(host=host, udp_port=udp_port)
            await together(*(handle.ask(order, Done) for handle in cluster.nodes.values()))
            folders = {name: Path(folder) / "nodes" / name for name in names}
            return await asyncio.to_thread(audit_pages, folders, HOME, duration_s)
        finally:
            await cluster.stop()
