"""What a ptp4l's status is worth, and programs in pmc's place that fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qot.instant import UNBOUNDED_NS, Status
from qot.sources.errors import SourceReplyError, SourceUnreachableError, SourceUnsupportedError
from qot.sources.linuxptp import LinuxptpSettings, LinuxptpSource, ptp_report
from qot.sources.pmc import PtpStatus

NOW_NS = 1_700_000_000 * 10**9
SETTINGS = LinuxptpSettings(excess_delay_ns=20_000)
STATUS = PtpStatus(
    master_offset_ns=-700,
    ingress_ns=NOW_NS - 100_000_000,
    master_present=True,
    path_delay_ns=1_500,
    steps_removed=1,
    port_states=("SLAVE",),
    sync_intervals_ns=(125_000_000,),
    timestamping="SOFTWARE",
)


def test_a_follower_is_corrected_by_its_offset_which_is_in_the_error_too() -> None:
    report = ptp_report(STATUS, SETTINGS, NOW_NS, drift_ppb=100_000)
    assert report.status is Status.SYNCHRONIZED
    assert report.correction_ns == 700
    assert report.error_ns == 700 + 1_500 + 20_000
    assert (report.age_ns, report.age_growth_ppb) == (100_000_000, 100_000)
    assert report.interval_ns == 125_000_000
    assert report.update == STATUS.ingress_ns


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"master_present": False}, Status.HOLDOVER),
        ({"port_states": ("LISTENING",)}, Status.HOLDOVER),
        ({"port_states": ("FAULTY",)}, Status.HOLDOVER),
        ({"ingress_ns": 0}, Status.HOLDOVER),
        ({"path_delay_ns": 0}, Status.HOLDOVER),
        ({"port_states": ("UNCALIBRATED",)}, Status.SYNCHRONIZED),
        ({"timestamping": ""}, Status.SYNCHRONIZED),
    ],
)
def test_the_status_follows_the_port(changes: dict[str, object], status: Status) -> None:
    assert ptp_report(replace(STATUS, **changes), SETTINGS, NOW_NS, 0).status is status


def test_the_interval_is_that_of_the_port_that_follows() -> None:
    status = replace(
        STATUS, port_states=("MASTER", "SLAVE"), sync_intervals_ns=(10**9, 250_000_000)
    )
    assert ptp_report(status, SETTINGS, NOW_NS, 0).interval_ns == 250_000_000


def test_a_sync_from_the_future_says_nothing_about_its_age() -> None:
    report = ptp_report(STATUS, SETTINGS, STATUS.ingress_ns - 1, 0)
    assert report.age_ns == UNBOUNDED_NS


def test_a_grandmaster_is_the_timeline_only_if_it_is_said_to_be() -> None:
    status = replace(STATUS, master_present=False, port_states=("MASTER",))
    assert ptp_report(status, SETTINGS, NOW_NS, 0).status is Status.HOLDOVER
    report = ptp_report(status, replace(SETTINGS, local_is_truth=True), NOW_NS, 0)
    assert (report.status, report.correction_ns, report.error_ns) == (Status.SYNCHRONIZED, 0, 0)


def test_hardware_time_stamps_are_refused_with_a_way_out() -> None:
    with pytest.raises(SourceUnsupportedError, match="refclock PHC"):
        ptp_report(replace(STATUS, timestamping="HARDWARE"), SETTINGS, NOW_NS, 0)


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], LinuxptpSource]:
    """A source whose pmc is this shell script."""

    def make(script: str, timeout_ns: int = 60 * 10**9) -> LinuxptpSource:
        path = tmp_path / "pmc"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return LinuxptpSource(LinuxptpSettings(pmc=str(path), timeout_ns=timeout_ns))

    return make


def test_pmc_is_told_where_and_what_to_ask(
    program: Callable[[str], LinuxptpSource], tmp_path: Path, pmc_output: Callable[..., str]
) -> None:
    (tmp_path / "output").write_text(pmc_output())
    source = program(f'printf "%s\\n" "$@" > {tmp_path}/arguments; cat {tmp_path}/output')
    assert source.status().master_offset_ns == -260
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:7] == ["-u", "-b", "0", "-d", "0", "-s", "/var/run/ptp4l"]
    assert arguments[7] == "-i"
    assert "GET TIME_STATUS_NP" in arguments[9:]
    assert not Path(arguments[8]).parent.exists()


def test_a_missing_pmc_is_named() -> None:
    with pytest.raises(SourceUnreachableError, match="install linuxptp"):
        LinuxptpSource(LinuxptpSettings(pmc="no-such-pmc"))


def test_a_failing_pmc_is_quoted(program: Callable[[str], LinuxptpSource]) -> None:
    with pytest.raises(SourceUnreachableError, match=r"ended with 3 .*no way"):
        program("echo no way >&2; exit 3").status()


def test_a_hanging_pmc_ends_at_the_time_limit(program: Callable[..., LinuxptpSource]) -> None:
    with pytest.raises(SourceUnreachableError, match="did not end within"):
        program("exec sleep 1000", timeout_ns=50_000_000).status()


def test_another_program_in_its_place_is_noticed(program: Callable[[str], LinuxptpSource]) -> None:
    with pytest.raises(SourceUnreachableError, match="answered nothing"):
        program("echo hello").status()


def test_output_that_is_no_text_is_noticed(program: Callable[[str], LinuxptpSource]) -> None:
    with pytest.raises(SourceReplyError):
        program(
            r"for set in TIME_STATUS_NP CURRENT_DATA_SET PORT_DATA_SET; do "
            r"printf 'a-0 seq 0 RESPONSE MANAGEMENT %s\n\377\376 x\n' $set; done"
        ).status()
