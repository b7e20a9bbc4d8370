"""A timeline that a node takes from a source, as a share of its time service."""

from __future__ import annotations

from qot.clock import Clock
from qot.demand import Delivered
from qot.exchange import Counters
from qot.page import PageWriter
from qot.service_share import Share
from qot.sources.base import TimeSource
from qot.sources.role import SourceConfig, SourceRole


class SourceShare(Share):
    """The source has its own rhythm: a demand that it does not meet is refused, not hurried."""

    role = "source"

    def __init__(
        self,
        name: str,
        scope: int,
        clock: Clock,
        page: PageWriter,
        config: SourceConfig,
        source: TimeSource,
    ) -> None:
        super().__init__(name, scope, clock, page)
        self._source = SourceRole(config, source, clock, page)
        self.bell = self._source.socket

    def tick(self, now_ns: int) -> None:
        self._source.tick(now_ns)
        self.due_ns = self._source.due_ns

    def spoken(self) -> None:
        """The source has answered."""
        self._source.readable()

    @property
    def counters(self) -> Counters:
        return self._source.counters

    @property
    def delivered(self) -> Delivered | None:
        instant = self.now()
        if not instant.promised:
            return None
        return Delivered(instant.error_ns, instant.error_ns, 0)

    def close(self, *, remove: bool) -> None:
        self._source.close()
        super().close(remove=remove)
