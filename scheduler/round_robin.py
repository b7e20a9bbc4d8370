"""Round robin: every task on the next node. A baseline that knows nothing of costs."""

from __future__ import annotations

from scheduler.list_schedule import ListSchedule
from scheduler.problem import Problem
from scheduler.registry import scheduler
from scheduler.schedule import Schedule


@scheduler("round_robin")
def round_robin(problem: Problem) -> Schedule:
    """Tasks in topological order, each on the next node that it is allowed on.

    Virtual tasks take no turn.
    """
    plan = ListSchedule(problem)
    nodes = len(problem.nodes)
    turn = 0
    for task in problem.topological_order:
        allowed = problem.allowed[task]
        node = next(n for n in (*range(turn, nodes), *range(turn)) if allowed[n])
        plan.place(task, node, plan.start_on(task, node))
        if not problem.virtual[task]:
            turn = (node + 1) % nodes
    return plan.schedule()
