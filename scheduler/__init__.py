"""Which task runs where, and when. Pure: opens no socket, reads no clock."""

from scheduler.heft import heft
from scheduler.problem import Problem
from scheduler.registry import get, names, scheduler
from scheduler.round_robin import round_robin
from scheduler.schedule import Schedule
from scheduler.static import static
from scheduler.verify import Violation, violations

__all__ = [
    "Problem",
    "Schedule",
    "Violation",
    "get",
    "heft",
    "names",
    "round_robin",
    "scheduler",
    "static",
    "violations",
]
