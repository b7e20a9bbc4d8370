"""The run, phase by phase: check → start → sync → profile → schedule → deploy → stream → stop.

Everything the user gave is judged before the first process starts. Whatever happens after that, the
cluster is stopped and the run folder is readable.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import shutil
from collections.abc import Sequence
from importlib import metadata

from clusters.base import Cluster, NodeExit
from clusters.local import LocalCluster
from clusters.node_handle import NodeHandle
from dispatcher.content import Content
from dispatcher.executors.base import File
from dispatcher.messages import (
    Begin,
    Deploy,
    Done,
    Peer,
    Prepare,
    Synchronize,
    TimeQuery,
    TimeState,
)
from jupiter.app import HOME
from jupiter.errors import InputError, JupiterError
from jupiter.events import NodeLost, Notice, Phase
from jupiter.profile import Profiles
from jupiter.profile_store import ProfileStore
from jupiter.run_folder import ROOF, RunFolder, create_run
from jupiter.run_lock import (
    LockedTimeline,
    RunLock,
    content_hash,
    lock_app,
    lock_profiles,
)
from jupiter.timetable import Timetable
from orchestrator.inputs import Inputs, read_inputs
from orchestrator.options import RunOptions
from orchestrator.planning import (
    LEAD_NS,
    WAKE_LATENESS_NS,
    fill_gaps,
    plan_placement,
    plan_timetable,
)
from orchestrator.profile_phase import STORE, profile_all
from orchestrator.progress import Progress
from orchestrator.stage_plans import place_services, service_plans, stage_plans
from orchestrator.steady_nodes import Audience, SteadyNodes
from orchestrator.stream import JobStream
from qot.clock import monotonic_ns, unix_ns

DEFAULT_TIMELINE = "run"
DEFAULT_ACCURACY_NS = 10_000_000
START_MARGIN_NS = 400_000_000


def run_app(options: RunOptions, progress: Progress) -> RunFolder:
    """Run an app from start to end; returns the folder that all reports are made from.

    Raises InputError before anything is started, or ClusterError when the cluster fails. Jobs that
    fail are in the run folder, not an exception.
    """
    inputs = read_inputs(options)
    run = create_run(options.runs or inputs.settings.runs_path, inputs.app.name)
    progress.run(run.path)
    try:
        asyncio.run(Run(inputs, run, progress).execute())
    except InputError:
        if not run.lock.is_file():  # found out too late to be in time, but nothing was done
            shutil.rmtree(run.path, ignore_errors=True)
            progress.run_path = None
        raise
    return run


class Run(Audience):
    """One execution of an app on a cluster."""

    def __init__(self, inputs: Inputs, run: RunFolder, progress: Progress) -> None:
        self._in = inputs
        self._run = run
        self._progress = progress
        self._app = inputs.app
        self._names = [HOME, *(name for name in inputs.nodes if name != HOME)]
        timing = inputs.app.timing
        self._timeline = timing.timeline if timing is not None else DEFAULT_TIMELINE
        self._accuracy_ns = timing.accuracy_ns if timing is not None else DEFAULT_ACCURACY_NS
        self._stream: JobStream | None = None
        self._begin = Begin()
        self._placement: dict[str, str] = {}
        self._timetable: Timetable | None = None

    async def execute(self) -> None:
        """All phases. The cluster is stopped in any case."""
        self._phase("start", f"{len(self._names)} nodes")
        self._cluster = LocalCluster(
            self._names,
            self._run.nodes,
            timeline=self._timeline,
            seed=self._in.seed,
            ports=self._in.settings.port_range,
        )
        for warning in self._in.warnings:
            self._notice("warning", warning)
        try:
            await self._cluster.start()
            await self._phases(self._cluster)
        finally:
            try:
                self._phase("stop")
            finally:
                await self._cluster.stop()
            self._run.gather()
        self._cluster.tidy()

    async def _phases(self, cluster: Cluster) -> None:
        for name in self._names:
            self._progress.node(name, "up")
        nodes = SteadyNodes(cluster, self)
        self._phase("sync", f"timeline {self._timeline}")
        await nodes.each(self._synchronize)
        self._phase("profile", "links, nodes and tasks")
        await nodes.each(self._prepare)
        profiles = await nodes.undisturbed(self._profile)
        self._phase("schedule", self._in.scheduler)
        await nodes.undisturbed(lambda: self._plan(profiles))
        self._phase("deploy")
        await nodes.each(self._deploy)
        stream = JobStream(self._in.source, cluster.nodes, self._progress, ahead=self._window)
        self._stream = stream
        self._progress.expect(self._in.source.count)
        self._phase("stream", f"{self._in.source.count} jobs")
        self._begin = await nodes.undisturbed(self._beginning)
        await nodes.each(lambda handle: self._begin_at(handle, stream, home=False))
        await nodes.each(lambda handle: self._begin_at(handle, stream, home=True))
        await stream.run()
        self._progress.outputs(self._run.outputs)

    # Phases

    async def _synchronize(self, handle: NodeHandle) -> None:
        host, udp_port = self._cluster.reference
        await handle.ask(Synchronize(host=host, udp_port=udp_port), Done)

    async def _prepare(self, handle: NodeHandle) -> None:
        peers = [Peer(other.name, other.host, other.port) for other in self._cluster.nodes.values()]
        prepare = Prepare(
            app=self._app.name,
            app_folder=str(self._app.folder.absolute()),
            scripts=str(self._app.scripts.absolute()),
            stages=stage_plans(self._app),
            peers=peers,
            job_limit=self._window,
            parallel_calls=max(1, _cores() // self._share),
        )
        await handle.ask(prepare, Done)

    @property
    def _window(self) -> int:
        """Periodic jobs are limited by their period, and must not be by the window."""
        return self._in.settings.window if self._app.timing is None else 1 << 16

    @property
    def _share(self) -> int:
        """How many nodes have to share the cores of one machine."""
        return max(1, len(self._names) - 1) if self._cluster.one_machine else 1

    async def _profile(self) -> Profiles:
        entries, payload = self._in.source.read(0)
        first_job: list[File] = Content(tuple(entries), payload, 0).files()
        measured = await profile_all(
            self._app,
            self._cluster.nodes,
            first_job,
            lambda text: self._notice("warning", text),
            share=self._share,
        )
        with ProfileStore(self._run.path.parent / STORE) as store:
            store.add_links(measured.links.values())
            store.add_nodes(measured.nodes.values())
            store.add_tasks(self._app.name, content_hash(self._app), measured.tasks.values())
        profiles, assumed = fill_gaps(self._app, self._names, measured)
        if assumed:
            self._notice("warning", f"costs are assumed, not measured, for {_some(assumed)}")
        return profiles

    async def _plan(self, profiles: Profiles) -> None:
        states = {}
        for name, handle in self._cluster.nodes.items():
            states[name], _ = await handle.ask(TimeQuery(), TimeState)
        late_ns = {
            name: state.now.latest_ns - state.now.estimate_ns for name, state in states.items()
        }
        early_ns = {
            name: state.now.estimate_ns - state.now.earliest_ns for name, state in states.items()
        }
        timing = self._app.timing
        clock_error_ns = None
        if timing is not None:
            clock_error_ns = {name: max(late_ns[name], early_ns[name]) for name in self._names}
        schedule = plan_placement(
            self._app,
            self._names,
            profiles,
            scheduler_name=self._in.scheduler,
            placement=self._in.placement,
            clock_error_ns=clock_error_ns,
        )
        self._placement = schedule.placement()
        if timing is not None:
            self._timetable = plan_timetable(
                self._app,
                self._placement,
                profiles,
                late_ns=_with_horizon(late_ns),
                early_ns=_with_horizon(early_ns),
                wake_lateness_ns=WAKE_LATENESS_NS,
                lead_ns=LEAD_NS,
            )
        self._run.write_lock(
            RunLock(
                run_id=self._run.run_id,
                app=lock_app(self._app),
                nodes=self._names,
                placement=self._placement,
                scheduler=self._in.scheduler if self._in.placement is None else "given placement",
                timetable=self._timetable,
                profiles=lock_profiles(profiles),
                clock_models=self._cluster.clock_models,
                reference=HOME,
                timeline=LockedTimeline(name=self._timeline, accuracy_ns=self._accuracy_ns),
                one_machine=self._cluster.one_machine,
                jobs_expected=self._in.source.count,
                seed=self._in.seed,
                versions=_versions(),
                settings=self._in.settings.model_dump(mode="json"),
            )
        )

    async def _deploy(self, handle: NodeHandle) -> None:
        default_node = next((name for name in self._names if name != HOME), HOME)
        services = place_services(self._app, default_node)
        deploy = Deploy(
            placement=self._placement,
            services=service_plans(self._app, services, handle.name),
            service_placement=services,
            timetable=self._timetable,
            jobs=self._in.source.count,
            accuracy_ns=self._accuracy_ns,
            ingress=self._app.ingress,
            sinks=self._app.sinks,
            outputs=str(self._run.outputs.absolute()),
        )
        await handle.ask(deploy, Done)

    async def _beginning(self) -> Begin:
        """When a periodic app's first job is released."""
        if self._timetable is None:
            return Begin()
        state, _ = await self._cluster.nodes[HOME].ask(TimeQuery(), TimeState)
        return Begin(start_ns=state.now.estimate_ns + START_MARGIN_NS + LEAD_NS, lead_ns=LEAD_NS)

    async def _begin_at(self, handle: NodeHandle, stream: JobStream, *, home: bool) -> None:
        """Home begins last, when every node can take what it sends."""
        if home is not (handle.name == HOME):
            return
        stream.follow(handle)
        await handle.ask(self._begin, Done)
        if home:
            stream.resubmit()

    # Nodes that come and go

    def lost(self, exit: NodeExit) -> None:
        self._progress.node(exit.name, "lost")
        self._run.append(NodeLost(node=ROOF, lost=exit.name, pid=exit.pid, reason=exit.reason))

    def back(self, name: str) -> None:
        self._progress.node(name, "up")

    def given_up(self, name: str, problem: JupiterError) -> None:
        self._progress.node(name, "down")
        if self._stream is not None:
            self._stream.give_up(problem)

    # Telling

    def _phase(self, name: str, detail: str = "") -> None:
        self._progress.phase(name, detail)
        self._run.append(
            Phase(node=ROOF, name=name, detail=detail, unix_ns=unix_ns(), core_ns=monotonic_ns())
        )

    def _notice(self, level: str, text: str) -> None:
        self._progress.notice(text)
        self._run.append(Notice(node=ROOF, level=level, text=text))


def _with_horizon(bounds_ns: dict[str, int]) -> dict[str, int]:
    """A bound now → the bound to plan with: exchanges come and go, and the next may be worse."""
    return {name: 2 * bound_ns + 100_000 for name, bound_ns in bounds_ns.items()}


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "system": platform.platform()}
    for package in ("jupiter-dispersed", "numpy", "networkx", "msgspec"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions
