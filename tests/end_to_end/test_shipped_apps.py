"""The three apps that ship, from the command line to the report: a run of each, looked at well."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from jupiter_command import APPS, Ended, Jupiter

from jupiter.events import JobDone, NodeStarted, Phase, TaskDone

PICTURES = ["timeline.svg", "timeline.png", "dag.svg", "dag.png"]
HELLO = {
    "hello-000000": ("ada.txt", "HELLO, ADA!"),
    "hello-000001": ("barbara.txt", "HELLO, BARBARA!"),
    "hello-000002": ("edsger.txt", "HELLO, EDSGER!"),
    "hello-000003": ("grace.txt", "HELLO, GRACE!"),
    "hello-000004": ("leslie.txt", "HELLO, LESLIE!"),
    "hello-000005": ("radia.txt", "HELLO, RADIA!"),
}


@pytest.fixture(scope="module")
def hello(shared_jupiter: Jupiter) -> Ended:
    return shared_jupiter.run(APPS / "hello", nodes=4)


@pytest.fixture(scope="module")
def monitoring(shared_jupiter: Jupiter) -> Ended:
    return shared_jupiter.run(APPS / "network_monitoring", nodes=4)


@pytest.fixture(scope="module")
def fusion(shared_jupiter: Jupiter) -> Ended:
    return shared_jupiter.run(APPS / "sensor_fusion", "--jobs", "20", nodes=4)


@pytest.fixture(params=["hello", "network_monitoring", "sensor_fusion"])
def shipped(request: pytest.FixtureRequest) -> Ended:
    """Each of the three runs in turn."""
    fixtures = {"hello": "hello", "network_monitoring": "monitoring", "sensor_fusion": "fusion"}
    ended: Ended = request.getfixturevalue(fixtures[request.param])
    return ended


def load(path: Path) -> ModuleType:
    """A script that lies beside an app, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(path: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(path), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Every app


def test_a_run_of_which_every_job_succeeded_ends_with_0(shipped: Ended):
    shipped.expect(0)
    assert shipped.json["status"] == "succeeded"


def test_json_is_one_document_and_equal_to_the_report_file(shipped: Ended):
    assert shipped.json == json.loads((shipped.folder.report / "report.json").read_text())


def test_pictures_of_timeline_and_dag_are_there(shipped: Ended):
    assert sorted(shipped.json["pictures"]) == sorted(f"report/{name}" for name in PICTURES)
    for name in PICTURES:
        start = (shipped.folder.report / name).read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if name.endswith("png") else b"<?xml" in start


def test_the_report_says_where_every_output_is(shipped: Ended):
    outputs = shipped.json["outputs"]
    listed = {name: size for files in outputs["jobs"].values() for name, size in files.items()}
    root = Path(outputs["folder"])
    found = {str(p.relative_to(root)): p.stat().st_size for p in root.rglob("*") if p.is_file()}
    assert listed == found
    assert root.is_relative_to(shipped.folder.path)


def test_the_report_has_times_of_tasks_transfers_of_links_latency_and_placement(shipped: Ended):
    report = shipped.json
    jobs = report["jobs"]["done"]
    for task in report["tasks"].values():
        assert task["count"] == jobs
        assert 0 < task["run"]["p50_ns"] <= task["run"]["max_ns"]
        assert task["node"] in report["nodes"]
    assert report["placement"].keys() == report["tasks"].keys()
    assert sum(link["count"] for link in report["links"]) > 0
    latency = report["jobs"]["latency"]
    assert 0 < latency["p50_ns"] <= latency["p95_ns"] <= latency["p99_ns"] <= latency["max_ns"]


def test_the_report_can_be_made_again_from_the_run_folder_alone(
    shipped: Ended, shared_jupiter: Jupiter
):
    path = shipped.folder.report / "report.json"
    before = path.read_bytes()
    path.unlink()
    made = shared_jupiter("report", shipped.folder.path, "--json").expect(0)
    assert path.read_bytes() == before
    assert json.loads(made.stdout) == json.loads(before)


def test_progress_is_shown_on_stderr_phase_by_phase(shipped: Ended):
    at = [
        shipped.stderr.index(f"] {phase}")
        for phase in ("start", "sync", "profile", "schedule", "deploy", "stream", "stop")
    ]
    assert at == sorted(at)
    count = shipped.json["jobs"]["expected"]
    assert f"{count} of {count} jobs done" in shipped.stderr


def test_every_node_is_a_process_with_its_own_port_folder_spool_and_clock(shipped: Ended):
    started = [event for event in shipped.events if isinstance(event, NodeStarted)]
    nodes = list(shipped.json["nodes"])
    assert sorted(event.node for event in started) == sorted(nodes)
    assert len({event.pid for event in started}) == len(nodes)
    for node in nodes:
        assert (shipped.folder.node(node) / "spool").is_dir()
        assert (shipped.folder.node(node) / "timeline.page").is_file()
    lock = json.loads(shipped.folder.lock.read_text())
    drifts = {json.dumps(clock, sort_keys=True) for clock in lock["clock_models"].values()}
    assert len(drifts) == len(nodes)


def test_keys_are_made_at_start_and_removed_at_the_end(shipped: Ended):
    keys = [path for path in shipped.folder.path.rglob("*") if "key" in path.name.lower()]
    assert keys == []
    pem = [
        path
        for path in shipped.folder.path.rglob("*")
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    ]
    assert pem == []


def test_no_process_is_left(shipped: Ended, shared_jupiter: Jupiter):
    assert shared_jupiter.left_over() == {}


def test_phases_are_in_the_event_log(shipped: Ended):
    names = [event.name for event in shipped.events if isinstance(event, Phase)]
    assert names == ["start", "sync", "profile", "schedule", "deploy", "stream", "stop"]


def test_runs_lists_the_run_from_any_working_directory(
    shipped: Ended, shared_jupiter: Jupiter, tmp_path: Path
):
    listed = shared_jupiter("runs", "--runs", shared_jupiter.runs, "--json").expect(0)
    assert shipped.folder.run_id in [run["run"] for run in listed.json]
    with Jupiter(tmp_path) as elsewhere:
        page = elsewhere("runs", "--runs", shared_jupiter.runs).expect(0)
    assert shipped.folder.run_id in page.stdout


# hello


def test_hello_greets_everyone_and_signs(hello: Ended):
    found = hello.outputs()
    assert found.keys() == {f"{job}/{name}" for job, (name, _) in HELLO.items()}
    node = hello.json["placement"]["sign"]
    for job, (name, words) in HELLO.items():
        assert found[f"{job}/{name}"] == f"{words}\n(signed on {node})\n"


def test_the_placement_of_a_run_can_be_fed_back(hello: Ended, shared_jupiter: Jupiter):
    placement = {"greet": "node3", "shout": "node1", "sign": "node3"}
    mapping = shared_jupiter.mapping(**placement)
    again = shared_jupiter.run(APPS / "hello", "--mapping", mapping, "--jobs", "2", nodes=4)
    report = again.expect(0).json
    assert report["placement"] == placement
    assert {task: facts["nodes"] for task, facts in report["tasks"].items()} == {
        task: [node] for task, node in placement.items()
    }
    assert report["jobs"]["done"] == 2


def test_quiet_says_only_where_the_outputs_are(shared_jupiter: Jupiter):
    ended = shared_jupiter(
        "run", APPS / "hello", "--nodes", shared_jupiter.nodes(1), "--quiet", "--jobs", "1"
    ).expect(0)
    assert shared_jupiter.folder / ended.stdout.strip() == ended.folder.outputs
    assert ended.stderr == ""


# network_monitoring


def test_network_monitoring_finds_exactly_the_known_anomalies(monitoring: Ended):
    checked = script(APPS / "network_monitoring" / "check_outputs.py", monitoring.folder.outputs)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.strip() == "all 12 windows are right"


def test_every_task_of_every_job_ran_once(monitoring: Ended):
    calls = Counter((e.job, e.task) for e in monitoring.events if isinstance(e, TaskDone))
    assert set(calls.values()) == {1}
    assert len(calls) == 12 * 14
    done = Counter(e.job for e in monitoring.events if isinstance(e, JobDone))
    assert set(done.values()) == {1}
    assert len(done) == 12


def test_work_is_spread_over_nodes(monitoring: Ended):
    assert len(set(monitoring.json["placement"].values())) >= 2


# sensor_fusion


def test_every_firing_is_inside_its_bound(fusion: Ended):
    timing = fusion.json["timing"]
    assert timing["timeline"] == "fusion"
    total = timing["total"]
    assert total["firings"] == 20 * 4
    assert total["inside"] == total["firings"]
    assert total["inside_share"] == 1.0
    assert total["true_error"]["max_ns"] <= total["bound"]["max_ns"]


def test_stages_on_three_nodes_sample_at_the_same_instant_within_the_bound(fusion: Ended):
    cameras = next(
        group
        for group in fusion.json["timing"]["co_firing"]
        if {"camera_left", "camera_right", "imu"} <= set(group["tasks"])
    )
    nodes = {fusion.json["placement"][task] for task in ("camera_left", "camera_right", "imu")}
    assert len(nodes) == 3
    assert cameras["instants"] == 20
    assert cameras["inside_share"] == 1.0
    assert cameras["true_skew"]["max_ns"] <= cameras["bound"]["max_ns"]


def test_summarise_outputs_prints_the_skew_against_its_bound(fusion: Ended):
    summary = script(
        APPS / "sensor_fusion" / "summarise_outputs.py", fusion.folder.outputs, "--json"
    )
    assert summary.returncode == 0, summary.stdout + summary.stderr
    figures = json.loads(summary.stdout)
    assert figures["jobs"] == figures["synchronized"] == 20
    assert figures["skew_ns"]["max"] <= figures["largest_possible_skew_ns"]["max"]


def test_the_interval_of_every_transfer_between_nodes_holds_the_truth(shipped: Ended):
    between = [link for link in shipped.json["links"] if link["source"] != link["target"]]
    assert between
    assert {link["inside_share"] for link in between} == {1.0}


# The other commands, on the same apps


@pytest.mark.parametrize("app", ["hello", "network_monitoring", "sensor_fusion"])
def test_check_draws_the_dag_and_starts_nothing(jupiter: Jupiter, app: str):
    ended = jupiter("check", APPS / app, "--draw", "drawn").expect(0)
    assert (jupiter.folder / "drawn" / "dag.svg").is_file()
    assert (jupiter.folder / "drawn" / "dag.png").is_file()
    tasks = jupiter("check", APPS / app, "--no-draw", "--json").expect(0).json["tasks"]
    for task in tasks if isinstance(tasks, dict) else [task["name"] for task in tasks]:
        assert task in ended.stdout
    assert not jupiter.runs.exists()


def test_plan_shows_placement_and_timetable_without_running(jupiter: Jupiter):
    app = APPS / "sensor_fusion"
    ended = jupiter("plan", app, "--nodes", jupiter.nodes(4), "--save", "placed.json").expect(0)
    placement = json.loads((jupiter.folder / "placed.json").read_text())
    assert placement["camera_left"] == "node1"
    assert placement.keys() == {"camera_left", "camera_right", "imu", "align", "fuse"}
    for task in placement:
        assert task in ended.stdout
    assert not jupiter.runs.exists()


def test_new_writes_an_app_that_runs_as_it_is(jupiter: Jupiter):
    jupiter("new", "mine").expect(0)
    ended = jupiter.run(jupiter.folder / "mine", nodes=2).expect(0)
    assert ended.json["jobs"]["done"] == ended.json["jobs"]["expected"] == 3


def test_plan_for_nodes_that_no_run_had_predicts_and_says_so(jupiter: Jupiter):
    jupiter.run(APPS / "hello", nodes=2).expect(0)
    ended = jupiter("plan", APPS / "hello", "--nodes", jupiter.nodes(4), "--json").expect(0)
    assert set(ended.json["placement"].values()) <= {"node1", "node2", "node3"}
    notices = [text for text in ended.json["notices"] if "predicted" in text]
    assert notices == ["no run of this app had node2, node3: task times there are predicted"]
