"""HEFT: Heterogeneous Earliest Finish Time.

H. Topcuoglu, S. Hariri, M.-Y. Wu, "Performance-effective and low-complexity task scheduling for
heterogeneous computing", IEEE TPDS 13(3), 2002, doi 10.1109/71.993206.

Tasks by falling upward rank, each on the node where it finishes first, gaps included. It minimises
the makespan of *one* job: for a stream it may put everything on one fast node, and then the period
is the sum of all costs. That is HEFT; a scheduler for throughput is another file.
"""

from __future__ import annotations

from scheduler.list_schedule import ListSchedule
from scheduler.problem import Problem
from scheduler.rank import by_upward_rank
from scheduler.registry import scheduler
from scheduler.schedule import Schedule


@scheduler("heft")
def heft(problem: Problem) -> Schedule:
    """The HEFT schedule. Equal ranks go in topological order, equal finishes to the first node."""
    plan = ListSchedule(problem)
    for task in by_upward_rank(problem):
        node, start = plan.best(task)
        plan.place(task, node, start)
    return plan.schedule()
