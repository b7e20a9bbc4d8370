"""The run folder: readable whatever happened to the run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.errors import InputError, JupiterError
from jupiter.events import Notice, Phase, encode_event
from jupiter.run_folder import (
    RunFolder,
    create_run,
    list_runs,
    open_run,
    write_atomically,
)


def notice(text: str, node: str = "roof") -> Notice:
    return Notice(node=node, level="info", text=text)


def texts(folder: RunFolder) -> list[str]:
    return [event.text for event in folder.read_log().events if isinstance(event, Notice)]


def test_name_tells_when_and_what(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, 120_000, tzinfo=UTC)
    folder = create_run(tmp_path / "runs", "my app/1", now=moment)
    assert folder.run_id.startswith("20240506T070809.120000Z-my_app_1-")
    assert folder.outputs.is_dir()
    assert folder.dead_letter.is_dir()
    assert folder.read_log().events == []


def test_names_sort_by_time_and_differ(tmp_path: Path) -> None:
    folders = [create_run(tmp_path, "a") for _ in range(3)]
    assert [run.run_id for run in list_runs(tmp_path)] == sorted(run.run_id for run in folders)
    assert len({run.run_id for run in folders}) == 3


def test_runs_folder_that_is_a_file_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(JupiterError, match="--runs"):
        create_run(tmp_path / "runs", "a")


def test_events_come_back_in_order(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "a")
    folder.append(notice("one"), notice("two"))
    folder.append()
    folder.append(notice("three"))
    assert texts(folder) == ["one", "two", "three"]


@given(kept=st.integers(0, 5), cut=st.integers(0, 200))
def test_log_cut_anywhere_keeps_whole_lines_and_takes_new_ones(
    tmp_path_factory: pytest.TempPathFactory, kept: int, cut: int
) -> None:
    folder = create_run(tmp_path_factory.mktemp("runs"), "a")
    lines = [encode_event(notice(f"line {number}")) for number in range(kept)]
    torn = encode_event(notice("torn " * 30))[:cut].rstrip(b"\n")
    folder.events.write_bytes(b"".join(lines) + torn)
    expected = [f"line {number}" for number in range(kept)]
    assert texts(folder) == expected
    folder.append(notice("after"))
    assert texts(folder) == [*expected, "after"]
    assert folder.read_log().damaged_lines == 0


def test_torn_line_longer_than_a_block_is_dropped(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "a")
    folder.append(notice("whole"))
    with folder.events.open("ab") as log:
        log.write(b"x" * 20_000)
    folder.append(notice("after"))
    assert texts(folder) == ["whole", "after"]


def test_damaged_line_in_the_middle_is_counted(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "a")
    whole = encode_event(notice("whole"))
    folder.events.write_bytes(whole + b'{"event":"noti\n' + whole)
    log = folder.read_log()
    assert len(log.events) == 2
    assert log.damaged_lines == 1


def test_gather_merges_node_logs_and_may_be_repeated(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "a")
    folder.append(notice("roof 1"))
    for node in ("node2", "node1"):
        folder.node(node).mkdir()
        lines = [encode_event(notice(f"{node} {number}", node)) for number in (1, 2)]
        folder.node_log(node).write_bytes(b"".join(lines) + b'{"event":"torn')
    folder.gather()
    once = folder.events.read_bytes()
    assert texts(folder) == ["roof 1", "node1 1", "node1 2", "node2 1", "node2 2"]
    folder.gather()
    assert folder.events.read_bytes() == once


def test_node_logs_are_read_when_the_roof_died(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "a")
    folder.append(notice("roof"), notice("gathered", "node1"))
    folder.node("node1").mkdir()
    lines = [encode_event(notice(text, "node1")) for text in ("gathered", "not yet")]
    folder.node_log("node1").write_bytes(b"".join(lines))
    assert texts(folder) == ["roof", "gathered", "not yet"]
    folder.append(Phase(node="roof", name="stop", unix_ns=1))
    assert texts(folder) == ["roof", "gathered"]


def test_open_by_path_name_part_and_latest(tmp_path: Path) -> None:
    first = create_run(tmp_path, "alpha", now=datetime(2024, 1, 1, tzinfo=UTC))
    second = create_run(tmp_path, "beta", now=datetime(2024, 1, 2, tzinfo=UTC))
    assert open_run(tmp_path, str(first.path)).path == first.path.resolve()
    assert open_run(tmp_path, first.run_id) == first
    assert open_run(tmp_path, "alpha") == first
    assert open_run(tmp_path, "latest") == second


def test_open_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no runs"):
        open_run(tmp_path / "none", "latest")
    create_run(tmp_path, "alpha")
    create_run(tmp_path, "alpha")
    with pytest.raises(InputError, match="fits 2 runs"):
        open_run(tmp_path, "alpha")
    with pytest.raises(InputError, match="no run is called 'beta'"):
        open_run(tmp_path, "beta")


def test_run_without_a_lock_says_so(tmp_path: Path) -> None:
    with pytest.raises(JupiterError, match="before it was planned"):
        create_run(tmp_path, "a").read_lock()


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
