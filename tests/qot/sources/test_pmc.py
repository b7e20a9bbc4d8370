"""What `pmc` prints, read; and what is no answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qot.sources.errors import SourceError, SourceRefusedError, SourceReplyError
from qot.sources.errors import SourceUnreachableError as Unreachable
from qot.sources.pmc import PtpStatus, commands, parse_sets, parse_status

Printer = Callable[..., str]


def test_a_followers_status(pmc_output: Printer) -> None:
    assert parse_status(pmc_output()) == PtpStatus(
        master_offset_ns=-260,
        ingress_ns=1_700_000_000_123_456_789,
        master_present=True,
        path_delay_ns=1703,
        steps_removed=1,
        port_states=("SLAVE",),
        sync_intervals_ns=(125_000_000,),
        timestamping="SOFTWARE",
    )


def test_each_question_is_one_argument() -> None:
    assert commands()[0] == "GET TIME_STATUS_NP"
    assert all(command.startswith("GET ") for command in commands())


@given(
    offset=st.integers(-(2**62), 2**62),
    ingress=st.integers(0, 2**62),
    present=st.booleans(),
    delay_65536ths=st.integers(-(2**47), 2**47),
    log_interval=st.integers(-7, 7),
)
def test_every_number_comes_through(
    pmc_output: Printer,
    offset: int,
    ingress: int,
    present: bool,
    delay_65536ths: int,
    log_interval: int,
) -> None:
    status = parse_status(
        pmc_output(
            master_offset=offset,
            ingress_time=ingress,
            gm_present=str(present).lower(),
            path_delay=delay_65536ths / 65536,
            log_sync_interval=log_interval,
        )
    )
    assert (status.master_offset_ns, status.ingress_ns) == (offset, ingress)
    assert status.master_present is present
    assert status.path_delay_ns >= delay_65536ths / 65536 > status.path_delay_ns - 1
    assert status.sync_intervals_ns == (int(2.0**log_interval * 10**9),)


def test_the_older_spelling_is_read_too(pmc_output: Printer) -> None:
    text = pmc_output().replace(" MANAGEMENT ", " MANAGMENT ")
    assert parse_status(text) == parse_status(pmc_output())


def test_a_release_that_does_not_tell_of_time_stamps_is_no_error(pmc_output: Printer) -> None:
    text = "\n".join(pmc_output().splitlines()[:-5])
    assert parse_status(text).timestamping == ""


def test_a_clock_with_several_ports_has_several_states(pmc_output: Printer) -> None:
    port = "\tx-2 seq 9 RESPONSE MANAGEMENT PORT_DATA_SET\n\t\tportState MASTER\n"
    status = parse_status(pmc_output() + port + "\t\tlogSyncInterval 0\n")
    assert status.port_states == ("SLAVE", "MASTER")
    assert status.sync_intervals_ns == (125_000_000, 10**9)


def test_only_the_questions_echoed_is_nobody() -> None:
    with pytest.raises(Unreachable, match="uds_address"):
        parse_status("sending: GET TIME_STATUS_NP\nsending: GET CURRENT_DATA_SET\n")


def test_an_error_status_is_a_refusal_and_does_not_spoil_its_neighbour(pmc_output: Printer) -> None:
    text = pmc_output().replace("MANAGEMENT CURRENT_DATA_SET", "MANAGEMENT_ERROR_STATUS X")
    assert "meanPathDelay" not in parse_sets(text)["TIME_STATUS_NP"][0]
    with pytest.raises(SourceRefusedError, match="CURRENT_DATA_SET"):
        parse_status(text)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("master_offset", "-", "master_offset '-': a number"),
        ("master_offset", "1.5", "an integer"),
        ("master_offset", "NaN", "a number"),
        ("ingress_time", "1e400", "a number"),
        ("gm_present", "yes", "true or false"),
        ("path_delay", "quick", "a number"),
        ("log_sync_interval", "99", "-30 to 30"),
        ("port_state", "", "no portState"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(
    pmc_output: Printer, field: str, value: str, words: str
) -> None:
    with pytest.raises(SourceReplyError, match=words):
        parse_status(pmc_output(**{field: value}))


@given(st.data())
def test_no_cut_and_no_noise_does_anything_but_parse_or_raise_a_named_error(
    pmc_output: Printer, data: st.DataObject
) -> None:
    text = pmc_output()
    at = data.draw(st.integers(0, len(text)))
    noise = data.draw(st.text(max_size=20))
    rest = data.draw(st.integers(at, len(text)))
    with suppress(SourceError):
        parse_status(text[:at] + noise + text[rest:])
