"""Apps of every earlier Jupiter, run as they are: nothing in their folders is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import old_apps
import pytest
from jupiter_command import Ended, Jupiter
from processes import wait_for_end

from jupiter.events import ServiceExited, ServiceStarted, TaskDone

SECRET = b"not-a-secret-to-keep"


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder with its mode and content."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode} "
        + (sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in folder.rglob("*")
    }


def run_unmodified(
    command: Jupiter, write: Callable[[Path], Path], *words: str | Path, nodes: int = 3
) -> Ended:
    """Run an app; it succeeds, and its folder is as it was."""
    app = write(command.folder / write.__name__)
    before = fingerprint(app)
    ended = command.run(app, *words, nodes=nodes).expect(0)
    assert fingerprint(app) == before
    return ended


# v1 to v4


@pytest.fixture(scope="module")
def v4(shared_jupiter: Jupiter) -> Ended:
    return run_unmodified(shared_jupiter, old_apps.v4_app)


@pytest.mark.parametrize(("job", "number"), [(0, 1), (1, 2), (2, 10)])
def test_v4_scatters_by_close_order_and_joins_in_the_order_of_the_config(
    v4: Ended, job: int, number: int
):
    (output,) = (v4.folder.outputs / f"v4_app-{job:06d}").iterdir()
    assert output.name == f"{number}botnet.ipsum_done"
    stitched, environment = output.read_text().split("\n")
    names = [f"{number}botnet.ipsum_task0_{child}" for child in ("task1", "task2")]
    assert json.loads(stitched) == {
        "names": [f"{name}+" for name in names],
        "heads": [*names, "seen"],
    }
    assert environment == f"task4 true 1 home {v4.json['placement']['task4']}"


def test_v4_files_that_a_shell_script_made_travel_whole(v4: Ended):
    bytes_to = [
        event.outputs
        for event in v4.events
        if isinstance(event, TaskDone) and event.task == "task0"
    ]
    assert len(bytes_to) == 3
    for sizes in bytes_to:
        assert sizes["task1"] > 2560
        assert 768 < sizes["task2"] < sizes["task1"]


def test_v4_task_that_is_no_profiled_one_is_tried_at_home_only(v4: Ended):
    profiles = json.loads(v4.folder.lock.read_text())["profiles"]
    measured = {(task["task"], task["node"]) for task in profiles["tasks"] if not task["predicted"]}
    assert {node for task, node in measured if task == "task4"} == {"home"}
    assert {node for task, node in measured if task == "task1"} == {"node1", "node2"}


def test_v4_self_loop_is_a_service_with_its_arguments_and_environment(v4: Ended):
    (said,) = v4.folder.nodes.glob("*/logs/keeper.log")
    keeper = json.loads(said.read_text())
    assert keeper["argv"] == ["0", "three words here"]
    assert keeper["nodes"] == "node1:node2"
    (started,) = [event for event in v4.events if isinstance(event, ServiceStarted)]
    assert (started.service, started.pid) == ("keeper", keeper["pid"])
    assert v4.json["services"]["keeper"]["starts"] == 1
    assert "keeper" in v4.stderr


def test_v4_service_lives_through_the_run_and_ends_with_it(v4: Ended):
    (started,) = [event for event in v4.events if isinstance(event, ServiceStarted)]
    assert not [event for event in v4.events if isinstance(event, ServiceExited)]
    assert wait_for_end(started.pid)


# The others


def test_circe_2017_folder_runs_with_its_own_nodes(jupiter: Jupiter):
    app = old_apps.circe_2017_app(jupiter.folder / "circe")
    before = fingerprint(app)
    ended = jupiter(
        "run", app, "--nodes", app / "nodes.txt", "--json", env={"JUPITER_STATIC_MAPPING": "true"}
    ).expect(0)
    assert fingerprint(app) == before
    assert ended.json["placement"] == {"local_pro": "node1", "left": "node2", "right": "node1"}
    assert ended.outputs() == {
        f"circe-{job:06d}/{side}_{side}.txt": f"{word}<{side}"
        for job, word in enumerate(("ONE", "TWO"))
        for side in ("left", "right")
    }


def test_a_password_in_nodes_txt_is_warned_of_and_goes_nowhere(jupiter: Jupiter):
    app = old_apps.circe_2017_app(jupiter.folder / "circe")
    running = jupiter.start("run", app, "--nodes", app / "nodes.txt", "--json", "--jobs", "1")
    running.wait_for("node home: up")
    commands = jupiter.processes()
    ended = running.end().expect(0)
    assert "passwords in line 1, 2, 3 are not used" in ended.stderr
    assert SECRET.decode() not in ended.stderr + ended.stdout + str(commands)
    kept = [p for p in ended.folder.path.rglob("*") if p.is_file() and SECRET in p.read_bytes()]
    assert kept == []


def test_v5_loops_run_with_a_join_that_the_app_does_itself(jupiter: Jupiter):
    ended = run_unmodified(jupiter, old_apps.v5_app)
    names = {"a.txt": "a", "b_with_lines.txt": "b", "c.txt": "c"}
    found = {name.split("/")[1]: text for name, text in ended.outputs().items()}
    assert found == {
        f"join_home_{name}": f"{text}>first>left&{text}>first>right>join"
        for name, text in names.items()
    }
    (said,) = ended.folder.nodes.glob("*/logs/globalinfo.log")
    environment = json.loads(said.read_text())
    assert environment["MY_TASK_NAME"] == "globalinfo"
    tasks = {pair.split(":")[0] for pair in environment["CIRCE_TASK_TO_IP"].split()}
    assert tasks == {"first", "left", "right", "join"}
    assert environment["CIRCE_NONDAG_TASK_TO_IP"].startswith("globalinfo:")
    assert said.parent.parent.name == "node1"


def test_v5_nodes_can_be_read_from_its_yaml(jupiter: Jupiter):
    app = old_apps.v5_app(jupiter.folder / "v5_app")
    ended = jupiter("run", app, "--nodes", app / "app_config.yaml", "--json", "--jobs", "1").expect(
        0
    )
    assert list(ended.json["nodes"]) == ["home", "node1", "node2"]


def test_several_ingress_tasks_get_every_file_of_a_job(jupiter: Jupiter):
    ended = run_unmodified(jupiter, old_apps.two_cameras_app)
    assert ended.outputs() == {
        f"two_cameras_app-{job:06d}/both_near_{job + 1}l.txt": (
            f"{job + 1}L{job + 1}R<NEAR{job + 1}L{job + 1}R<FAR<both"
        )
        for job in range(2)
    }


def test_a_table_of_parents_and_children_runs(jupiter: Jupiter):
    ended = run_unmodified(jupiter, old_apps.wave_table_app)
    assert list(ended.outputs().values()) == ["X<START<LEFTX<START<RIGHT<end"]


def test_the_yaml_between_v4_and_v5_runs(jupiter: Jupiter):
    ended = run_unmodified(jupiter, old_apps.transitional_app, nodes=2)
    assert list(ended.outputs().values()) == ["X<START<end"]
