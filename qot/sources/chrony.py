"""Time from chronyd. The hard error of its tracking report, in the words of `chronyc tracking`::

    root delay / 2 + root dispersion         what chronyd's servers and network may be wrong by;
                                             the dispersion grows with chronyd's own drift terms
    + |last offset|                          its latest change of mind
    + |system time|  (unless free-running)   known, not yet worked off by slewing
    + wander × age of the last measurement   what its rate may have changed by since

`System time` (the correction) is applied to the estimate in any case. A chronyd that steers the
clock takes it back out while we aren't looking, by slewing CLOCK_MONOTONIC, at most at its
`maxslewrate`: therefore it is in the error too, and the slew rate is part of the drift limit. A
free-running one (`chronyd -x`) never touches the clock, slew_ppb = 0, and its bound stays small.

chronyd's `maxclockerror`, 1 ppm unless configured, is what *it* takes for the wander; a virtual
machine's quartz does worse, hence a wander of our own on top.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from qot.instant import UNBOUNDED_NS, Status
from qot.sources.base import Report
from qot.sources.cmdmon import (
    LEAP_UNSYNCHRONISED,
    LOCAL_REFERENCE,
    PACKET_BYTES,
    Tracking,
    parse_tracking,
    tracking_request,
)
from qot.sources.errors import SourceUnreachableError

DEFAULT_PORT = 323
DEFAULT_SLEW_PPB = 83_333_334
"""chronyd's own default of `maxslewrate`."""


@dataclass(frozen=True, slots=True)
class ChronySettings:
    """How a chronyd is asked and what it may be believed.

    address: (host, port) of its command port, or the path of its Unix socket, of which the folder
    must be writable for us. slew_ppb: its `maxslewrate` × 1000; 0 for `chronyd -x`.
    wander_ppb: how fast the clock's rate error may leave what chronyd last measured; 0 leaves it to
    its `maxclockerror`. local_is_truth: the timeline is this very machine's CLOCK_REALTIME, which
    chronyd serves by its directive `local`; otherwise that means that it lost its servers.
    """

    address: tuple[str, int] | Path = ("127.0.0.1", DEFAULT_PORT)
    slew_ppb: int = DEFAULT_SLEW_PPB
    wander_ppb: int = 50_000
    local_is_truth: bool = False
    timeout_ns: int = 500_000_000


def tracking_report(tracking: Tracking, settings: ChronySettings, realtime_ns: int) -> Report:
    """What a tracking reply says; ``realtime_ns`` is CLOCK_REALTIME just before asking. Pure."""
    if tracking.leap == LEAP_UNSYNCHRONISED or not tracking.stratum:
        return Report(Status.UNSYNCHRONIZED)
    if tracking.reference_id == LOCAL_REFERENCE:
        if settings.local_is_truth:
            return Report(Status.SYNCHRONIZED, update=realtime_ns)
        return Report(Status.UNSYNCHRONIZED)
    low_ns, high_ns = tracking.correction.nanoseconds
    correction_ns = (low_ns + high_ns) // 2
    error_ns = (high_ns - low_ns + 1) // 2
    error_ns += (tracking.root_delay.most_ns + 1) // 2 + tracking.root_dispersion.most_ns
    error_ns += tracking.last_offset.most_ns
    if settings.slew_ppb:
        error_ns += tracking.correction.most_ns
    # chronyd shifts the reference time by up to 1 s into the past: an age of less than 0 is a step.
    age_ns = realtime_ns + high_ns - tracking.reference_time_ns
    return Report(
        status=Status.SYNCHRONIZED,
        correction_ns=correction_ns,
        error_ns=error_ns,
        age_ns=age_ns if age_ns >= 0 else UNBOUNDED_NS,
        age_growth_ppb=settings.wander_ppb,
        interval_ns=tracking.update_interval.most_ns,
        update=tracking.reference_time_ns,
    )


class ChronySource:
    """Asks one chronyd, over UDP or its Unix socket. Not thread-safe.

    Raises SourceUnreachableError when the socket can't be had.
    """

    settle_updates = 8

    def __init__(self, settings: ChronySettings) -> None:
        self.settings = settings
        self._own_path: Path | None = None
        try:
            self._socket = self._connect()
        except OSError as error:
            raise SourceUnreachableError(
                f"{self.name} can't be asked: {error}; start chronyd and give the address of its "
                "command port (cmdport) or socket (bindcmdaddress)"
            ) from None

    @property
    def name(self) -> str:
        address = self.settings.address
        where = address if isinstance(address, Path) else f"{address[0]} port {address[1]}"
        return f"chronyd at {where}"

    @property
    def slew_ppb(self) -> int:
        return self.settings.slew_ppb

    def ask(self, realtime_ns: int, drift_ppb: int) -> Report:
        """Its tracking, as a report. Raises SourceError."""
        return tracking_report(self.tracking(), self.settings, realtime_ns)

    def tracking(self) -> Tracking:
        """Its tracking, within the time limit. Raises SourceError."""
        sequence = secrets.randbits(32)
        deadline_ns = time.monotonic_ns() + self.settings.timeout_ns
        try:
            self._socket.send(tracking_request(sequence))
            while True:
                left_ns = deadline_ns - time.monotonic_ns()
                if left_ns <= 0:
                    raise TimeoutError
                self._socket.settimeout(left_ns / 1e9)
                tracking = parse_tracking(self._socket.recv(2 * PACKET_BYTES), sequence)
                if tracking is not None:
                    return tracking
        except TimeoutError:
            raise SourceUnreachableError(
                f"{self.name} did not answer within {self.settings.timeout_ns / 1e9:g} s: "
                "see whether it runs and lets this host ask (cmdallow)"
            ) from None
        except OSError as error:
            raise SourceUnreachableError(
                f"{self.name} can't be reached: {error}; start it or correct the address"
            ) from None

    def close(self) -> None:
        self._socket.close()
        if self._own_path is not None:
            self._own_path.unlink(missing_ok=True)

    def _connect(self) -> socket.socket:
        address = self.settings.address
        if isinstance(address, Path):
            return self._connect_unix(address)
        family, kind, protocol, _, target = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.connect(target)
        except OSError:
            made.close()
            raise
        return made

    def _connect_unix(self, path: Path) -> socket.socket:
        """A datagram socket needs a name of its own to be answered at, which chronyd may write."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        own = path.with_name(f"qot.{os.getpid()}.{secrets.token_hex(4)}.sock")
        try:
            made.bind(str(own))
            self._own_path = own
            own.chmod(stat.S_IMODE(own.stat().st_mode) | 0o666)  # the folder keeps others out
            made.connect(str(path))
        except OSError:
            made.close()
            own.unlink(missing_ok=True)
            raise
        return made
