"""Random timetable problems, and a simulation that plays the worst that the bounds allow."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from jupiter.app import HOME, App, Task, TaskTiming, Timing, Trigger
from jupiter.timetable import Timetable
from scheduler.timetable_problem import TimetableProblem


def make_app(tasks: dict[str, Task], ingress: tuple[str, ...], period_ns: int) -> App:
    """An app of these tasks, and nothing on disk."""
    return App(
        name="demo",
        folder=Path("demo"),
        scripts=Path("demo"),
        config=Path("demo/app.yaml"),
        sample_input=None,
        dialect="app.yaml",
        tasks=tasks,
        ingress=ingress,
        timing=Timing(timeline="main", period_ns=period_ns, accuracy_ns=1_000_000),
    )


def random_timetable_problem(seed: int) -> TimetableProblem:
    """Up to 12 stages on up to 4 nodes, most of them time-triggered; a short period."""
    rng = random.Random(seed)
    count, nodes = rng.randint(1, 12), [HOME, "n1", "n2", "n3"][: rng.randint(1, 4)]
    names = [f"t{i}" for i in range(count)]
    children: dict[str, list[str]] = {name: [] for name in names}
    ingress = []
    for i, name in enumerate(names):
        parents = [other for other in names[:i] if rng.random() < 0.35]
        for parent in parents:
            children[parent].append(name)
        if not parents or rng.random() < 0.1:
            ingress.append(name)
    tasks = {
        name: Task(
            name,
            name,
            tuple(children[name] or [HOME]),
            cores=rng.choice([1.0, 1.0, 0.5]),
            trigger=rng.choice([Trigger.TIME, Trigger.TIME, Trigger.EVENT]),
            timing=TaskTiming(offset_ns=rng.randint(0, 4000) if rng.random() < 0.05 else None),
        )
        for name in names
    }
    edges = [(a, b) for a in names for b in children[a]] + [
        (HOME, name)
        for name in ingress
        if tasks[name].trigger is Trigger.EVENT or rng.random() < 0.7
    ]
    return TimetableProblem(
        app=make_app(tasks, tuple(ingress), rng.randint(300, 3000)),
        placement={name: rng.choice(nodes) for name in names},
        budgets_ns={name: rng.randint(0, 300) for name in names},
        transfer_ns={edge: rng.randint(0, 200) for edge in edges},
        late_ns={node: rng.randint(0, 100) for node in nodes} | {HOME: rng.randint(0, 30)},
        early_ns={node: rng.randint(0, 100) for node in nodes} | {HOME: rng.randint(0, 30)},
        wake_lateness_ns={node: rng.randint(0, 50) for node in nodes} | {HOME: 5},
        drift_ppb=rng.choice([0, 50_000, 20_000_000]),
        cores={node: rng.choice([1.0, 2.0]) for node in nodes},
        lead_ns=rng.choice([0, 0, 500]),
    )


@dataclass
class Clock:
    """A clock within its bounds: true time of an instant = instant + error(instant).

    The error swings between -early and late as fast as the drift limit lets it.
    """

    early: int
    late: int
    drift: float
    phase: float

    def true(self, instant: float) -> float:
        width = self.late + self.early
        if width == 0 or self.drift == 0:
            return instant - self.early + self.phase * width
        position = (instant * self.drift + self.phase * 2 * width) % (2 * width)
        return instant - self.early + (position if position < width else 2 * width - position)


def broken_promises(
    problem: TimetableProblem, timetable: Timetable, seed: int, periods: int = 3
) -> list[str]:
    """Play some jobs with extreme clocks, budgets, wake-ups; name every stage that lacked its input
    or its core."""
    rng = random.Random(seed)
    extreme = rng.choice([(0.0,), (1.0,), (0.0, 1.0), (0.0, 0.3, 1.0)])
    clocks = {
        node: Clock(
            problem.early_ns[node],
            problem.late_ns[node],
            problem.drift_ppb / 1e9,
            rng.choice([0.0, 0.5, 1.0, rng.random()]),
        )
        for node in problem.late_ns
    }
    broken = []
    busy: dict[str, list[tuple[float, float, str]]] = {}
    for job in range(periods):
        release = job * timetable.period_ns
        done: dict[str, float] = {}
        for name, parents in problem.parents.items():
            node = problem.placement[name]
            arrived = []
            for parent in parents:
                if parent == HOME:
                    hop = problem.transfer(HOME, name)
                    if hop is None:
                        continue
                    sent = clocks[HOME].true(release - problem.lead_ns)
                    sent += rng.choice(extreme) * problem.wake_lateness_ns[HOME]
                else:
                    hop, sent = problem.transfer(parent, name), done[parent]
                assert hop is not None
                arrived.append(sent + rng.choice(extreme) * hop)
            ready = max(arrived, default=release)
            wake = rng.choice(extreme) * problem.wake_lateness_ns[node]
            budget = rng.choice(extreme) * problem.budget_ns(name)
            if name in timetable.slots:
                start = clocks[node].true(release + timetable.slots[name].offset_ns) + wake
                if arrived and start < ready - 1e-3:
                    broken.append(f"{name}#{job} starts {ready - start} ns before its input")
                busy.setdefault(node, []).append((start, start + budget, name))
            else:
                start = ready + wake
            done[name] = start + budget
    for node, windows in busy.items():
        for start, end, name in windows:
            if end <= start:
                continue
            used = sum(
                problem.app.tasks[other].cores
                for begin, finish, other in windows
                if begin <= start + 1e-3 and finish > start + 2e-3
            )
            if used > problem.cores_of(node):
                broken.append(f"{name} finds {node} busy at {start}: {used} cores")
    return broken
