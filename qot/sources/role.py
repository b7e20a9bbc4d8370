"""A node that takes a timeline from a source: the shell around probe and filter.

Same shape as the roles of :mod:`qot.service`: a socket to poll, ``readable``, ``tick``, ``due_ns``,
``aim``. A source may take its time (pmc: 0.1 s; a stopped chronyd: its whole time limit), and the
service's thread must not: a thread asks, and its socket says when the answer is there.
"""

from __future__ import annotations

import queue
import socket
import threading
from dataclasses import dataclass

from jupiter.errors import InputError
from qot.clock import DEFAULT_MAX_DRIFT_PPB, SECOND_NS, Clock
from qot.clock_filter import FilterConfig, Tick
from qot.exchange import Counters
from qot.instant import Status
from qot.page import PageWriter
from qot.sources.base import Reading, TimeSource
from qot.sources.errors import SourceError, SourceRefusedError, SourceUnreachableError
from qot.sources.probe import SourceProbe
from qot.sources.source_filter import SourceFilter


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """How a source is followed.

    period_ns: from one question to the next. reference_max_drift_ppb: the stated limit of the
    timeline's own rate error. stale_after_ns: least age of a source's last measurement that makes
    holdover of its word. slew_ns: how soon a correction of the estimate is worked off.
    """

    period_ns: int = 250_000_000
    void_after_ns: int = 300 * SECOND_NS
    reference_max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB
    stale_after_ns: int = 5 * SECOND_NS
    slew_ns: int = 500_000_000


class SourceAsker:
    """Polls a probe in a thread of its own, once for each :meth:`ask`.

    ``socket`` becomes readable when an answer is there for :meth:`take`.
    """

    def __init__(self, probe: SourceProbe) -> None:
        self._probe = probe
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Reading | Exception] = queue.SimpleQueue()
        self.socket, self._bell = socket.socketpair()
        self._thread = threading.Thread(target=self._work, name="qot-source", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        self._orders.put(True)

    def take(self) -> Reading | SourceError:
        """The answer. Call once each time the socket is readable. Raises what is no SourceError."""
        self.socket.recv(1)
        answer = self._answers.get()
        if isinstance(answer, Reading | SourceError):
            return answer
        raise answer

    def close(self) -> None:
        """End the thread, within the source's time limit, and give everything back."""
        self._orders.put(False)
        self._thread.join()
        self._probe.close()
        self.socket.close()
        self._bell.close()

    def _work(self) -> None:
        while self._orders.get():
            try:
                self._answers.put(self._probe.poll())
            except Exception as error:  # take() raises it in the service's thread
                self._answers.put(error)
            self._bell.send(b"\0")


class SourceRole:
    """Asks the source once a period and publishes what the filter makes of its answers.

    The page's counters: sent (asked), accepted (believed), malformed (no answer to our question),
    forged (refused), stale (nothing measured lately), lost (unsynchronized), unreachable.
    """

    udp_port = 0

    def __init__(
        self, config: SourceConfig, source: TimeSource, clock: Clock, page: PageWriter
    ) -> None:
        self._clock, self._page = clock, page
        self._period_ns = config.period_ns
        probe = SourceProbe(source, clock, config.reference_max_drift_ppb, config.stale_after_ns)
        self.filter = SourceFilter(
            FilterConfig(
                drift_ppb=probe.drift_ppb,
                period_ns=config.period_ns,
                void_after_ns=config.void_after_ns,
                slew_ns=config.slew_ns,
            ),
            source.settle_updates,
        )
        self._asker = SourceAsker(probe)
        self._source_name = source.name
        self._waiting = False
        self.counters = Counters()
        self.failure: SourceError | None = None
        """Why the last question led to nothing; None when it led to a reading."""
        self.socket = self._asker.socket
        self.due_ns = 0
        self._publish(Tick())

    def readable(self) -> None:
        """An answer is there. Raises what is a defect and not a source's failure."""
        answer = self._asker.take()
        self._waiting = False
        if isinstance(answer, Reading):
            self.failure = None
            self._count(answer.status)
            self._publish(answer)
        else:
            self.failure = answer
            if isinstance(answer, SourceUnreachableError):
                self.counters.unreachable += 1
            elif isinstance(answer, SourceRefusedError):
                self.counters.forged += 1
            else:
                self.counters.malformed += 1
            self._publish(Tick())

    def tick(self, now_ns: int) -> None:
        """Ask, unless an answer is still to come; publish, lest the page grow old meanwhile."""
        self.due_ns = now_ns + self._period_ns
        if not self._waiting:
            self._waiting = True
            self.counters.sent += 1
            self._asker.ask()
        params = self._page.params
        if params is None or self._clock.now_ns() - params.as_of_ns >= self._period_ns // 2:
            self._publish(Tick())

    def aim(self, reference: tuple[str, int]) -> None:
        raise InputError(
            f"this node takes its time from {self._source_name}, it can't follow {reference}",
            "send the reference's address to followers only",
            field="reference",
        )

    def close(self) -> None:
        """End the thread and give sockets back; the page stays."""
        self._asker.close()

    def _count(self, status: Status) -> None:
        if status is Status.SYNCHRONIZED:
            self.counters.accepted += 1
        elif status is Status.HOLDOVER:
            self.counters.stale += 1
        else:
            self.counters.lost += 1

    def _publish(self, event: Reading | Tick) -> None:
        params = self.filter.handle(event, self._clock.now_ns())
        self._page.write(params, self.counters.as_tuple())
