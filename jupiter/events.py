"""The event log of a run: one JSON line per event, each a typed record.

A run's folder can be turned into every report from these lines alone. Each node appends to its own
log; the roof gathers them into ``events.jsonl`` of the run folder. Lines of one node are in order;
lines of different nodes are ordered by their stamps only as far as the intervals allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """An Instant in the log: ns on the run's timeline, and the clock that made it.

    core_ns is CLOCK_MONOTONIC of the machine at that moment. On one machine it is the hidden truth
    that emulated clocks are judged by; it is never used to run anything.
    """

    estimate_ns: int
    earliest_ns: int
    latest_ns: int
    core_ns: int


class Event(msgspec.Struct, frozen=True, tag_field="event", kw_only=True, omit_defaults=True):
    """What every event has. node is the node that wrote it; "roof" for the orchestrator."""

    node: str
    at: Stamp | None = None


class Phase(Event, frozen=True, kw_only=True, tag="phase"):
    """The run entered a phase: start, sync, profile, schedule, deploy, stream, stop.

    core_ns is CLOCK_MONOTONIC of the orchestrator's machine.
    """

    name: str
    detail: str = ""
    unix_ns: int
    core_ns: int | None = None


class NodeStarted(Event, frozen=True, kw_only=True, tag="node_started"):
    """A node process is ready; restarts counts from 0."""

    pid: int
    restarts: int = 0


class NodeLost(Event, frozen=True, kw_only=True, tag="node_lost"):
    """A node process ended though nobody asked it to. lost is its name."""

    lost: str
    pid: int
    reason: str


class JobReleased(Event, frozen=True, kw_only=True, tag="job_released"):
    """A job entered at home. release_ns is its planned instant when the app is periodic."""

    job: str
    index: int
    files: list[str]
    size_bytes: int
    release_ns: int | None = None


class Arrival(msgspec.Struct, frozen=True, array_like=True):
    """One delivery that a stage got: from which task and node, how large, sent and received when.

    A delivery on one node has sent == received in the sender's and receiver's own reading.
    """

    parent: str
    source: str
    files: int
    size_bytes: int
    sent: Stamp
    received: Stamp


class Firing(msgspec.Struct, frozen=True):
    """How a time-triggered stage kept its instant.

    verdict: on_time, late (fired after its instant because inputs were missing), missed_input
    (skipped or held), invalid (the interval at wake-up was wider than the accuracy demanded).
    late_ns is the wake-up lateness: how long after the wanted core instant the wait returned.
    """

    planned_ns: int
    woke: Stamp
    late_ns: int
    verdict: str
    status: str


class TaskDone(Event, frozen=True, kw_only=True, tag="task_done"):
    """A stage finished one job. ready: the last input was there; started, ended: the call."""

    job: str
    task: str
    attempt: int
    ready: Stamp
    started: Stamp
    ended: Stamp
    arrivals: list[Arrival]
    outputs: dict[str, int]
    """Bytes to each child."""
    firing: Firing | None = None
    peak_memory_bytes: int = 0


class TaskFailed(Event, frozen=True, kw_only=True, tag="task_failed"):
    """A call failed. reason in words; retried tells whether another attempt follows."""

    job: str
    task: str
    attempt: int
    reason: str
    exit_code: int | None = None
    stderr_tail: str = ""
    retried: bool = False


class JobDone(Event, frozen=True, kw_only=True, tag="job_done"):
    """All sinks of a job reached home. outputs are paths below the run's outputs folder.

    released is None when home was restarted in between; the JobReleased event has it then.
    """

    job: str
    released: Stamp | None = None
    outputs: dict[str, int]


class JobFailed(Event, frozen=True, kw_only=True, tag="job_failed"):
    """A job will not complete: task and reason say where and why."""

    job: str
    released: Stamp | None = None
    task: str
    reason: str


class ServiceStarted(Event, frozen=True, kw_only=True, tag="service_started"):
    service: str
    pid: int
    restarts: int = 0


class ServiceExited(Event, frozen=True, kw_only=True, tag="service_exited"):
    service: str
    exit_code: int | None
    stderr_tail: str = ""


class QotChanged(Event, frozen=True, kw_only=True, tag="qot_changed"):
    """The delivered quality of time crossed the demanded one, or the status changed."""

    timeline: str
    status: str
    delivered_ns: int
    demanded_ns: int
    violated: bool


class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """Something that a person should read."""

    level: str
    text: str


AnyEvent = (
    Phase
    | NodeStarted
    | NodeLost
    | JobReleased
    | TaskDone
    | TaskFailed
    | JobDone
    | JobFailed
    | ServiceStarted
    | ServiceExited
    | QotChanged
    | Notice
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode_event(event: AnyEvent) -> bytes:
    """One JSON line, newline included."""
    return _encoder.encode(event) + b"\n"


def decode_event(line: bytes | str) -> AnyEvent:
    """The inverse of :func:`encode_event`. Raises msgspec.DecodeError for anything else."""
    return _decoder.decode(line)


def decode_events(lines: Iterable[bytes]) -> Iterator[AnyEvent]:
    """Decode complete lines; a last line that a crash cut off is left out."""
    for line in lines:
        if line.endswith(b"\n"):
            yield _decoder.decode(line)


def read_events(path: Path) -> Iterator[AnyEvent]:
    """Every event of a log file, in the order it was written."""
    with path.open("rb") as log:
        yield from decode_events(log)
