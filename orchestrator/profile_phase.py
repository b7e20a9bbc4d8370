"""The profiling phase of a run: ask nodes to measure links and to try tasks, and fit models to it.

Links: a round-robin tournament, so that a node is in one probe at a time. Tasks: once through the
DAG with the first job's real files, each task on one node, which also captures what its children
get; then the other (task, node) pairs as far as the budget lasts. Pairs that were not tried are
predicted from the nodes' relative speeds, and flagged so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from graphlib import TopologicalSorter

from clusters.node_handle import NodeGoneError, NodeHandle
from clusters.together import together
from dispatcher.executors.base import File
from dispatcher.messages import (
    Facts,
    FactsQuery,
    FileEntry,
    Measure,
    Measured,
    Trial,
    TrialResult,
)
from dispatcher.routing import RoutingError, route_outputs
from jupiter.app import HOME, App
from jupiter.profile import LinkProfile, NodeProfile, Profiles, TaskProfile
from profilers.link_model import fit_link
from profilers.task_model import node_speeds, predict_missing, summarise
from qot.clock import monotonic_ns, unix_ns

STORE = "profiles.sqlite"
"""The profile store, beside the run folders."""
PROBE_SIZES_BYTES = [1 << 10, 64 << 10, 512 << 10]
PROBE_REPEATS = 3
TRIAL_BUDGET_NS = 4_000_000_000
TRIAL_LIMIT_S = 60
SHORT_TRIAL_NS = 50_000_000
SHORT_TRIALS = 3
"""A task this short is tried several times."""

Groups = list[tuple[str, list[File]]]


async def profile_links(
    nodes: Mapping[str, NodeHandle], repeats: int = PROBE_REPEATS
) -> dict[tuple[str, str], LinkProfile]:
    """Measure every directed link. Raises NodeGoneError when a node is lost meanwhile."""
    samples: dict[tuple[str, str], list[tuple[float, float]]] = {}

    async def measure(source: str, target: str) -> None:
        request = Measure(target=target, sizes_bytes=PROBE_SIZES_BYTES, repeats=repeats)
        answer, _ = await nodes[source].ask(request, Measured)
        if answer.broken:
            raise NodeGoneError(f"{source} can't reach {target}: {answer.broken}")
        samples[source, target] = one_way(answer.samples)

    for matches in tournament(list(nodes)):
        await together(*(measure(source, target) for source, target in matches))
        await together(*(measure(target, source) for source, target in matches))
    now = unix_ns()
    return {
        (source, target): fit_link(source, target, found, now)
        for (source, target), found in samples.items()
    }


def one_way(round_trips: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """(size, time there) from (size, time there and of a short answer back): half of the shortest
    round trip of the smallest size is taken for the way back."""
    smallest = min(size for size, _ in round_trips)
    back_ns = min(time_ns for size, time_ns in round_trips if size == smallest) / 2
    return [(float(size), max(time_ns - back_ns, 0.0)) for size, time_ns in round_trips]


def tournament(names: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Rounds in which every pair meets once and nobody plays twice in a round (circle method)."""
    circle: list[str | None] = list(names)
    if len(circle) % 2:
        circle.append(None)
    rounds = []
    for _ in range(len(circle) - 1):
        half = len(circle) // 2
        pairs = zip(circle[:half], reversed(circle[half:]), strict=True)
        rounds.append([(a, b) for a, b in pairs if a is not None and b is not None])
        circle.insert(1, circle.pop())
    return rounds


async def profile_nodes(nodes: Mapping[str, NodeHandle], share: int) -> dict[str, NodeProfile]:
    """What every node has. share: how many nodes have to share one machine's cores."""

    async def ask(name: str) -> NodeProfile:
        facts, _ = await nodes[name].ask(FactsQuery(), Facts)
        return NodeProfile(
            node=name,
            cores=max(1, facts.cores // share),
            memory_bytes=facts.memory_bytes,
            load=facts.load,
            measured_at_ns=unix_ns(),
        )

    return {profile.node: profile for profile in await together(*map(ask, nodes))}


class TaskTrials:
    """Tries an app's tasks on nodes. notice(text) is told of tasks that could not be tried."""

    def __init__(
        self,
        app: App,
        nodes: Mapping[str, NodeHandle],
        first_job: list[File],
        notice: Callable[[str], None],
        budget_ns: int = TRIAL_BUDGET_NS,
    ) -> None:
        self._app = app
        self._nodes = nodes
        self._names = [name for name in nodes if name != HOME] or [HOME]
        self._notice = notice
        self._deadline_ns = monotonic_ns() + budget_ns
        self._inputs: dict[str, Groups] = {task: [(HOME, first_job)] for task in app.ingress}
        self._kept_inputs: dict[str, Groups] = {}
        self._durations: dict[tuple[str, str], list[float]] = {}
        self._outputs: dict[tuple[str, str], list[dict[str, float]]] = {}
        self._shortest: dict[str, float] = {}

    async def run(self) -> dict[tuple[str, str], TaskProfile]:
        """Profiles of every (task, node) that could be measured or predicted."""
        await self._capture()
        await self._try_elsewhere()
        now = unix_ns()
        measured = {
            key: summarise(*key, durations, self._outputs[key], now)
            for key, durations in self._durations.items()
        }
        speeds = node_speeds(measured.values())
        return predict_missing(measured, self._app.tasks, self._nodes, speeds)

    async def _capture(self) -> None:
        """Every task once, in the order of the DAG, with its parents' real outputs."""
        order = TopologicalSorter({task: set(self._parents(task)) for task in self._app.tasks})
        order.prepare()
        place = 0
        while order.is_active():
            generation = order.get_ready()
            trials = []
            for task in generation:
                trials.append(self._capture_one(task, self._home_of(task, place)))
                place += 1
            await together(*trials)
            order.done(*generation)

    def _parents(self, task: str) -> list[str]:
        return [parent for parent in self._app.parents(task) if parent != HOME]

    def _home_of(self, task: str, place: int) -> str:
        pinned = self._app.tasks[task].node
        if not self._app.tasks[task].profiled:
            return HOME
        return pinned or self._names[place % len(self._names)]

    async def _capture_one(self, task: str, node: str) -> None:
        groups = self._inputs.pop(task, [])
        parents = self._app.parents(task)
        if {parent for parent, _ in groups} != set(parents):
            return  # a parent could not be tried, and said so
        groups.sort(key=lambda group: parents.index(group[0]))
        result = await self._try(task, node, groups)
        if result is None:
            return
        self._kept_inputs[task] = groups
        for child, files in result.items():
            if child != HOME:
                self._inputs.setdefault(child, []).append((task, files))

    async def _try(self, task: str, node: str, groups: Groups) -> dict[str, list[File]] | None:
        """One trial; its outputs by child, or None when it failed."""
        entries = [(parent, [_entry(file) for file in files]) for parent, files in groups]
        payload = b"".join(_bytes(file) for _, files in groups for file in files)
        try:
            async with asyncio.timeout(TRIAL_LIMIT_S):
                answer, content = await self._nodes[node].ask(
                    Trial(task=task, groups=entries), TrialResult, payload
                )
        except TimeoutError:
            self._notice(f"{task} was tried on {node} for {TRIAL_LIMIT_S} s and did not end")
            return None
        if not answer.ok:
            words = answer.stderr_tail.strip().splitlines()
            last = f" ({words[-1]})" if words and words[-1] not in answer.reason else ""
            self._notice(f"{task} failed when it was tried on {node}: {answer.reason}{last}")
            return None
        plan = self._app.tasks[task]
        files, start = [], 0
        for entry in answer.files:
            files.append(File(entry.name, data=content[start : start + entry.size_bytes]))
            start += entry.size_bytes
        try:
            routed = dict(route_outputs(task, plan.output_policy, plan.children, files))
        except RoutingError as error:
            self._notice(f"{task} failed when it was tried on {node}: {error}")
            return None
        duration_ns = float(answer.duration_ns)
        self._shortest[task] = min(duration_ns, self._shortest.get(task, duration_ns))
        self._durations.setdefault((task, node), []).append(duration_ns)
        self._outputs.setdefault((task, node), []).append(
            {
                child: float(sum(file.size_bytes for file in files))
                for child, files in routed.items()
            }
        )
        return routed

    async def _try_elsewhere(self) -> None:
        """The other pairs and further repeats, all nodes at once, while the budget lasts."""

        async def try_on(node: str) -> None:
            for task, groups in self._kept_inputs.items():
                plan = self._app.tasks[task]
                if (plan.node or node) != node or not plan.profiled:
                    continue
                for _ in range(self._wanted(task, node)):
                    if monotonic_ns() > self._deadline_ns:
                        return
                    await self._try(task, node, groups)

        await together(*map(try_on, self._names))

    def _wanted(self, task: str, node: str) -> int:
        wanted = SHORT_TRIALS if self._shortest[task] < SHORT_TRIAL_NS else 1
        return wanted - len(self._durations.get((task, node), []))


def _entry(file: File) -> FileEntry:
    return FileEntry(file.name, file.size_bytes)


def _bytes(file: File) -> bytes | memoryview:
    assert file.data is not None
    return file.data


async def profile_all(
    app: App,
    nodes: Mapping[str, NodeHandle],
    first_job: list[File],
    notice: Callable[[str], None],
    *,
    share: int,
) -> Profiles:
    """Links, nodes and tasks. share: how many nodes have to share one machine's cores."""
    links = await profile_links(nodes)
    facts = await profile_nodes(nodes, share)
    tasks = await TaskTrials(app, nodes, first_job, notice).run()
    return Profiles(links=links, nodes=facts, tasks=tasks)
