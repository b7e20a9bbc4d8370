"""What a timetable is made from, checked: the app's timing, a placement, budgets and bounds.

Words of DESIGN rule 7, per stage b with parent a::

    r_b ≥ max over parents ( r_a + C_a + X_ab + J_a + late_A + early_B )

r is the offset on the timeline, C the budget, X the transfer, J the wake-up lateness of the node,
late and early the two sides of a clock's bound at the firing horizon. When both stages read the
same clock the ε terms shrink to drift × (r_b − r_a). A stage that is triggered by its inputs has no
instant: it counts with its J, C and X in the chain between two instants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from jupiter.app import HOME, App, Timing, Trigger
from jupiter.errors import InputError, raise_input_errors

Transfers = Mapping[tuple[str, str], int] | Callable[[str, str], int | None]


@dataclass(frozen=True)
class TimetableProblem:
    """The input of :func:`scheduler.timetable.solve` and of the verifier. Times in ns.

    placement           task → node, for every task
    budgets_ns          task → C, for every task whose author gave none
    transfer_ns         (parent, child) → X; (home, ingress) may be left out (or None) for a
                        time-triggered ingress: it needs nothing from home
    late_ns, early_ns   node → how far a clock may be behind / ahead, for every node in use, and for
                        home where something comes from it
    wake_lateness_ns    node → J
    drift_ppb           how fast two readings of one clock may drift apart from true time
    cores               node → how much runs there at once; a node left out has 1
    lead_ns             how long before a job's release home begins to send its inputs

    Raises InputError for what is missing, negative or unknown.
    """

    app: App
    placement: Mapping[str, str]
    budgets_ns: Mapping[str, int]
    transfer_ns: Transfers
    late_ns: Mapping[str, int]
    early_ns: Mapping[str, int]
    wake_lateness_ns: Mapping[str, int]
    drift_ppb: int = 50_000
    cores: Mapping[str, float] | None = None
    lead_ns: int = 0

    def __post_init__(self) -> None:
        if self.app.timing is None:
            raise InputError(
                "the app has no timing",
                "add timing: with timeline, period and accuracy",
                file=self.app.config,
                field="timing",
            )
        errors: list[InputError] = []
        if not 0 <= self.drift_ppb < 10**9:
            errors.append(
                _error(f"the drift is {self.drift_ppb} ppb", "give 0 to 999999999", "drift_ppb")
            )
        if self.lead_ns < 0:
            errors.append(_error(f"the lead is {self.lead_ns} ns", "give 0 or more", "lead_ns"))
        for name in self.app.tasks:
            if name not in self.placement:
                errors.append(
                    _error(f"{name!r} has no node", "add it to the placement", "placement")
                )
            elif self._budget(name) is None:
                errors.append(
                    _error(f"no budget of {name!r}", "give it one, or profile it", "budgets_ns")
                )
            elif self.budget_ns(name) < 0:
                errors.append(
                    _error(f"the budget of {name!r} is negative", "give 0 or more", "budgets_ns")
                )
        raise_input_errors(errors)
        self._check_nodes(errors)
        self._check_transfers(errors)
        raise_input_errors(errors)

    def _check_nodes(self, errors: list[InputError]) -> None:
        nodes = dict.fromkeys(self.placement[name] for name in self.app.tasks)
        if any(self.transfer(HOME, child) is not None for child in self.app.ingress):
            nodes[HOME] = None
        for field in ("late_ns", "early_ns", "wake_lateness_ns"):
            values: Mapping[str, int] = getattr(self, field)
            for node in nodes:
                if node not in values:
                    errors.append(
                        _error(f"no value for node {node!r}", "give one for every node", field)
                    )
                elif values[node] < 0:
                    errors.append(_error(f"{values[node]} for {node!r}", "give 0 or more", field))
        for node in nodes:
            if not self.cores_of(node) > 0:
                errors.append(_error(f"{node!r} has no core", "give more than 0", "cores"))
        for name, task in self.app.tasks.items():
            have = self.cores_of(self.placement[name])
            if task.cores > have:
                seen = f"{name!r} needs {task.cores:g} cores, {self.placement[name]!r} has {have:g}"
                errors.append(_error(seen, "place it on a larger node", f"tasks.{name}.cores"))

    def _check_transfers(self, errors: list[InputError]) -> None:
        for child, parents in self.parents.items():
            for parent in parents:
                time = self.transfer(parent, child)
                if time is None and not (parent == HOME and child in self.timed):
                    seen = f"no transfer time for {parent} → {child}"
                    errors.append(_error(seen, "give it for every edge", "transfer_ns"))
                elif time is not None and time < 0:
                    seen = f"{time} ns for {parent} → {child}"
                    errors.append(_error(seen, "give 0 or more", "transfer_ns"))

    @property
    def timing(self) -> Timing:
        """The app's timing, which is there."""
        assert self.app.timing is not None
        return self.app.timing

    @cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """Task → its parents, HOME first for an ingress, tasks in topological order.

        Raises InputError for a cycle.
        """
        parents: dict[str, list[str]] = {name: [] for name in self.app.tasks}
        for name in self.app.ingress:
            parents[name].append(HOME)
        for parent, child in self.app.edges:
            parents[child].append(parent)
        done = {HOME}
        ordered: dict[str, tuple[str, ...]] = {}
        missing = {name: len(above) for name, above in parents.items()}
        children: dict[str, list[str]] = {name: [] for name in (HOME, *parents)}
        for child, above in parents.items():
            for parent in above:
                children[parent].append(child)
        queue = [HOME, *(name for name, above in parents.items() if not above)]
        for name in queue:
            if name != HOME:
                ordered[name] = tuple(parents[name])
            done.add(name)
            for child in children[name]:
                missing[child] -= 1
                if missing[child] == 0:
                    queue.append(child)
        if len(ordered) < len(parents):
            stuck = ", ".join(name for name in parents if name not in done)
            raise InputError(
                f"these tasks wait for each other for ever: {stuck}",
                "remove one of the edges among them; a DAG has no cycle",
                file=self.app.config,
                line=self.app.tasks[next(name for name in parents if name not in done)].line,
                field="tasks",
            )
        return ordered

    @cached_property
    def timed(self) -> tuple[str, ...]:
        """The time-triggered tasks, in topological order."""
        return tuple(n for n in self.parents if self.app.tasks[n].trigger is Trigger.TIME)

    def node(self, task: str) -> str:
        """Where a task is; HOME is at home."""
        return HOME if task == HOME else self.placement[task]

    def budget_ns(self, task: str) -> int:
        """C: what the author gave, else what was measured; 0 for HOME."""
        return self._budget(task) or 0

    def _budget(self, task: str) -> int | None:
        if task == HOME:
            return 0
        given = self.app.tasks[task].timing.budget_ns
        return given if given is not None else self.budgets_ns.get(task)

    def transfer(self, parent: str, child: str) -> int | None:
        """X; None where the caller left it out."""
        if callable(self.transfer_ns):
            return self.transfer_ns(parent, child)
        return self.transfer_ns.get((parent, child))

    def cores_of(self, node: str) -> float:
        """How much runs on a node at once; 1 where nothing else is said."""
        return 1.0 if self.cores is None else self.cores.get(node, 1.0)

    def local_ns(self, duration_ns: int) -> int:
        """The longest that ``duration_ns`` of true time may last on a node's clock, rounded up."""
        rate = 10**9 - self.drift_ppb
        return -(-duration_ns * 10**9 // rate)

    def window_ns(self, task: str) -> int:
        """How long a stage holds its node, counted from its offset: J + C on the node's clock."""
        return self.local_ns(self.wake_lateness_ns[self.node(task)] + self.budget_ns(task))


def _error(seen: str, fix: str, field: str) -> InputError:
    return InputError(seen, fix, field=field)
