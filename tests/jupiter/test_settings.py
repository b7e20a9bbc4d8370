"""jupiter_config.py is read and never run; what it says is checked."""

from __future__ import annotations

import pytest

from jupiter.settings import load_settings

V1 = """\
'''Somebody's settings.'''
import os
from os import path

HERE = path.abspath(path.dirname(__file__)) + "/"
KUBECONFIG_PATH = os.environ['KUBECONFIG']
PROFILER_PATH = HERE + 'profilers/'
DEPLOYMENT_NAMESPACE = 'johndoe-circe'
HOME_NODE = 'ubuntu-2gb-ams2-04'
HOME_CHILD = 'left:right'
WORKER_IMAGE = 'registry/johndoe/worker_node:v1'
APP_PATH = HERE + 'task_specific_files/network_monitoring_app/'
static_mapping = False
SCHEDULER = 2
"""


def load(write, text: str, environment: dict[str, str] | None = None):
    return load_settings(
        write({"jupiter_config.py": text}) / "jupiter_config.py", environment or {}
    )


def test_reads_jupiters_own_file(write):
    settings = load(write, V1, {"KUBECONFIG": "/k"})
    folder = settings.here
    assert settings.kubeconfig_path == "/k"
    assert settings.home_node == "ubuntu-2gb-ams2-04"
    assert settings.home_child == ("left", "right")
    assert settings.app_path == folder / "task_specific_files" / "network_monitoring_app"
    assert settings.deployment_namespace == "johndoe-circe"
    assert settings.images == {"WORKER_IMAGE": "registry/johndoe/worker_node:v1"}
    assert settings.scheduler == "wave_greedy"
    assert settings.static_mapping is False
    assert settings.nodes_path == folder / "nodes.txt"


def test_an_environment_variable_that_is_not_set_leaves_the_default(write):
    assert load(write, V1).kubeconfig_path is None


def test_defaults_without_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})
    assert settings.runs_path == tmp_path / "runs"
    assert settings.home_child == ()
    assert settings.port_range is None


def test_environment_wins(write):
    settings = load(
        write,
        "WINDOW = 3\nHOME_CHILD = 'a'\n",
        {
            "JUPITER_WINDOW": "7",
            "JUPITER_STATIC_MAPPING": "true",
            "JUPITER_HOME_CHILD": "b:c",
            "JUPITER_PORT_RANGE": "20000-20099",
            "JUPITER_SOMETHING_OF_OTHERS": "x",
        },
    )
    assert settings.window == 7
    assert settings.static_mapping is True
    assert settings.home_child == ("b", "c")
    assert settings.port_range == (20000, 20099)


@pytest.mark.parametrize(
    ("text", "line", "field", "said", "fix"),
    [
        ("WINDOW = 3\nWINDO = 4\n", 2, "WINDO", "not a setting", "'WINDOW'"),
        ("WINDOW = 0\n", 1, "WINDOW", "0", "1 to 100000"),
        ("\nWINDOW = 'many'\n", 2, "WINDOW", "'many'", "a whole number"),
        ("PORT_RANGE = '5'\n", 1, "PORT_RANGE", "not a range", "20000-20099"),
        ("PORT_RANGE = (9, 5)\n", 1, "PORT_RANGE", "not a range", "lower one first"),
        ("SEED = -1\n", 1, "SEED", "-1", "not negative"),
        ("SEED = len('x')\n", 1, "SEED", "executed", "plain value"),
        ("SEED = UNKNOWN + 1\n", 1, "SEED", "no value above", "plain value"),
        ("RUNS_PATH = os.environ['NOPE'] + 'x'\n", 1, "RUNS_PATH", "not set", "plain"),
        ("def set_globals():\n    pass\n", 1, None, "executed", "NAME = value"),
        ("import os\nos.system('x')\n", 2, None, "executed", "NAME = value"),
        ("SEED = = 1\n", 1, None, "not Python", "NAME = value"),
        ("HOME_NODE = 5\n", 1, "HOME_NODE", "5", "text in quotes"),
    ],
)
def test_bad_settings(write, errors, text, line, field, said, fix):
    found = errors(lambda: load(write, text))
    match = [error for error in found if said in error.seen]
    assert match, [str(error) for error in found]
    assert (match[0].line, match[0].field) == (line, field)
    assert fix in match[0].fix


def test_bad_overrides_name_the_variable(write, errors):
    (error,) = errors(lambda: load(write, "", {"JUPITER_WINDOW": "x"}))
    assert (error.file, error.field) == (None, "JUPITER_WINDOW")
    (error,) = errors(lambda: load(write, "", {"JUPITER_WINDOWS": "4"}))
    assert "JUPITER_WINDOW?" in error.fix
    (error,) = errors(lambda: load(write, "", {"JUPITER_SCHEDULAR": "heft"}))
    assert "JUPITER_SCHEDULER?" in error.fix


def test_other_variables_are_warned_of(write):
    environment = {"JUPITER_NODES": "n.txt", "JUPITER_SERVICE_HOST": "10.0.0.1"}
    nodes, service = load(write, "", environment).warnings
    assert nodes.startswith("JUPITER_NODES in the environment is no setting")
    assert nodes.endswith("did you mean JUPITER_NODES_PATH?")
    assert service.startswith("JUPITER_SERVICE_HOST ")


def test_what_a_task_finds_in_its_environment_is_no_stranger(write):
    environment = {"JUPITER_JOB": "a-000000", "JUPITER_ATTEMPT": "1", "JUPITER_FIRING": "{}"}
    assert load(write, "", environment).warnings == ()


def test_several_faults_together(write, errors):
    assert len(errors(lambda: load(write, "WINDO = 1\nSEED = -1\nfor x in y: pass\n"))) == 3


def test_shipped_file_is_good(request):
    root = request.config.rootpath
    settings = load_settings(root / "jupiter_config.py", {})
    assert settings.here == root
    assert settings.app_path == root / "task_specific_files" / "hello"
    assert settings.nodes_path == root / "nodes.txt"
