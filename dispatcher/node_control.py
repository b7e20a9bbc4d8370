"""What the roof may ask of a node, and the answers. One instance per control connection."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from dispatcher.content import Content, ContentTooLargeError
from dispatcher.executors.base import Call, Outcome
from dispatcher.file_names import is_plain_name
from dispatcher.home import HomeDesk
from dispatcher.home_brain import HomeBrain
from dispatcher.messages import (
    Admitted,
    Begin,
    Control,
    Deploy,
    Done,
    Facts,
    FactsQuery,
    Follow,
    LogPart,
    Measure,
    Measured,
    Prepare,
    Refused,
    Stop,
    Submit,
    Synchronize,
    TimeQuery,
    TimeState,
    Trial,
    TrialResult,
    decode_control,
    encode,
)
from dispatcher.node import Node
from dispatcher.node_brain import NodeBrain
from dispatcher.time_trigger import TimeTrigger
from jupiter.app import HOME
from jupiter.errors import ClusterError, InputError, JupiterError
from qot.clock import monotonic_ns
from transport.connection import Connection

_PROBE_TIMEOUT_S = 30.0


class NodeControl:
    """Serves one connection of the roof. Requests run side by side; answers carry their number."""

    def __init__(self, node: Node, stopped: asyncio.Event) -> None:
        self._node = node
        self._stopped = stopped
        self._connection: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop_task: asyncio.Task[None] | None = None
        self._prepared: Prepare | None = None
        self._deployed: Deploy | None = None
        self._handlers: dict[type, Callable[[Any, bytes], Awaitable[tuple[Control, bytes]]]] = {
            Synchronize: self._synchronize,
            TimeQuery: self._time_state,
            Prepare: self._prepare,
            Measure: self._measure,
            FactsQuery: self._facts,
            Trial: self._trial,
            Deploy: self._deploy,
            Begin: self._begin,
            Stop: self._stop,
        }

    def received(self, connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        self._connection = connection
        self._node.disk_watchers.add(self._disk_failed)
        for header, payload in frames:
            try:
                record = decode_control(header)
            except msgspec.DecodeError as error:
                connection.close(f"the roof sent what is no request: {error}")
                return
            if isinstance(record, Submit):
                self._submit(record, payload)
            elif isinstance(record, Follow):
                self._node.log.follow(record.offset, self._send_log)
            else:
                task = self._node.loop.create_task(self._answer(record, payload))
                if isinstance(record, Stop):
                    self._stop_task = task  # what has begun to end, ends, whoever is listening
                    continue
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def closed(self, connection: Connection, reason: str) -> None:
        self._connection = None
        self._node.disk_watchers.discard(self._disk_failed)
        self._node.log.unfollow(self._send_log)
        for task in self._tasks:
            task.cancel()

    def _send(self, record: Control, payload: bytes | memoryview = b"") -> None:
        if self._connection is not None:
            self._connection.send(encode(record), payload)

    def _disk_failed(self, problem: str) -> None:
        self._send(Refused(seen=problem))

    def _send_log(self, offset: int, part: bytes) -> None:
        self._send(LogPart(offset=offset), part)

    async def _answer(self, record: Control, payload: bytes) -> None:
        try:
            answer, content = await self._handlers[type(record)](record, payload)
        except InputError as error:
            answer, content = Refused(seen=error.seen, fix=error.fix), b""
        except (JupiterError, OSError) as error:
            answer, content = Refused(seen=str(error)), b""
        except Exception as error:  # a defect of ours: say so instead of leaving the roof waiting
            traceback.print_exc()
            answer, content = Refused(seen=f"defect in {type(record).__name__}: {error!r}"), b""
        self._send(msgspec.structs.replace(answer, request=record.request), content)
        if isinstance(record, Stop):
            if self._connection is not None:
                await self._connection.drain()
            self._stopped.set()

    # Time

    async def _synchronize(self, request: Synchronize, _: bytes) -> tuple[Control, bytes]:
        if request.udp_port != self._node.clock.udp_port:
            self._node.clock.set_reference(request.host, request.udp_port)
        await self._node.clock.synchronized()
        return Done(), b""

    async def _time_state(self, _: TimeQuery, __: bytes) -> tuple[Control, bytes]:
        clock = self._node.clock
        state = TimeState(
            status=clock.status(),
            now=clock.stamp(),
            udp_port=clock.udp_port,
            realtime=clock.realtime,
        )
        return state, b""

    # Preparing and profiling

    async def _prepare(self, request: Prepare, _: bytes) -> tuple[Control, bytes]:
        self._prepared = request
        await self._node.executors.prepare(request)
        self._node.meet(request.peers)
        return Done(), b""

    async def _measure(self, request: Measure, _: bytes) -> tuple[Control, bytes]:
        link = self._node.links[request.target]
        samples = []
        try:
            await link.probe(b"", _PROBE_TIMEOUT_S)  # connected, and warm
            for size_bytes in request.sizes_bytes:
                ballast = os.urandom(size_bytes)
                for _repeat in range(request.repeats):
                    begin_ns = monotonic_ns()
                    await link.probe(ballast, _PROBE_TIMEOUT_S)
                    samples.append((size_bytes, monotonic_ns() - begin_ns))
        except ConnectionError as error:
            return Measured(samples=[], broken=str(error)), b""
        except TimeoutError:
            raise ClusterError(
                f"{request.target} does not answer ({link.last_problem or 'no reason is known'})"
            ) from None
        return Measured(samples=samples), b""

    async def _facts(self, _: FactsQuery, __: bytes) -> tuple[Control, bytes]:
        pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        facts = Facts(
            cores=len(os.sched_getaffinity(0)),
            memory_bytes=pages * page_bytes,
            load=os.getloadavg()[0],
        )
        return facts, b""

    async def _trial(self, request: Trial, payload: bytes) -> tuple[Control, bytes]:
        entries = tuple(entry for _, group in request.groups for entry in group)
        files = Content(entries, payload, 0).files()
        by_parent, start = [], 0
        for parent, group in request.groups:
            by_parent.append((parent, files[start : start + len(group)]))
            start += len(group)
        try:
            executor = await self._node.executors.started(request.task)
        except JupiterError as error:
            return TrialResult(ok=False, duration_ns=0, files=[], reason=str(error)), b""
        ended: asyncio.Future[Outcome] = self._node.loop.create_future()

        def done(_: Call, outcome: Outcome) -> None:
            if not ended.done():
                ended.set_result(outcome)

        now = self._node.clock.stamp()
        firing: dict[str, int | str] = {
            "planned_ns": now.estimate_ns,
            "estimate_ns": now.estimate_ns,
            "earliest_ns": now.earliest_ns,
            "latest_ns": now.latest_ns,
            "status": self._node.clock.status(),
        }
        executor.submit(Call(request.task, "trial", 1, by_parent, firing), done)
        outcome = await ended
        reason = outcome.reason
        for file in outcome.outputs:
            if not is_plain_name(file.name):
                reason = f"it gave an output the name {file.name!r}"
        try:
            content = Content.empty() if reason else Content.of(outcome.outputs)
        except ContentTooLargeError as error:
            return Refused(seen=f"{request.task}: {error}"), b""
        finally:
            outcome.release()
        result = TrialResult(
            ok=not reason,
            duration_ns=outcome.ended_ns - outcome.started_ns,
            files=list(content.entries),
            reason=reason,
            stderr_tail=outcome.stderr_tail,
            peak_memory_bytes=outcome.peak_memory_bytes,
        )
        return result, bytes(content.payload)

    # The run

    async def _deploy(self, request: Deploy, _: bytes) -> tuple[Control, bytes]:
        assert self._prepared is not None
        self._deployed = request
        mine = [
            plan
            for plan in self._prepared.stages
            if request.placement[plan.name] == self._node.name
        ]
        await self._node.executors.deploy(mine, request, self._node.service_event)
        return Done(), b""

    async def _begin(self, request: Begin, _: bytes) -> tuple[Control, bytes]:
        prepared, deployed, node = self._prepared, self._deployed, self._node
        assert prepared is not None
        assert deployed is not None
        if node.brain is not None:  # the roof lost its connection, not the node its work
            if node.home is not None:
                node.home.admitted = self._admitted
            return Done(), b""
        mine = [plan for plan in prepared.stages if deployed.placement[plan.name] == node.name]
        trigger = None
        if deployed.timetable is not None and request.start_ns is not None:
            trigger = TimeTrigger(
                deployed.timetable,
                start_ns=request.start_ns,
                jobs=deployed.jobs or 0,
                accuracy_ns=deployed.accuracy_ns or 0,
                policies={plan.name: plan.late_policy for plan in mine if plan.time_triggered},
                job_of=lambda index: job_name(prepared.app, index),
            )
        brain = NodeBrain(mine, parallel_calls=prepared.parallel_calls, trigger=trigger)
        home = self._home_desk(prepared, deployed, request) if node.name == HOME else None
        node.begin(brain, home, deployed.placement)
        if deployed.timetable is not None and deployed.accuracy_ns is not None:
            node.watch_qot(deployed.timetable.timeline, deployed.accuracy_ns)
        return Done(), b""

    def _home_desk(self, prepared: Prepare, deployed: Deploy, begin: Begin) -> HomeDesk:
        timetable = deployed.timetable
        home_brain = HomeBrain(
            ingress=deployed.ingress,
            sinks=deployed.sinks,
            window=prepared.job_limit,
            start_ns=begin.start_ns,
            period_ns=timetable.period_ns if timetable is not None else None,
            lead_ns=begin.lead_ns,
        )
        return HomeDesk(
            self._node,
            home_brain,
            ingress=deployed.ingress,
            outputs=Path(deployed.outputs),
            admitted=self._admitted,
        )

    def _admitted(self, index: int) -> None:
        self._send(Admitted(index=index))

    def _submit(self, request: Submit, payload: bytes) -> None:
        if self._node.home is None:
            self._send(Refused(request=request.request, seen="jobs are submitted at home"))
            return
        problem = _bad_job(request, payload) or self._node.disk_problem
        if problem:
            self._send(Refused(request=request.request, seen=problem))
            return
        content = Content.of_bytes(tuple(request.files), payload)
        self._node.home.submit(request.job, request.index, content)

    async def _stop(self, _: Stop, __: bytes) -> tuple[Control, bytes]:
        await self._node.stop()
        return Done(), b""


def job_name(app: str, index: int) -> str:
    """Job ids count from 0 within a run: ``hello-000017``."""
    return f"{app}-{index:06d}"


def _bad_job(request: Submit, payload: bytes) -> str:
    """Why a submitted job can't be taken, or nothing."""
    for name in [request.job, *(entry.name for entry in request.files)]:
        if not is_plain_name(name):
            return f"{name!r} is not a plain name"
    if any(entry.size_bytes < 0 for entry in request.files):
        return "a file has a negative size"
    if sum(entry.size_bytes for entry in request.files) != len(payload):
        return "the sizes of the files do not add up to what was sent"
    if request.index < 0:
        return f"{request.index} is no job's index"
    return ""
