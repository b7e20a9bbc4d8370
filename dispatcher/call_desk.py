"""Makes the calls that the brain wants, and turns their outcomes into events for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dispatcher.content import Content, ContentTooLargeError
from dispatcher.dead_letter import bury
from dispatcher.event_log import EventLog
from dispatcher.executor_pool import ExecutorPool
from dispatcher.executors.base import Call, Outcome
from dispatcher.instance import Instance, State
from dispatcher.node_clock import NodeClock
from dispatcher.node_commands import ReportFailure, StartCall
from dispatcher.node_events import CallFailed, CallSucceeded, Event
from dispatcher.routing import RoutingError, route_outputs
from dispatcher.spool import Made
from jupiter.app import Executor
from jupiter.events import Arrival, Firing, TaskDone, TaskFailed


class CallDesk:
    """All calls of one node.

    keep(record, payload) spools outputs; tell(event) is the brain's ear; notice(level, text)
    reaches the operator. Once is_stopped, outcomes are dropped: the inputs are in the spool, and
    the call is made again after a restart.
    """

    def __init__(
        self,
        node: str,
        clock: NodeClock,
        log: EventLog,
        executors: ExecutorPool,
        *,
        dead_letters: Path,
        keep: Callable[[Made, bytes], object],
        tell: Callable[[Event], None],
        notice: Callable[[str, str], None],
    ) -> None:
        self._node = node
        self._clock = clock
        self._log = log
        self._executors = executors
        self._dead_letters = dead_letters
        self._keep = keep
        self._tell = tell
        self._notice = notice
        self.is_stopped = False

    def start(self, command: StartCall) -> None:
        """Run the task on the instance's inputs."""
        instance = command.instance
        call = Call(
            task=instance.stage.name,
            job=instance.job,
            attempt=instance.attempt,
            by_parent=[
                (parent, instance.arrived[parent].content.files())
                for parent in instance.stage.parents
            ],
            firing=None if instance.firing is None else as_task_sees(instance.firing),
        )
        self._executors[instance.stage.name].submit(
            call, lambda _, outcome: self._ended(instance, outcome)
        )

    def _ended(self, instance: Instance, outcome: Outcome) -> None:
        if self.is_stopped:
            outcome.release()
            return
        index, task = instance.index, instance.stage.name
        if instance.state is not State.RUNNING:
            outcome.release()
            self._tell(CallFailed(index, task, "its job has ended"))
            return
        reason = outcome.reason
        routed: list[tuple[str, Content]] = []
        if outcome.ok:
            try:
                routed = _route(instance, outcome)
            except (RoutingError, ContentTooLargeError, OSError) as error:
                reason = str(error)
        outcome.release()
        if reason:
            self._tell(CallFailed(index, task, reason, outcome))
            return
        self._log_done(instance, outcome, routed)
        if instance.stage.executor != Executor.STREAMING:
            # A fresh process is dear, bytes in the spool are cheap. Streaming stages repeat.
            made = tuple((child, content.entries) for child, content in routed)
            self._keep(
                Made(instance.job, index, task, instance.release_ns, made),
                b"".join(content.payload for _, content in routed),
            )
        self._tell(CallSucceeded(index, task, routed))

    def _log_done(
        self, instance: Instance, outcome: Outcome, routed: list[tuple[str, Content]]
    ) -> None:
        ended = self._clock.stamp_at(outcome.ended_ns)
        started = self._clock.stamp_at(outcome.started_ns)
        self._log.add(
            TaskDone(
                node=self._node,
                at=ended,
                job=instance.job,
                task=instance.stage.name,
                attempt=instance.attempt,
                ready=instance.ready_at or started,
                started=started,
                ended=ended,
                arrivals=[
                    Arrival(
                        parent,
                        arrived.delivery.source,
                        len(arrived.delivery.files),
                        len(arrived.content.payload),
                        arrived.delivery.sent,
                        arrived.received,
                    )
                    for parent, arrived in instance.arrived.items()
                ],
                outputs={child: len(content.payload) for child, content in routed},
                firing=instance.firing,
                peak_memory_bytes=outcome.peak_memory_bytes,
            )
        )

    def report_failure(self, command: ReportFailure) -> None:
        """Log a failure; the last one of an instance becomes a dead letter."""
        instance = command.instance
        outcome: Outcome | None = command.outcome
        stderr_tail = outcome.stderr_tail if outcome is not None else ""
        self._log.add(
            TaskFailed(
                node=self._node,
                at=self._clock.stamp(),
                job=instance.job,
                task=instance.stage.name,
                attempt=instance.attempt,
                reason=command.reason,
                exit_code=outcome.exit_code if outcome is not None else None,
                stderr_tail=stderr_tail,
                retried=command.retried,
            )
        )
        if command.retried:
            return
        try:
            bury(self._dead_letters, instance, command.reason, stderr_tail)
        except OSError as error:
            self._notice("error", f"the dead letter of {instance.job} can't be kept: {error}")


def as_task_sees(firing: Firing) -> dict[str, int | str]:
    """A time-triggered call's own instant, as its task gets it (docs/task_contract.md)."""
    return {
        "planned_ns": firing.planned_ns,
        "estimate_ns": firing.woke.estimate_ns,
        "earliest_ns": firing.woke.earliest_ns,
        "latest_ns": firing.woke.latest_ns,
        "status": firing.status,
    }


def _route(instance: Instance, outcome: Outcome) -> list[tuple[str, Content]]:
    stage = instance.stage
    routed = route_outputs(
        stage.name,
        stage.output_policy,
        stage.children,
        outcome.outputs,
        may_be_empty=stage.executor == Executor.STREAMING,
    )
    made: dict[tuple[int, ...], Content] = {}  # children that get the same files share them
    contents = []
    for child, files in routed:
        key = tuple(map(id, files))
        if key not in made:
            made[key] = Content.of(files)
        contents.append((child, made[key]))
    return contents
