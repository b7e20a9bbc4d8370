"""Short words for the tests of brains: stages, deliveries, commands."""

from __future__ import annotations

from typing import Any

from dispatcher import node_brain as brain
from dispatcher.messages import Delivery, StagePlan, Tombstone
from dispatcher.node_brain import Command, Instance, NodeBrain
from dispatcher.time_trigger import TimeTrigger, Woke
from jupiter.events import Stamp
from jupiter.timetable import Slot, Timetable

START_NS = 1_000
PERIOD_NS = 100


def stamp(at_ns: int = 0) -> Stamp:
    return Stamp(at_ns, at_ns, at_ns, at_ns)


def stage(name: str = "s", parents: str = "a", children: str = "c", **options: Any) -> StagePlan:
    """parents and children: one letter each."""
    return StagePlan(
        name=name,
        module=name,
        parents=tuple(parents),
        children=tuple(children),
        output_policy="broadcast",
        executor=options.pop("executor", "isolated"),
        **options,
    )


def delivery(
    index: int,
    parent: str = "a",
    child: str = "s",
    tombstone: Tombstone | None = None,
    job: str = "",
) -> Delivery:
    return Delivery(
        job=job or f"job-{index}",
        index=index,
        parent=parent,
        child=child,
        source="n",
        files=(),
        crc32=0,
        sent=stamp(),
        tombstone=tombstone,
    )


def trigger(
    policies: dict[str, str], *, jobs: int = 10, accuracy_ns: int = 50, offset_ns: int = 0
) -> TimeTrigger:
    slots = {task: Slot(task, "n", offset_ns, 0) for task in policies}
    return TimeTrigger(
        Timetable("t", PERIOD_NS, slots),
        start_ns=START_NS,
        jobs=jobs,
        accuracy_ns=accuracy_ns,
        policies=policies,
        job_of=lambda index: f"job-{index}",
    )


class Bench:
    """A brain whose answers are kept in short form."""

    def __init__(
        self, *stages: StagePlan, parallel_calls: int = 2, trigger: TimeTrigger | None = None
    ) -> None:
        self.brain = NodeBrain(list(stages), parallel_calls=parallel_calls, trigger=trigger)
        self.calls: dict[tuple[int, str], Instance] = {}

    def deliver(self, index: int, parent: str = "a", child: str = "s", **options: Any) -> list[str]:
        made = delivery(index, parent, child, **options)
        return self.handle(brain.Delivered(made, f"{parent}{index}", stamp()))

    def succeed(self, index: int, task: str = "s", children: str = "c") -> list[str]:
        outputs = [(child, f"{task}{index}") for child in children]
        return self.handle(brain.CallSucceeded(index, task, outputs))

    def fail(self, index: int, task: str = "s", reason: str = "why") -> list[str]:
        return self.handle(brain.CallFailed(index, task, reason))

    def acknowledge(self, index: int, task: str = "s", child: str = "c") -> list[str]:
        return self.handle(brain.DeliveryAcknowledged(index, task, child))

    def instant(self, index: int, task: str = "s", **woke: Any) -> list[str]:
        at_ns = START_NS + index * PERIOD_NS
        made = Woke(stamp(at_ns), 0, "synchronized")
        for name, value in woke.items():
            setattr(made, name, value)
        return self.handle(brain.InstantCame(task, index, made))

    def handle(self, event: Any) -> list[str]:
        return [self._short(command) for command in self.brain.handle(event)]

    def _short(self, command: Command) -> str:
        match command:
            case brain.StartCall(instance):
                self.calls[instance.index, instance.stage.name] = instance
                return f"start {instance.stage.name}{instance.index}"
            case brain.Send(instance, child, content, tombstone):
                what = content if tombstone is None else f"tombstone of {tombstone.task}"
                return f"send {child}: {what}"
            case brain.Retire(index, task):
                return f"retire {task}{index}"
            case brain.RetryLater(index, task, delay_ns):
                return f"retry {task}{index} after {delay_ns // 1_000_000} ms"
            case brain.ReportFailure(instance, reason, retried):
                return f"failed {instance.stage.name}{instance.index}: {reason}, {retried=}"
            case brain.WatchInstant(task, index, at_ns):
                return f"watch {task}{index} at {at_ns}"
            case brain.Warn(text):
                return f"warn {text}"
        raise AssertionError(command)

    def inputs(self, index: int, task: str = "s") -> dict[str, Any]:
        """What the call that was started last for this instance got, by parent."""
        return {
            parent: arrived.content for parent, arrived in self.calls[index, task].arrived.items()
        }
