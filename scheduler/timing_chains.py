"""Chains: the longest ways from one planned instant to the next through event-triggered stages.

An *anchor* is what a chain begins with: a time-triggered stage, or home's release of the job. The
end of an event-triggered stage in true time is at most the largest ``anchor + late + delay`` over
the anchors above it, because waiting for inputs is a maximum and everything else a sum.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupiter.app import HOME
from scheduler.timetable_problem import TimetableProblem


@dataclass(frozen=True, slots=True)
class Chain:
    """From ``anchor`` to a stage's input, the last hop from ``parent``. In ns of true time.

    delay_ns holds every J, C and X between the two instants; work_ns the C and X alone.
    """

    anchor: str
    parent: str
    delay_ns: int
    work_ns: int


def chains(problem: TimetableProblem) -> dict[str, list[Chain]]:
    """Task → one Chain per anchor that its inputs hang on, the longest."""
    timed = set(problem.timed)
    found: dict[str, list[Chain]] = {}
    for task, parents in problem.parents.items():
        best: dict[str, Chain] = {}
        for parent in parents:
            hop = problem.transfer(parent, task)
            if hop is None:
                continue
            own = problem.budget_ns(parent)
            jitter = problem.wake_lateness_ns[problem.node(parent)]
            if parent == HOME or parent in timed:
                above = [Chain(parent, parent, 0, 0)]
            else:
                above = found[parent]
            for chain in above:
                delay = chain.delay_ns + jitter + own + hop
                work = chain.work_ns + own + hop
                old = best.get(chain.anchor)
                if old is None or delay > old.delay_ns:
                    best[chain.anchor] = Chain(
                        chain.anchor, parent, delay, max(work, old.work_ns if old else 0)
                    )
                elif work > old.work_ns:
                    best[chain.anchor] = Chain(chain.anchor, old.parent, old.delay_ns, work)
        found[task] = list(best.values())
    return found


def safe_offset_ns(problem: TimetableProblem, task: str, chain: Chain, anchor_ns: int) -> int:
    """The least offset of ``task`` at which its input through ``chain`` is there for certain."""
    source, target = problem.node(chain.anchor), problem.node(task)
    if source == target:
        return anchor_ns + problem.local_ns(chain.delay_ns)
    late = problem.late_ns[source]
    return anchor_ns + chain.delay_ns + late + problem.early_ns[target]
