"""What the clock pages below a run's nodes say: status, bound against demand, exchanges.

Pages are files; whoever may read them sees what the node's own tasks see, live while its time
service renews them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jupiter.errors import InputError
from jupiter.run_folder import RunFolder
from jupiter.run_lock import LockedTimeline
from qot.clock import SECOND_NS, monotonic_ns
from qot.errors import PageError
from qot.instant import Status
from qot.timeline import TimelineReader

PAGE = "timeline.page"
ACCEPTED = 1
"""Place of the exchanges that were believed, see qot.exchange.Counters."""


@dataclass(frozen=True, slots=True)
class NodeTime:
    """One node's time at one moment; bound_ns is None without a promise.

    exchanges_per_s: believed ones, asked or answered, since the last look. problem: why the page
    can't be read; then nothing else is known.
    """

    node: str
    status: str = ""
    bound_ns: int | None = None
    exchanges_per_s: float | None = None
    age_ns: int | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TimelineFacts:
    """Whose pages these are: a run's id, its reference and what was demanded of the timeline."""

    run: str
    reference: str
    timeline: LockedTimeline
    folders: dict[str, Path]
    """node → where its page is."""


def timeline_of(folder: RunFolder) -> TimelineFacts:
    """The timeline of a run. Raises InputError when it has none, JupiterError without a lock."""
    lock = folder.read_lock()
    if lock.timeline is None:
        raise InputError(f"{folder.run_id} bound to no timeline", "name another run")
    folders = {node: folder.node(node) for node in lock.nodes}
    return TimelineFacts(folder.run_id, lock.reference, lock.timeline, folders)


class ClockPages:
    """The pages of several nodes, looked at together."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """folders: node → the folder that its page is in."""
        self._folders = dict(folders)
        self._before: dict[str, tuple[int, int]] = {}

    def look(self) -> list[NodeTime]:
        """Every node's time now."""
        return [self._look_at(node, folder) for node, folder in self._folders.items()]

    def _look_at(self, node: str, folder: Path) -> NodeTime:
        try:
            with TimelineReader(folder / PAGE) as reader:
                now_ns = monotonic_ns()
                instant = reader.now()
                accepted = reader.counters()[ACCEPTED]
                age_ns = reader.clock.from_monotonic_ns(now_ns) - reader.params().as_of_ns
        except PageError as error:
            return NodeTime(node, problem=str(error))
        at_ns, count = self._before.get(node, (now_ns, accepted))
        self._before[node] = now_ns, accepted
        passed_s = (now_ns - at_ns) / SECOND_NS
        return NodeTime(
            node,
            status=str(instant.status),
            bound_ns=instant.error_ns if instant.promised else None,
            exchanges_per_s=(accepted - count) / passed_s if passed_s else None,
            age_ns=age_ns,
        )

    def is_live(self) -> bool:
        """Somebody renews at least one of the pages."""
        return any(entry.status == Status.SYNCHRONIZED for entry in self.look())
