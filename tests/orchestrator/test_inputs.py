"""Everything the user gave is judged before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupiter.errors import InputError
from orchestrator.inputs import read_inputs
from orchestrator.new_app import new_app
from orchestrator.options import RunOptions


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    new_app(Path("demo"))
    return Path("demo")


def test_without_a_nodes_file_there_are_local_nodes_and_a_warning(app: Path) -> None:
    inputs = read_inputs(RunOptions(app))
    assert list(inputs.nodes) == ["home", "node1", "node2", "node3"]
    assert any("there is no nodes.txt" in warning for warning in inputs.warnings)


def test_a_named_nodes_file_must_exist(app: Path) -> None:
    with pytest.raises(InputError, match="there is no list of nodes"):
        read_inputs(RunOptions(app, nodes=Path("other.txt")))


def test_hosts_that_are_not_used_are_told(app: Path) -> None:
    Path("nodes.txt").write_text("home localhost\nfar 192.0.2.1\n")
    (warning,) = read_inputs(RunOptions(app)).warnings
    assert "far (192.0.2.1)" in warning


def test_a_range_with_too_few_ports_is_refused(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPITER_PORT_RANGE", "20000-20002")
    with pytest.raises(InputError, match="3 ports for 4 nodes") as caught:
        read_inputs(RunOptions(app))
    assert "20000-20003" in caught.value.fix


def test_an_unknown_scheduler_in_the_settings_names_the_file(app: Path) -> None:
    Path("jupiter_config.py").write_text("SCHEDULER = 'heff'\n")
    with pytest.raises(InputError) as caught:
        read_inputs(RunOptions(app))
    assert caught.value.file is not None
    assert caught.value.file.endswith("jupiter_config.py")
    assert "heft" in caught.value.fix


def test_an_unknown_scheduler_names_the_place_it_is_from(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("jupiter_config.py").write_text("SEED = 1\n")
    monkeypatch.setenv("JUPITER_SCHEDULER", "heff")
    with pytest.raises(InputError) as caught:
        read_inputs(RunOptions(app))
    assert caught.value.place == "JUPITER_SCHEDULER"
    with pytest.raises(InputError) as caught:
        read_inputs(RunOptions(app, scheduler="robin"))
    assert caught.value.place == "--scheduler"


def test_the_command_line_wins_over_environment_and_file(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("jupiter_config.py").write_text("NODES_PATH = 'file.txt'\nSEED = 1\nSCHEDULER = 'heft'\n")
    monkeypatch.setenv("JUPITER_NODES_PATH", "environment.txt")
    monkeypatch.setenv("JUPITER_SEED", "2")
    monkeypatch.setenv("JUPITER_SCHEDULER", "heft")
    monkeypatch.setenv("JUPITER_STATIC_MAPPING", "true")
    for name in ("file", "environment", "line"):
        Path(f"{name}.txt").write_text(f"home localhost\n{name} localhost\n")
    inputs = read_inputs(RunOptions(app, Path("line.txt"), scheduler="round_robin", seed=3))
    assert list(inputs.nodes) == ["home", "line"]
    assert (inputs.seed, inputs.scheduler, inputs.placement) == (3, "round_robin", None)
    monkeypatch.delenv("JUPITER_STATIC_MAPPING")
    inputs = read_inputs(RunOptions(app))
    assert list(inputs.nodes) == ["home", "environment"]
    assert inputs.seed == 2


def test_a_static_mapping_is_what_the_app_says(app: Path) -> None:
    with pytest.raises(InputError, match="no node for clean, count_words") as caught:
        read_inputs(RunOptions(app, scheduler="static"))
    assert "--mapping" in caught.value.fix
    config = app / "app.yaml"
    config.write_text(config.read_text().replace("    inputs:", "    node: node1\n    inputs:"))
    placement = read_inputs(RunOptions(app, scheduler="static")).placement
    assert placement is not None
    assert set(placement.values()) == {"node1"}


@pytest.mark.parametrize("what", ["junk", "folder"])
def test_a_damaged_profile_store_is_found_before_anything_starts(app: Path, what: str) -> None:
    store = Path("there/profiles.sqlite")
    if what == "folder":
        store.mkdir(parents=True)
    else:
        store.parent.mkdir()
        store.write_text("junk")
    with pytest.raises(InputError) as caught:
        read_inputs(RunOptions(app, runs=Path("there")))
    assert caught.value.file == str(store)
