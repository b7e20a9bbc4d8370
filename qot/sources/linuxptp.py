"""Time from linuxptp's ptp4l, asked through its management client `pmc`. The hard error::

    mean path delay             whatever the two directions have of the measured round trip
    + excess delay              how much later the last Sync may have come: stated, see below
    + |offset from master|      what the servo has not worked off, or what this one Sync was late
    + drift × age of the Sync

PTP is one-way between two measurements of the path: no protocol field says how late *this* Sync
was. So the promise stands on a stated limit, `excess_delay_ns`, as it stands on the drift limit:
how much longer than the mean a packet may be under way, in queues and, with software time stamps,
in a busy kernel. A Sync beyond it contradicts the others and disrupts, or, alone, breaks the bound.

Only software time stamps: then ptp4l measures CLOCK_REALTIME itself. With hardware stamps it
measures the card's clock, and what phc2sys makes of it is told by neither: refused, by name.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qot.instant import UNBOUNDED_NS, Status
from qot.sources.base import Report
from qot.sources.errors import SourceUnreachableError, SourceUnsupportedError
from qot.sources.pmc import PtpStatus, commands, parse_status

DEFAULT_SLEW_PPB = 100_000_000
"""The most by which the kernel lets CLOCK_REALTIME be steered: 10 %."""
_FOLLOWING = frozenset({"SLAVE", "UNCALIBRATED"})
_SBIN = "/usr/sbin:/usr/local/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class LinuxptpSettings:
    """How a ptp4l is asked and what it may be believed.

    uds_address, domain: ptp4l's own settings of these names. slew_ppb: its `max_frequency`; 0 for
    `free_running 1`. excess_delay_ns: how much longer than its mean the path may take.
    local_is_truth: the timeline is this very machine's CLOCK_REALTIME, which ptp4l serves as
    grandmaster; otherwise being grandmaster means that it lost its master. pmc: the program.
    """

    uds_address: Path = Path("/var/run/ptp4l")
    domain: int = 0
    slew_ppb: int = DEFAULT_SLEW_PPB
    excess_delay_ns: int = 1_000_000
    local_is_truth: bool = False
    timeout_ns: int = 2_000_000_000
    pmc: str = "pmc"


def ptp_report(
    status: PtpStatus, settings: LinuxptpSettings, realtime_ns: int, drift_ppb: int
) -> Report:
    """What ptp4l's status says; ``realtime_ns`` is CLOCK_REALTIME just before asking. Pure.

    Raises SourceUnsupportedError when it serves another clock than CLOCK_REALTIME.
    """
    if status.timestamping and status.timestamping != "SOFTWARE":
        raise SourceUnsupportedError(
            f"ptp4l works with {status.timestamping} time stamps, so it measures the card's clock "
            "and not CLOCK_REALTIME: set time_stamping software, or follow chronyd with the card "
            "as its refclock PHC"
        )
    if settings.local_is_truth and not status.master_present and "MASTER" in status.port_states:
        return Report(Status.SYNCHRONIZED, update=realtime_ns)
    followers = [state in _FOLLOWING for state in status.port_states]
    if not status.master_present or not any(followers):
        return Report(Status.HOLDOVER)  # No master (any more): what it said before is not unsaid.
    if not status.ingress_ns or status.path_delay_ns <= 0:
        return Report(Status.HOLDOVER)  # The master is chosen, the path not measured yet.
    age_ns = realtime_ns - status.ingress_ns
    return Report(
        status=Status.SYNCHRONIZED,
        correction_ns=-status.master_offset_ns,
        error_ns=abs(status.master_offset_ns) + status.path_delay_ns + settings.excess_delay_ns,
        age_ns=age_ns if age_ns >= 0 else UNBOUNDED_NS,
        age_growth_ppb=drift_ppb,
        interval_ns=status.sync_intervals_ns[followers.index(True)],
        update=status.ingress_ns,
    )


class LinuxptpSource:
    """Asks one ptp4l through `pmc`, which takes 0.1 s. Not thread-safe.

    Raises SourceUnreachableError when there is no pmc.
    """

    name: str
    settle_updates = 2

    def __init__(self, settings: LinuxptpSettings) -> None:
        self.settings = settings
        self.name = f"ptp4l at {settings.uds_address}"
        found = shutil.which(settings.pmc) or shutil.which(settings.pmc, path=_SBIN)
        if found is None:
            raise SourceUnreachableError(
                f"there is no {settings.pmc} to ask ptp4l with: install linuxptp, or say where "
                "its pmc is"
            )
        self._pmc = found

    @property
    def slew_ppb(self) -> int:
        return self.settings.slew_ppb

    def ask(self, realtime_ns: int, drift_ppb: int) -> Report:
        """Its status, as a report. Raises SourceError."""
        return ptp_report(self.status(), self.settings, realtime_ns, drift_ppb)

    def status(self) -> PtpStatus:
        """Its status, within the time limit. Raises SourceError."""
        return parse_status(self._run())

    def close(self) -> None:
        """Nothing is kept open."""

    def _run(self) -> str:
        """What pmc prints. Its own socket is in a folder of ours: the usual one is root's."""
        settings = self.settings
        with tempfile.TemporaryDirectory(prefix="qot-pmc-") as folder:
            command = [self._pmc, "-u", "-b", "0", "-d", str(settings.domain)]
            command += ["-s", str(settings.uds_address), "-i", f"{folder}/pmc", *commands()]
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=settings.timeout_ns / 1e9,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise SourceUnreachableError(
                    f"pmc did not end within {settings.timeout_ns / 1e9:g} s: see whether "
                    f"{self.name} hangs"
                ) from None
            except OSError as error:
                raise SourceUnreachableError(f"{self._pmc} can't be run: {error}") from None
        if done.returncode:
            raise SourceUnreachableError(
                f"pmc ended with {done.returncode} asking {self.name}: "
                f"{done.stderr.strip()[-300:] or 'it gave no reason'}"
            )
        return done.stdout
