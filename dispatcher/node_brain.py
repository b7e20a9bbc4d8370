"""What a node decides: join, trigger, retry, retire. No I/O, no clock.

Events in, commands out: ``handle(event) -> commands``. The shell (:mod:`dispatcher.node`) turns
sockets, timers and executors into events and carries the commands out. One *instance* is one stage
of one job:

    waiting ─▶ ready ─▶ running ─▶ sending ─▶ retired
       │                  │  ▲ └─ failed, attempts left ─▶ backing_off ─▶ ready
       └── tombstone ─────┴──────────────────────────────▶ sending (tombstones) ─▶ retired

A time-triggered instance goes from waiting to ready at its instant, see
:mod:`dispatcher.time_trigger`. What an instance owed is retired when every delivery made from it is
acknowledged; until then its inputs stay in the spool, so that a kill at any moment only repeats
work. When the whole job has ended, what is left of it is dropped in whatever state it is.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from dispatcher.instance import Arrived, Instance, State
from dispatcher.messages import Delivery, StagePlan, Tombstone
from dispatcher.node_commands import (
    Command,
    ReportFailure,
    Retire,
    RetryLater,
    Send,
    StartCall,
    Warn,
    WatchInstant,
)
from dispatcher.node_events import (
    CallFailed,
    CallSucceeded,
    Delivered,
    DeliveryAcknowledged,
    Event,
    InstantCame,
    JobsEnded,
    OutputsRecovered,
    RetryDue,
    StageRetired,
)
from dispatcher.time_trigger import TimeTrigger

RETRY_FIRST_DELAY_NS = 100_000_000


class NodeBrain:
    """The state of all stages placed on one node.

    parallel_calls bounds how many isolated calls run at once; the others queue in their worker.
    """

    def __init__(
        self,
        stages: list[StagePlan],
        *,
        parallel_calls: int,
        trigger: TimeTrigger | None = None,
    ) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._rank = {stage.name: rank for rank, stage in enumerate(stages)}
        self._instances: dict[tuple[int, str], Instance] = {}
        self._retired: set[tuple[int, str]] = set()
        self._below = 0
        self._parallel_calls = parallel_calls
        self._running_calls = 0
        self._queue: list[tuple[int, int, str]] = []
        """Ready isolated instances: (index, rank of the task, task)."""
        self._trigger = trigger
        self._handlers: dict[type, Callable[[Any], list[Command]]] = {
            Delivered: self._delivered,
            CallSucceeded: self._call_succeeded,
            CallFailed: self._call_failed,
            RetryDue: self._retry_due,
            DeliveryAcknowledged: self._acknowledged,
            OutputsRecovered: self._outputs_recovered,
            StageRetired: self._stage_retired,
            JobsEnded: self._jobs_ended,
            InstantCame: self._instant_came,
        }

    def handle(self, event: Event) -> list[Command]:
        """Take one event; return what must be done, in order."""
        return self._handlers[type(event)](event)

    @property
    def below(self) -> int:
        """Every job with a smaller index has ended."""
        return self._below

    @property
    def is_idle(self) -> bool:
        """Nothing is owed and nothing is remembered of any job."""
        return not self._instances and not self._retired and not self._running_calls

    def knows(self, index: int, parent: str, child: str) -> bool:
        """Has this delivery been here before? Then it must not be spooled again."""
        if index < self._below or (index, child) in self._retired:
            return True
        instance = self._instances.get((index, child))
        if instance is None:
            return False
        arrived = instance.arrived.get(parent)
        is_own = arrived is not None and arrived.delivery.index == index
        return is_own or parent in instance.overtaken

    def start_timing(self, now_ns: int) -> list[Command]:
        """The timetable begins (or goes on after a restart) with the timeline at ``now_ns``.

        After a restart, call this before the spool's deliveries are handled.
        """
        if self._trigger is None:
            return []
        return [
            WatchInstant(task, index, at_ns) for task, index, at_ns in self._trigger.first(now_ns)
        ]

    @property
    def queue_length(self) -> int:
        """Instances that wait for inputs, an instant or a free slot, or run."""
        return sum(
            1
            for instance in self._instances.values()
            if instance.state not in (State.SENDING, State.RETIRED)
        )

    # Joining

    def _instance(self, job: str, index: int, task: str, release_ns: int | None) -> Instance:
        key = (index, task)
        instance = self._instances.get(key)
        if instance is None:
            instance = Instance(
                job=job, index=index, stage=self._stages[task], release_ns=release_ns
            )
            self._instances[key] = instance
        return instance

    def _delivered(self, event: Delivered) -> list[Command]:
        delivery = event.delivery
        if self.knows(delivery.index, delivery.parent, delivery.child):
            return []
        problem = self._misdirected(delivery)
        if problem:
            return [Warn(problem)]
        instance = self._instance(delivery.job, delivery.index, delivery.child, delivery.release_ns)
        if delivery.parent in instance.arrived:  # an earlier job's is held in its place
            instance.overtaken.add(delivery.parent)
            return []
        instance.arrived[delivery.parent] = Arrived(delivery, event.content, event.received)
        if instance.state is not State.WAITING:
            return []  # it failed, or was recovered, without this input
        if delivery.tombstone is not None:
            return self._bury(instance, delivery.tombstone)
        if self._trigger is not None:
            skipped = self._trigger.why_skipped(delivery.child, delivery.index)
            if skipped:
                return self._fail_for_good(instance, skipped)
        if instance.is_complete:
            instance.ready_at = event.received
            if self._trigger is not None and instance.stage.time_triggered:
                self._trigger.remember(instance.stage.name, instance.index, instance.arrived)
                firing = self._trigger.completed(instance.stage.name, instance.index)
                if firing is not None:
                    instance.firing = firing.at(event.received)
                elif not self._trigger.is_event_triggered(instance.stage.name):
                    return []
            return self._make_ready(instance)
        return []

    def _misdirected(self, delivery: Delivery) -> str:
        """Why this delivery can't be for an instance of this node, or nothing."""
        stage = self._stages.get(delivery.child)
        if stage is None:
            return f"a delivery for {delivery.child} came to a node that does not host it"
        if delivery.parent not in stage.parents:
            return f"{delivery.parent} sent to {delivery.child}, which is not its child"
        instance = self._instances.get((delivery.index, delivery.child))
        if instance is not None and instance.job != delivery.job:
            return f"{delivery.job} and {instance.job} both have the index {delivery.index}"
        return ""

    # Running

    def _make_ready(self, instance: Instance) -> list[Command]:
        instance.state = State.READY
        if instance.stage.executor != "isolated":
            return [self._start(instance)]
        name = instance.stage.name
        heapq.heappush(self._queue, (instance.index, self._rank[name], name))
        return self._start_waiting_calls()

    def _start_waiting_calls(self) -> list[Command]:
        commands: list[Command] = []
        while self._queue and self._running_calls < self._parallel_calls:
            index, _, task = heapq.heappop(self._queue)
            instance = self._instances.get((index, task))
            if instance is not None and instance.state is State.READY:
                self._running_calls += 1
                commands.append(self._start(instance))
        return commands

    def _start(self, instance: Instance) -> StartCall:
        instance.state = State.RUNNING
        instance.attempt += 1
        return StartCall(instance)

    def _call_ended(self, task: str) -> list[Command]:
        if self._stages[task].executor == "isolated":
            self._running_calls -= 1
            return self._start_waiting_calls()
        return []

    def _call_succeeded(self, event: CallSucceeded) -> list[Command]:
        instance = self._instances.get((event.index, event.task))
        if instance is None:
            return self._call_ended(event.task)
        return self._send(instance, event.outputs) + self._call_ended(event.task)

    def _call_failed(self, event: CallFailed) -> list[Command]:
        instance = self._instances.get((event.index, event.task))
        if instance is None:
            return self._call_ended(event.task)
        if instance.attempt <= instance.stage.retries:
            instance.state = State.BACKING_OFF
            delay_ns = RETRY_FIRST_DELAY_NS * 2 ** (instance.attempt - 1)
            commands: list[Command] = [
                ReportFailure(instance, event.reason, True, event.outcome),
                RetryLater(event.index, event.task, delay_ns),
            ]
        else:
            commands = self._fail_for_good(instance, event.reason, event.outcome)
        return commands + self._call_ended(event.task)

    def _retry_due(self, event: RetryDue) -> list[Command]:
        instance = self._instances.get((event.index, event.task))
        if instance is None or instance.state is not State.BACKING_OFF:
            return []
        return self._make_ready(instance)

    # Sending

    def _send(self, instance: Instance, outputs: list[tuple[str, Any]]) -> list[Command]:
        instance.state = State.SENDING
        instance.unacknowledged = {child for child, _ in outputs}
        return [Send(instance, child, content) for child, content in outputs]

    def _fail_for_good(self, instance: Instance, reason: str, outcome: Any = None) -> list[Command]:
        return [
            ReportFailure(instance, reason, False, outcome),
            *self._bury(instance, Tombstone(instance.stage.name, reason)),
        ]

    def _bury(self, instance: Instance, tombstone: Tombstone) -> list[Command]:
        """Tell everyone who waits for this instance that nothing will come."""
        instance.state = State.SENDING
        children = instance.stage.children
        instance.unacknowledged = set(children)
        return [Send(instance, child, None, tombstone) for child in children]

    def _acknowledged(self, event: DeliveryAcknowledged) -> list[Command]:
        key = (event.index, event.task)
        instance = self._instances.get(key)
        if instance is None:
            return []
        instance.unacknowledged.discard(event.child)
        if instance.unacknowledged or instance.state is not State.SENDING:
            return []
        del self._instances[key]
        self._retired.add(key)
        return [Retire(event.index, event.task)]

    # After a restart

    def _outputs_recovered(self, event: OutputsRecovered) -> list[Command]:
        instance = self._instance(event.job, event.index, event.task, event.release_ns)
        return self._send(instance, event.outputs)

    def _stage_retired(self, event: StageRetired) -> list[Command]:
        self._instances.pop((event.index, event.task), None)
        self._retired.add((event.index, event.task))
        return []

    def _jobs_ended(self, event: JobsEnded) -> list[Command]:
        if event.below <= self._below:
            return []
        self._below = event.below
        self._retired = {key for key in self._retired if key[0] >= event.below}
        for key in [key for key in self._instances if key[0] < event.below]:
            self._instances.pop(key).state = State.RETIRED  # another branch may have failed the job
        if self._trigger is not None:
            self._trigger.forget(event.below)
        return []

    # Time

    def _instant_came(self, event: InstantCame) -> list[Command]:
        assert self._trigger is not None
        if self._trigger.is_event_triggered(event.task):
            return []
        commands = self._fire(event)
        if self._trigger.is_event_triggered(event.task):
            return commands + self._release_waiting(event.task)
        following = self._trigger.after(event.task, event.index)
        if following is not None:
            commands.append(WatchInstant(event.task, *following))
        return commands

    def _fire(self, event: InstantCame) -> list[Command]:
        assert self._trigger is not None
        key = (event.index, event.task)
        instance = self._instances.get(key)
        if event.index < self._below or key in self._retired:
            return []
        if instance is not None and instance.state is not State.WAITING:
            return []
        missing = instance is None or not instance.is_complete
        decision = self._trigger.decide(event.task, event.index, event.woke, missing=missing)
        commands: list[Command] = [Warn(decision.warning)] if decision.warning else []
        if decision.run:
            if instance is None:
                instance = self._instance(
                    self._trigger.job_of(event.index), event.index, event.task, decision.release_ns
                )
            for parent, held in decision.held.items():
                instance.arrived.setdefault(parent, held)
            instance.ready_at = instance.ready_at or event.woke.stamp
            instance.firing = decision.firing
            commands += self._make_ready(instance)
        elif decision.fail and instance is not None:
            commands += self._fail_for_good(instance, decision.fail)
        return commands

    def _release_waiting(self, task: str) -> list[Command]:
        """A stage fell back to its inputs alone: no instant will come for those that have them."""
        commands: list[Command] = []
        for instance in list(self._instances.values()):
            if (
                instance.stage.name == task
                and instance.state is State.WAITING
                and instance.is_complete
            ):
                commands += self._make_ready(instance)
        return commands
