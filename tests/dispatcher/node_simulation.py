"""A cluster in memory: the real Node, HomeDesk, brains, links and inbound, with toy organs.

Real are all decisions and all that carries them out. Toys are the disk, the network, the executors,
the clock and the event loop's order: they do one small step at a time, and a random generator says
which comes next. Steps include what goes wrong: a node is killed between any two steps and keeps of
its disk what was committed (and perhaps a little more), a connection is cut and loses what was on
the wire. The same seed tells the same story again.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from dispatcher import call_desk as call_desk_module
from dispatcher import home as home_module
from dispatcher import node as node_module
from dispatcher.content import Content
from dispatcher.executors.base import Call, File, Outcome
from dispatcher.home import HomeDesk
from dispatcher.home_brain import HomeBrain, Job
from dispatcher.instance import Instance
from dispatcher.messages import FileEntry, Peer, StagePlan
from dispatcher.node import Node
from dispatcher.node_brain import NodeBrain
from dispatcher.peer_link import PeerLink
from dispatcher.spool import Below, Received, Record
from dispatcher.time_trigger import TimeTrigger
from jupiter.app import HOME
from jupiter.events import JobDone, JobFailed, Notice, Stamp, TaskDone
from jupiter.timetable import Slot, Timetable

FAR_NS = 10**15


@dataclass
class Plan:
    """What is run: a DAG, where its tasks are, which calls fail, and how it is timed."""

    stages: list[StagePlan]
    placement: dict[str, str]
    nodes: list[str]
    jobs: int
    window: int
    parallel_calls: int = 2
    doomed: set[tuple[int, str]] = field(default_factory=set)
    """Calls that fail whenever they are made."""
    flaky: dict[tuple[int, str], int] = field(default_factory=dict)
    """Calls that fail so often, and then succeed."""
    offsets_ns: dict[str, int] = field(default_factory=dict)
    """Of time-triggered stages."""
    period_ns: int = 0
    lead_ns: int = 0
    start_ns: int = 1_000

    @property
    def ingress(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages if HOME in stage.parents)

    @property
    def sinks(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages if HOME in stage.children)

    def stage(self, name: str) -> StagePlan:
        return next(stage for stage in self.stages if stage.name == name)


def job_name(index: int) -> str:
    return f"job-{index}"


def made_by(index: int, task: str) -> bytes:
    """The content of everything that a task makes in one job: it says what it is."""
    return f"{index}|{task}".encode()


class ToyLoop:
    """Callbacks in order, one step each; timers whenever."""

    def __init__(self) -> None:
        self.ready: deque[Callable[[], object]] = deque()
        self.timers: list[Callable[[], object]] = []

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> None:
        self.ready.append(lambda: callback(*arguments))

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay_s: float, callback: Callable[..., object], *arguments: object
    ) -> None:
        self.timers.append(lambda: callback(*arguments))


class ToySpool:
    """The disk is a list; what is appended gets there in order, some steps later."""

    def __init__(self, machine: Machine, disk: list[tuple[Record, bytes]]) -> None:
        self._machine = machine
        self._disk = disk
        self._waiting: deque[tuple[int, Record, bytes]] = deque()
        self._ticket = 0
        self.committed: Callable[[int], None] = lambda ticket: None

    def recover(self) -> list[tuple[Record, bytes]]:
        return list(self._disk)

    def start(self) -> None:
        pass

    def append(self, record: Record, payload: bytes | memoryview = b"") -> int:
        self._ticket += 1
        self._waiting.append((self._ticket, record, bytes(payload)))
        return self._ticket

    def forget(self, below: int) -> None:
        self.append(Below(below))

    def commit(self, rng: random.Random) -> bool:
        """Some of what waits gets to the disk, and the node is told."""
        if not self._waiting:
            return False
        ticket = self._write(rng.randint(1, len(self._waiting)), rng)
        self._machine.loop.call_soon(self.committed, ticket)
        return True

    def die(self, rng: random.Random) -> None:
        """Some of what waits may have got to the disk, but nobody was told."""
        self._write(rng.randint(0, len(self._waiting)), rng)

    def _write(self, count: int, rng: random.Random) -> int:
        ticket = 0
        for _ in range(count):
            ticket, record, payload = self._waiting.popleft()
            self._disk.append((record, payload))
            if isinstance(record, Below):
                self._drop(record.index, rng)
        return ticket

    def _drop(self, below: int, rng: random.Random) -> None:
        """Segments are dropped from the oldest on, wherever they happen to be cut."""
        free = 0
        while free < len(self._disk) and _index_of(self._disk[free][0]) < below:
            free += 1
        del self._disk[: rng.randint(0, free)]


def _index_of(record: Record) -> int:
    return record.delivery.index if isinstance(record, Received) else record.index


class ToyLog:
    """Events in memory until flushed at the end of a turn of the loop; then they survive."""

    def __init__(self, loop: ToyLoop, durable: list[Any]) -> None:
        self._loop = loop
        self._durable = durable
        self._waiting: list[Any] = []

    def add(self, event: Any) -> None:
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(event)

    def flush(self) -> bool:
        self._durable += self._waiting
        self._waiting.clear()
        return True


class ToyExecutors:
    """Calls run until a step ends one, in any order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.running: list[tuple[Call, Callable[[Call, Outcome], None]]] = []
        self.succeeded: set[tuple[int, str]] = set()

    def __getitem__(self, task: str) -> ToyExecutors:
        return self

    def submit(self, call: Call, done: Callable[[Call, Outcome], None]) -> None:
        self._world.check_call(call, self)
        self.running.append((call, done))

    def finish_one(self, rng: random.Random) -> bool:
        if not self.running:
            return False
        call, done = self.running.pop(rng.randrange(len(self.running)))
        key = (int(call.job.split("-")[1]), call.task)
        plan = self._world.plan
        if key in plan.doomed:
            outcome = Outcome(False, 0, 0, reason="doomed")
        elif call.attempt <= plan.flaky.get(key, 0):
            outcome = Outcome(False, 0, 0, reason="flaky")
        else:
            outcome = Outcome(True, 0, 0, outputs=[File(f"{call.task}.bin", made_by(*key))])
            self.succeeded.add(key)
        done(call, outcome)
        return True


class ToyWriter:
    """Home's outputs, written some steps later."""

    def __init__(self, world: World, loop: ToyLoop, written: Callable[[Any], None]) -> None:
        self._world = world
        self._loop = loop
        self._written = written
        self._waiting: list[Job] = []

    def write(self, job: Job) -> None:
        self._waiting.append(job)

    def write_some(self) -> bool:
        if not self._waiting:
            return False
        group, self._waiting = self._waiting, []
        for job in group:
            outputs = {sink: bytes(content.payload) for sink, content in job.arrived.items()}
            assert self._world.outputs.setdefault(job.job, outputs) == outputs
        self._loop.call_soon_threadsafe(self._written, [(job, {}, "") for job in group])
        return True


class End:
    """One end of a connection: what a receiver needs to see of it."""

    def __init__(self, peer: str, owner: Machine) -> None:
        self.peer = peer
        self.owner = owner
        self.receiver: Any = None
        self.other: End | None = None
        self.inbox: deque[tuple[bytes, bytes]] = deque()
        self.is_closed = False
        self.has_eof = False

    def send(self, header: bytes, payload: bytes | memoryview = b"") -> None:
        if not self.is_closed and self.other is not None and not self.other.is_closed:
            self.other.inbox.append((header, bytes(payload)))

    def close(self, reason: str = "closed here") -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self.inbox.clear()
        if self.other is not None:
            self.other.has_eof = True
        if self.owner.is_alive:
            self.receiver.closed(self, reason)

    def step(self, rng: random.Random) -> bool:
        """Take some frames, or the end of the stream."""
        if self.is_closed or not self.owner.is_alive:
            return False
        if self.inbox:
            frames = [self.inbox.popleft() for _ in range(rng.randint(1, len(self.inbox)))]
            self.receiver.received(self, frames)
            return True
        if self.has_eof:
            self.close("the other end is gone")
            return True
        return False


class SimulatedLink(PeerLink):
    """The real link; the world connects it."""

    def start(self) -> None:
        pass


class Machine:
    """One life of one node process."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.is_alive = True
        self.has_begun = False
        self.loop = ToyLoop()
        self.alarms: list[tuple[int, Callable[[Any], None]]] = []
        self.executors = ToyExecutors(world)
        self.writer: ToyWriter | None = None
        self.to_roof: deque[int] = deque()
        self.spool = ToySpool(self, world.disks[name])
        with self._organs():
            self.node = Node(name, Path("nowhere/nodes/x"), self._clock(), None)  # type: ignore[arg-type]
            self.node.loop = self.loop  # type: ignore[assignment]
            self.node.meet([Peer(other, "", 0) for other in world.plan.nodes])

    def _clock(self) -> Any:
        world = self.world

        def stamp(at_ns: int | None = None) -> Stamp:
            now_ns = world.now_ns
            return Stamp(now_ns, now_ns, now_ns, now_ns)

        alarm = SimpleNamespace(add=lambda at_ns, came: self.alarms.append((at_ns, came)))
        return SimpleNamespace(stamp=stamp, stamp_at=stamp, alarm=alarm)

    def _organs(self) -> Any:
        def spool(folder: Path, *, committed: Any, failed: Any) -> ToySpool:
            self.spool.committed = committed
            return self.spool

        return mock.patch.multiple(
            node_module,
            EventLog=lambda path, failed: ToyLog(self.loop, self.world.logs[self.name]),
            ExecutorPool=lambda name, folder: self.executors,
            Spool=spool,
            PeerLink=SimulatedLink,
        )

    def begin(self) -> bool:
        """The roof has prepared this node and lets it take up work."""
        if self.has_begun:
            return False
        plan = self.world.plan
        mine = [stage for stage in plan.stages if plan.placement[stage.name] == self.name]
        trigger = None
        if plan.period_ns:
            slots = {
                name: Slot(name, plan.placement[name], offset_ns, 0)
                for name, offset_ns in plan.offsets_ns.items()
            }
            trigger = TimeTrigger(
                Timetable("t", plan.period_ns, slots),
                start_ns=plan.start_ns,
                jobs=plan.jobs,
                accuracy_ns=FAR_NS,
                policies={stage.name: stage.late_policy for stage in mine if stage.time_triggered},
                job_of=job_name,
            )
        brain = NodeBrain(mine, parallel_calls=plan.parallel_calls, trigger=trigger)
        home = self._home_desk() if self.name == HOME else None
        self.node.begin(brain, home, plan.placement)
        self.has_begun = True
        return True

    def _home_desk(self) -> HomeDesk:
        plan = self.world.plan
        self.home_brain = HomeBrain(
            ingress=plan.ingress,
            sinks=plan.sinks,
            window=plan.window,
            start_ns=plan.start_ns if plan.period_ns else None,
            period_ns=plan.period_ns or None,
            lead_ns=plan.lead_ns,
        )

        def writer(folder: Path, loop: Any, written: Any) -> ToyWriter:
            self.writer = ToyWriter(self.world, loop, written)
            return self.writer

        with mock.patch.object(home_module, "OutputWriter", writer):
            return HomeDesk(
                self.node,
                self.home_brain,
                ingress=plan.ingress,
                outputs=Path(),
                admitted=self.to_roof.append,
            )

    # Steps

    def run_callback(self, rng: random.Random) -> bool:
        if not self.loop.ready:
            return False
        self.loop.ready.popleft()()
        return True

    def fire_timer(self, rng: random.Random) -> bool:
        if not self.loop.timers:
            return False
        self.loop.timers.pop(rng.randrange(len(self.loop.timers)))()
        return True

    def finish_call(self, rng: random.Random) -> bool:
        return self.executors.finish_one(rng)

    def write_outputs(self, rng: random.Random) -> bool:
        return self.writer is not None and self.writer.write_some()

    def commit(self, rng: random.Random) -> bool:
        return self.spool.commit(rng)

    def take_frames(self, rng: random.Random) -> bool:
        ends = [end for end in self.world.ends if end.owner is self]
        rng.shuffle(ends)
        return any(end.step(rng) for end in ends)

    def connect(self, rng: random.Random) -> bool:
        """One link that is down and whose peer is up gets connected."""
        for name, link in self.node.links.items():
            peer = self.world.machines.get(name)
            if link._connection is None and peer is not None:
                self.world.connect(self, link, peer)
                return True
        return False

    STEPS = (run_callback, fire_timer, finish_call, write_outputs, commit, take_frames, connect)


def _bury(folder: Path, instance: Instance, reason: str, stderr_tail: str) -> None:
    """Dead letters have tests of their own."""


class World:
    """All machines, the wire between them, the roof, and what must hold."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.rng = random.Random(seed)
        self.now_ns = 0
        self.disks: dict[str, list[tuple[Record, bytes]]] = {name: [] for name in plan.nodes}
        self.logs: dict[str, list[Any]] = {name: [] for name in plan.nodes}
        self.outputs: dict[str, dict[str, bytes]] = {}
        self.ends: list[End] = []
        self.machines: dict[str, Machine] = {}
        self.kills = 0
        self._submitted = 0
        self._submitted_to: Machine | None = None
        self._admitted: set[int] = set()
        for name in plan.nodes:
            self.boot(name)

    # What goes wrong

    def boot(self, name: str) -> None:
        self.machines[name] = Machine(self, name)

    def kill(self, name: str) -> None:
        machine = self.machines.pop(name, None)
        if machine is None:
            return
        self.kills += 1
        machine.is_alive = False
        machine.spool.die(self.rng)
        for end in [end for end in self.ends if end.owner is machine]:
            self._break(end)

    def cut(self) -> None:
        if self.ends:
            self._break(self.rng.choice(self.ends))

    def _break(self, end: End) -> None:
        """Nothing more goes over this connection, and the last of what went may not arrive."""
        for each in (end, end.other):
            if each is not None:
                for _ in range(self.rng.randint(0, len(each.inbox))):
                    each.inbox.pop()
                each.has_eof = True
                each.other = None

    def connect(self, caller: Machine, link: PeerLink, peer: Machine) -> None:
        near, far = End(peer.name, caller), End(caller.name, peer)
        near.other, far.other = far, near
        near.receiver, far.receiver = link, peer.node.inbound()
        self.ends = [end for end in self.ends if not end.is_closed and end.owner.is_alive]
        self.ends += [near, far]
        link.take_up(near)  # type: ignore[arg-type]

    # The roof

    def submit_next(self) -> bool:
        home = self.machines.get(HOME)
        if home is None or not home.has_begun:
            return False
        if self._submitted_to is not home:  # it is back: what it had not admitted may be lost
            self._submitted_to = home
            for index in sorted(set(range(self._submitted)) - self._admitted):
                self._submit(index)
            return True
        if self._submitted >= self.plan.jobs:
            return False
        if self._submitted - len(self._admitted) >= self.plan.window:
            return False
        self._submit(self._submitted)
        self._submitted += 1
        return True

    def _submit(self, index: int) -> None:
        payload = made_by(index, HOME)
        content = Content.of_bytes((FileEntry("input", len(payload)),), payload)
        desk = self.machines[HOME].node.home
        assert desk is not None
        desk.submit(job_name(index), index, content)

    def hear_from_home(self) -> bool:
        home = self.machines.get(HOME)
        if home is None or not home.to_roof:
            return False
        self._admitted.add(home.to_roof.popleft())
        return True

    def advance(self) -> bool:
        """Time goes on to the next instant that a machine waits for."""
        due = [
            (at_ns, place, machine)
            for machine in self.machines.values()
            for place, (at_ns, _) in enumerate(machine.alarms)
        ]
        if not due:
            return False
        at_ns, place, machine = min(due, key=lambda entry: entry[0])
        self.now_ns = max(self.now_ns, at_ns)
        _, came = machine.alarms.pop(place)
        instant = SimpleNamespace(
            estimate_ns=self.now_ns,
            earliest_ns=self.now_ns,
            latest_ns=self.now_ns,
            status="synchronized",
        )
        came(SimpleNamespace(instant=instant, late_ns=0, monotonic_ns=self.now_ns))
        return True

    # Running

    def run(self, chaos_steps: int, kills: int, cuts: int) -> None:
        """Chaos first, then calm until nothing is left to do."""
        with mock.patch.object(call_desk_module, "bury", _bury):
            self._run(chaos_steps, kills, cuts)

    def _run(self, chaos_steps: int, kills: int, cuts: int) -> None:
        rng = self.rng
        killing = set(rng.sample(range(chaos_steps), min(kills, chaos_steps)))
        cutting = set(rng.sample(range(chaos_steps), min(cuts, chaos_steps)))
        for step in range(chaos_steps):
            if step in killing:
                self.kill(HOME if rng.random() < 0.4 else rng.choice(self.plan.nodes))
            if step in cutting:
                self.cut()
            self.random_step()
            self.check_bounds()
        self.calm()

    def random_step(self) -> None:
        rng = self.rng
        name = rng.choice(self.plan.nodes)
        machine = self.machines.get(name)
        if machine is None:
            if rng.random() < 0.1:
                self.boot(name)
        elif not machine.has_begun:
            if rng.random() < 0.1 or not self.kills:
                machine.begin()
            else:
                rng.choice((machine.connect, machine.take_frames, machine.run_callback))(rng)
        elif rng.random() < 0.15:
            rng.choice((self.submit_next, self.hear_from_home, self.advance))()
        else:
            rng.choice(Machine.STEPS)(machine, rng)

    def calm(self) -> None:
        """No more harm: every node comes back, and everything that can happen does."""
        for _ in range(20_000):
            if not self._sweep():
                break
            self.check_bounds()
        else:
            raise AssertionError("it never comes to rest")
        self.check_end()

    def _sweep(self) -> bool:
        progress = False
        for name in self.plan.nodes:
            if name not in self.machines:
                self.boot(name)
            machine = self.machines[name]
            progress |= machine.begin()
            for step in Machine.STEPS:
                progress |= step(machine, self.rng)
        progress |= self.submit_next()
        progress |= self.hear_from_home()
        return progress or self.advance()

    # What must hold

    def check_call(self, call: Call, executors: ToyExecutors) -> None:
        """A call gets the outputs of all its parents, of its own job (or an earlier one, held)."""
        stage = self.plan.stage(call.task)
        index = int(call.job.split("-")[1])
        assert [parent for parent, _ in call.by_parent] == list(stage.parents)
        for parent, files in call.by_parent:
            assert len(files) == 1
            assert files[0].data is not None
            origin, task = bytes(files[0].data).decode().split("|")
            assert task == parent
            if stage.late_policy == "hold_last" and stage.time_triggered:
                assert int(origin) <= index
            else:
                assert int(origin) == index
        same = [
            other
            for other, _ in executors.running
            if (other.job, other.task) == (call.job, call.task)
        ]
        assert not same, "one instance runs twice at once"
        assert (index, call.task) not in executors.succeeded, "what succeeded runs again"
        isolated = sum(
            self.plan.stage(other.task).executor == "isolated" for other, _ in executors.running
        )
        assert stage.executor != "isolated" or isolated < self.plan.parallel_calls

    def check_bounds(self) -> None:
        """What a node holds is bounded by the window, whatever was killed."""
        lives = 2 if self.kills else 1  # a home that comes back finds jobs of its former life
        for machine in self.machines.values():
            if machine.has_begun:
                assert machine.node.brain is not None
                most = lives * self.plan.window * len(self.plan.stages)
                assert machine.node.brain.queue_length <= most
        home = self.machines.get(HOME)
        if home is not None and home.has_begun:
            assert 0 <= home.home_brain.in_flight <= lives * self.plan.window

    def ends_of(self, kind: type[JobDone] | type[JobFailed]) -> list[str]:
        return [event.job for event in self.logs[HOME] if isinstance(event, kind)]

    def check_end(self) -> None:
        """Every job has ended in one way, and nobody remembers anything."""
        done, failed = self.ends_of(JobDone), self.ends_of(JobFailed)
        everyone = {job_name(index) for index in range(self.plan.jobs)}
        assert set(done) | set(failed) == everyone, "jobs are stuck"
        assert not set(done) & set(failed)
        if not self.kills:
            assert len(done) + len(failed) == self.plan.jobs, "an end is told once"
        assert set(self.outputs) == set(done)
        for job, outputs in self.outputs.items():
            index = int(job.split("-")[1])
            assert outputs == {sink: made_by(index, sink) for sink in self.plan.sinks}
        home = self.machines[HOME].home_brain
        assert home.below == self.plan.jobs
        assert home.is_idle
        for machine in self.machines.values():
            assert machine.node.brain is not None
            assert machine.node.brain.below == self.plan.jobs
            assert machine.node.brain.is_idle, machine.name
            assert all(link.queue_length == 0 for link in machine.node.links.values())

    def warnings(self) -> list[str]:
        return [
            event.text for log in self.logs.values() for event in log if isinstance(event, Notice)
        ]

    def calls_done(self, task: str) -> list[TaskDone]:
        return [
            event
            for log in self.logs.values()
            for event in log
            if isinstance(event, TaskDone) and event.task == task
        ]
