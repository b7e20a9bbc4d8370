"""What a time service costs and delivers, for people and for ``jupiter timeline``."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qot.binding_events import Binding
from qot.bindings import Bindings
from qot.clock import SECOND_NS
from qot.page_layout import timeline_id
from qot.service_clients import Client
from qot.service_share import FollowerShare, Share

_WINDOW_NS = 30 * SECOND_NS
_MARK_NS = SECOND_NS


class Meter:
    """Rates of a timeline over the last half minute."""

    def __init__(self, now_ns: int) -> None:
        self._marks: deque[tuple[int, int, int]] = deque([(now_ns, 0, 0)])

    def mark(self, now_ns: int, exchanges: int, cpu_ns: int) -> None:
        """Remember where the counts are, once a second."""
        if now_ns - self._marks[-1][0] < _MARK_NS:
            return
        self._marks.append((now_ns, exchanges, cpu_ns))
        while now_ns - self._marks[0][0] > _WINDOW_NS:
            self._marks.popleft()

    def rates(self, now_ns: int, exchanges: int, cpu_ns: int) -> tuple[float, float]:
        """(exchanges per second, CPU seconds per second)."""
        then_ns, before, spent_ns = self._marks[0]
        passed_ns = max(1, now_ns - then_ns)
        return (exchanges - before) * SECOND_NS / passed_ns, (cpu_ns - spent_ns) / passed_ns


@contextmanager
def charged(share: Share) -> Iterator[None]:
    """Put the CPU time of this block on the bill of a timeline."""
    before_ns = time.thread_time_ns()
    try:
        yield
    finally:
        share.cpu_ns += time.thread_time_ns() - before_ns


def report_share(
    share: Share, meter: Meter, bindings: Bindings, clients: dict[int, Client], now_ns: int
) -> dict[str, Any]:
    """One timeline. Times are ns; null where nothing is known."""
    instant = share.now()
    error_ns = instant.error_ns if instant.promised else None
    exchanges = share.counters.sent
    per_s, cpu_share = meter.rates(now_ns, exchanges, share.cpu_ns)
    demanded_ns = share.accuracy_ns
    follower = share if isinstance(share, FollowerShare) else None
    return {
        "timeline": share.name,
        "id": f"{timeline_id(share.name):016x}",
        "role": share.role,
        "reference": follower.reference if follower else None,
        "refused": follower.refused.name.lower() if follower and follower.refused else None,
        "page": str(share.page.path),
        "status": str(instant.status),
        "error_ns": error_ns,
        "demanded_ns": demanded_ns,
        "violated": demanded_ns is not None and (error_ns is None or error_ns > demanded_ns),
        "best_ns": bindings.best_ns(share.name),
        "period_ns": share.pace.period_ns if share.pace and follower else None,
        "paired": share.pace.paired if share.pace and follower else None,
        "exchanges": exchanges,
        "exchanges_per_s": round(per_s, 4),
        "packets_per_s": round(2 * per_s, 4),
        "cpu_ns": share.cpu_ns,
        "cpu_share": round(cpu_share, 6),
        "bindings": [_report_binding(each, clients) for each in bindings.of(share.name)],
    }


def _report_binding(binding: Binding, clients: dict[int, Client]) -> dict[str, Any]:
    client = clients.get(binding.client)
    return {
        "binding": binding.number,
        "app": binding.app,
        "accuracy_ns": binding.demand.accuracy_ns,
        "resolution_ns": binding.demand.resolution_ns,
        "pid": client.pid if client else None,
        "uid": client.uid if client else None,
    }
