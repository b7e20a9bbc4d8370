"""What nodes say to each other and to the roof: one msgpack header per frame, each a typed record.

Two kinds of connection carry them. *Data*: a node sends deliveries to another, which acknowledges.
*Control*: the roof (the member named :data:`ROOF`) asks a node, and the node answers and reports.
Anything that does not decode into one of these records closes the connection.
"""

from __future__ import annotations

import msgspec

from jupiter.events import Stamp
from jupiter.timetable import Timetable

ROOF = "roof"
"""Name of the orchestrator in its certificate. No node may be called so."""


class FileEntry(msgspec.Struct, frozen=True, array_like=True):
    name: str
    size_bytes: int


class Tombstone(msgspec.Struct, frozen=True, array_like=True):
    """Instead of files: the job failed at ``task``, and nothing will come on this edge."""

    task: str
    reason: str


class Data(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of the records of a data connection."""


class Delivery(Data, frozen=True):
    """All files that ``parent`` made for ``child`` in one job; the payload is their bytes in order.

    index counts the run's jobs from 0 and orders them. release_ns is the job's planned instant on
    the timeline (periodic apps). crc32 is that of the payload.
    """

    job: str
    index: int
    parent: str
    child: str
    source: str
    files: tuple[FileEntry, ...]
    crc32: int
    sent: Stamp
    release_ns: int | None = None
    tombstone: Tombstone | None = None


class Acknowledged(Data, frozen=True):
    """The first ``count`` deliveries of this connection are on the receiver's disk."""

    count: int


class Finished(Data, frozen=True):
    """From home: every job with an index below ``below`` has ended; forget what you know of it."""

    below: int


class Probe(Data, frozen=True):
    """A network probe; the payload is ballast. Answered at once with a ProbeAnswer."""

    number: int


class ProbeAnswer(Data, frozen=True):
    number: int


DataRecord = Delivery | Acknowledged | Finished | Probe | ProbeAnswer


class Peer(msgspec.Struct, frozen=True):
    """How to reach another node's data port."""

    name: str
    host: str
    port: int


class StagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One task of the app, as this node needs it: its place in the DAG and how to run it."""

    name: str
    module: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    output_policy: str
    executor: str
    files_per_call: int | None = None
    args: tuple[str, ...] = ()
    retries: int = 2
    timeout_ns: int | None = None
    memory_bytes: int | None = None
    time_triggered: bool = False
    late_policy: str = "late"


class ServicePlan(msgspec.Struct, frozen=True):
    name: str
    argv: tuple[str, ...]
    children: tuple[str, ...] = ()


class Control(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Base of the records of a control connection. An answer repeats its question's number."""

    request: int = 0


class Synchronize(Control, frozen=True):
    """Where the reference of the timeline answers, as seen from this node. Answered with Done when
    the timeline is synchronized here."""

    host: str
    udp_port: int


class TimeQuery(Control, frozen=True):
    """Asks for the timeline's state on this node."""


class TimeState(Control, frozen=True):
    """early_ns, late_ns: the one-sided error bounds now. udp_port: of this node's time service."""

    status: str
    now: Stamp
    udp_port: int
    realtime: str


class Prepare(Control, frozen=True):
    """Stage the app's scripts and get to know all nodes; answered with Done."""

    app: str
    app_folder: str
    scripts: str
    stages: list[StagePlan]
    """Every task of the app; also those of other nodes, so that any can be tried here."""
    peers: list[Peer]
    job_limit: int
    parallel_calls: int


class Measure(Control, frozen=True):
    """Probe the link to ``target`` ``repeats`` times with each of ``sizes_bytes``."""

    target: str
    sizes_bytes: list[int]
    repeats: int


class Measured(Control, frozen=True):
    """samples: (payload bytes, round trip in ns) of one message there and a short one back.

    broken: why there are none, when the connection to the target was lost meanwhile.
    """

    samples: list[tuple[int, int]]
    broken: str = ""


class FactsQuery(Control, frozen=True):
    pass


class Facts(Control, frozen=True):
    cores: int
    memory_bytes: int
    load: float


class Trial(Control, frozen=True):
    """Run a task once on given inputs; the payload is their bytes. groups: (parent, its files)."""

    task: str
    groups: list[tuple[str, list[FileEntry]]]


class TrialResult(Control, frozen=True):
    """The payload is the outputs' bytes, in order."""

    ok: bool
    duration_ns: int
    files: list[FileEntry]
    reason: str = ""
    stderr_tail: str = ""
    peak_memory_bytes: int = 0


class Deploy(Control, frozen=True):
    """The placement (task → node) and the timetable; Done when all executors are ready."""

    placement: dict[str, str]
    services: list[ServicePlan]
    timetable: Timetable | None
    jobs: int | None
    accuracy_ns: int | None
    service_placement: dict[str, str]
    ingress: tuple[str, ...]
    sinks: tuple[str, ...]
    outputs: str
    """Where home puts what comes back."""


class Begin(Control, frozen=True):
    """Take up work. start_ns: the release of job 0 on the timeline, for periodic apps; lead_ns: how
    long before its release home sends a job out."""

    start_ns: int | None = None
    lead_ns: int = 0


class Submit(Control, frozen=True):
    """To home: a job's input files; the payload is their bytes. Answered when it is admitted."""

    job: str
    index: int
    files: list[FileEntry]


class Admitted(Control, frozen=True):
    """Home has the job on disk and has sent it into the DAG."""

    index: int


class Follow(Control, frozen=True):
    """Send the event log from byte ``offset`` on, and whatever is added to it."""

    offset: int


class LogPart(Control, frozen=True):
    """The payload is the event log from ``offset`` on."""

    offset: int


class Stop(Control, frozen=True):
    """End tidily: services and executors stopped, log complete; answered with Done."""


class Done(Control, frozen=True):
    pass


class Refused(Control, frozen=True):
    """The answer to a request that can't be met; seen and fix as in jupiter.errors.InputError."""

    seen: str
    fix: str = ""


ControlRecord = (
    Synchronize
    | TimeQuery
    | TimeState
    | Prepare
    | Measure
    | Measured
    | FactsQuery
    | Facts
    | Trial
    | TrialResult
    | Deploy
    | Begin
    | Submit
    | Admitted
    | Follow
    | LogPart
    | Stop
    | Done
    | Refused
)

_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
decode_data = msgspec.msgpack.Decoder(DataRecord).decode
decode_control = msgspec.msgpack.Decoder(ControlRecord).decode
