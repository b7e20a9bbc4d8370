"""configuration.txt, DAG_Scheduler.txt and CIRCE-2017 folders become the same App."""

from __future__ import annotations

import json

import pytest

from jupiter.app import HOME, OutputPolicy
from jupiter.app_formats import load_app

DETECTION = """\
14
localpro 1 false aggregate0 aggregate1 aggregate2 
aggregate0 1 true simpledetector0 astutedetector0
aggregate1 1 true simpledetector1 astutedetector1
aggregate2 1 true simpledetector2 astutedetector2
simpledetector0 1 true fusioncenter0 
simpledetector1 1 true fusioncenter1
simpledetector2 1 true fusioncenter2
astutedetector0 1 true fusioncenter0
astutedetector1 1 true fusioncenter1
astutedetector2 1 true fusioncenter2
fusioncenter0 2 true globalfusion
fusioncenter1 2 true globalfusion
fusioncenter2 2 true globalfusion 
globalfusion 3 true home"""

SERVICES = """\
6
source 1 true detector
detector 1 true fusion slave0 master
slave0 1 false slave0
master 1 false worker
worker 1 false worker
fusion 1 true home
"""

SERVICE_MAP = {
    "taskname_map": {
        "source": ["source", True],
        "detector": ["parts/detector", True, 0],
        "slave0": ["slave", False, 0, 0, 3],
        "master": ["tera/standby", False, 1],
        "worker": ["tera/worker", False],
        "fusion": ["fusion.py", True],
    },
    "exec_profiler": {"detector": False, "fusion": True},
    "PortNum": "57021",
}


def test_reads_configuration_with_trailing_spaces_and_no_final_newline(write):
    app = load_app(
        write(
            {
                "configuration.txt": DETECTION,
                "scripts/config.json": "",
            }
            | {"scripts/config.json": json.dumps({"taskname_map": {}})}
        )
    )
    assert len(app.tasks) == 14
    assert app.ingress == ("localpro",)
    assert app.sinks == ("globalfusion",)
    assert app.tasks["localpro"].children == ("aggregate0", "aggregate1", "aggregate2")
    assert app.tasks["localpro"].output_policy is OutputPolicy.SCATTER
    assert app.tasks["aggregate0"].output_policy is OutputPolicy.BROADCAST
    assert app.tasks["globalfusion"].files_per_call == 3
    assert app.tasks["fusioncenter1"].line == 13
    assert app.parents("fusioncenter0") == ("simpledetector0", "astutedetector0")
    assert app.parents("localpro") == (HOME,)
    assert not app.warnings


def test_services_are_told_from_tasks(write):
    app = load_app(
        write(
            {
                "configuration.txt": SERVICES,
                "scripts/config.json": json.dumps(SERVICE_MAP),
                "scripts/slave.py": "",
                "scripts/tera/standby.sh": "",
            }
        )
    )
    assert set(app.tasks) == {"source", "detector", "fusion"}
    assert app.services["slave0"].argv == ("python", "-u", "slave.py", "0", "0", "3")
    assert app.services["slave0"].children == ()
    assert app.services["master"].argv == ("sh", "tera/standby.sh", "1")
    assert app.services["master"].children == ("worker",)
    assert app.tasks["detector"].module == "parts/detector"
    assert app.tasks["detector"].args == ("0",)
    assert app.tasks["detector"].children == ("fusion",)
    assert not app.tasks["detector"].profiled
    assert app.tasks["fusion"].module == "fusion"
    assert len(app.warnings) == 1
    assert "detector → slave0, detector → master" in app.warnings[0]


def test_circe_2017_has_mapping_lines_and_scripts_beside_the_config(write):
    folder = write(
        {
            "configuration.txt": "2\nlocal_pro 1 true global_fusion\n"
            "global_fusion 1 true scheduler\nlocal_pro node1\nglobal_fusion node14\n",
            "local_pro.py": "",
        }
    )
    app = load_app(folder)
    assert app.dialect == "CIRCE-2017"
    assert app.scripts == folder
    assert app.tasks["local_pro"].module == "local_pro"
    assert app.tasks["global_fusion"].children == (HOME,)
    assert app.static_placement == {"local_pro": "node1", "global_fusion": "node14"}


def test_a_task_may_be_called_scheduler(write):
    app = load_app(
        write({"configuration.txt": "2\nfirst 1 true scheduler\nscheduler 1 true home\n"})
    )
    assert app.tasks["first"].children == ("scheduler",)


def test_home_behind_another_child_is_home(write):
    app = load_app(write({"configuration.txt": "2\na 1 true b home\nb 1 true home\n"}))
    assert app.tasks["a"].children == ("b", HOME)


@pytest.mark.parametrize(
    ("line", "policy"),
    [
        ("a 1 false b c", OutputPolicy.SCATTER),
        ("a 1 FALSE b c", OutputPolicy.SCATTER),
        ("a 1 true b c", OutputPolicy.BROADCAST),
        ("a 1 false home b c", OutputPolicy.BROADCAST),
        ("a 1 false b", OutputPolicy.BROADCAST),
    ],
)
def test_flag(write, line, policy):
    config = f"3\n{line}\nb 1 true home\nc 1 true home\n"
    assert load_app(write({"configuration.txt": config})).tasks["a"].output_policy is policy


def test_num_inputs_of_the_ingress_is_files_per_job(write):
    app = load_app(
        write(
            {
                "configuration.txt": "3\ndummy 2 true left right\n"
                "left 2 true home\nright 2 true home\n"
            }
        )
    )
    assert app.files_per_job == 2
    assert app.tasks["left"].files_per_call == 2


TWO_SOURCES = "3\na 1 true c\nb 1 true c\nc 2 true home\n"


def test_several_ingress_tasks(write):
    folder = write({"configuration.txt": TWO_SOURCES})
    assert load_app(folder).ingress == ("a", "b")
    assert load_app(folder, home_child=("b", "a")).ingress == ("b", "a")


def test_home_child_of_another_app_is_ignored_with_a_warning(write):
    app = load_app(write({"configuration.txt": TWO_SOURCES}), home_child=("sample_ingress_task1",))
    assert app.ingress == ("a", "b")
    assert "sample_ingress_task1" in app.warnings[0]


def test_ingress_tasks_must_agree_on_files_per_job(write, errors):
    folder = write({"configuration.txt": TWO_SOURCES.replace("b 1", "b 2")})
    (error,) = errors(lambda: load_app(folder))
    assert (error.line, error.field) == (3, "NUM_INPUTS")


def test_dag_scheduler_fills_in_what_it_leaves_out(write):
    app = load_app(
        write(
            {
                "DAG_Scheduler.txt": "parent  children\nlocalpro    agg0  agg1\n"
                "agg0  fusion\nagg1  fusion slave\nslave slave\n"
            }
        )
    )
    assert app.ingress == ("localpro",)
    assert app.tasks["fusion"].files_per_call == 2
    assert app.tasks["fusion"].children == (HOME,)
    assert app.tasks["agg1"].children == ("fusion",)
    assert set(app.services) == {"slave"}


@pytest.mark.parametrize(
    ("config", "line", "field", "said", "fix"),
    [
        ("", None, None, "empty", "number of tasks"),
        ("3\na 1 true home\n", 1, "task count", "says 3 tasks, but 1", "write 1"),
        ("a 1 true home\n", 1, "task count", "expected the number", "number of tasks"),
        ("x\na 1 true home\n", 1, "task count", "'x'", "number of tasks"),
        ("1\na one true home\n", 2, "NUM_INPUTS", "'one'", "for example 1"),
        ("1\na 0 true home\n", 2, "NUM_INPUTS", "could never run", "1 or more"),
        ("1\na -1 true home\n", 2, "NUM_INPUTS", "could never run", "1 or more"),
        ("1\na 1 yes home\n", 2, "flag", "'yes'", "write true"),
        ("1\na 1 true\n", 2, "children", "no child", "home"),
        ("1\na 1\n", 2, None, "not a task line", "TASK NUM_INPUTS"),
        ("1\nhome 1 true home\n", 2, "task", "'home'", "another name"),
        ("2\na 1 true home\na 1 true home\n", 3, "task", "declared twice", "line 2|rename"),
        ("2\na 1 true b b\nb 1 true home\n", 2, "children", "more than once", "once"),
        ("2\naa 1 true bbq\nbbb 1 true home\n", 2, "children", "'bbq'", "mean 'bbb'"),
        ("1\na 1 true home\nb node1\n", 3, "mapping", "'b'", "mean|remove"),
        ("1\na 1 true home\na n1\na n2\n", 4, "mapping", "mapped twice", "remove"),
        ("1\na 1 true a\n", None, None, "no task", "add a line"),
    ],
)
def test_bad_configuration(write, errors, config, line, field, said, fix):
    folder = write({"configuration.txt": config})
    found = errors(lambda: load_app(folder))
    match = [error for error in found if said in error.seen]
    assert match, [str(error) for error in found]
    assert (match[0].line, match[0].field) == (line, field)
    assert any(word in match[0].fix for word in fix.split("|"))
    assert match[0].file == str(folder / "configuration.txt")


def test_all_errors_of_a_file_are_reported_together(write, errors):
    folder = write({"configuration.txt": "9\na x true home\nb 1 maybe home\nc 1 true dd\n"})
    found = errors(lambda: load_app(folder))
    assert [error.line for error in found] == [2, 3, 1, 4]


def test_scatter_to_a_service_is_refused(write, errors):
    config = "3\na 1 false b svc\nb 1 true home\nsvc 1 false svc\n"
    (error,) = errors(lambda: load_app(write({"configuration.txt": config})))
    assert error.line == 2
    assert "service" in error.seen


def test_self_loop_that_config_json_calls_a_task(write, errors):
    folder = write(
        {
            "configuration.txt": "2\na 1 true home\nb 1 true b\n",
            "scripts/config.json": '{"taskname_map": {"a": ["a", true], "b": ["b", true]}}',
        }
    )
    (error,) = errors(lambda: load_app(folder))
    assert error.line == 3
    assert "config.json" in error.seen


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("{\n", 2, "not JSON"),
        ("[]", None, "taskname_map"),
        ('{\n"taskname_map": {\n"a": ["a"]}}', 3, "entry"),
        ('{"taskname_map": {"a": ["a", "maybe"]}}', 1, "entry"),
        ('{"taskname_map": {"a": [3, true]}}', 1, "entry"),
    ],
)
def test_bad_config_json(write, errors, text, line, said):
    folder = write({"configuration.txt": "1\na 1 true home\n", "scripts/config.json": text})
    (error,) = errors(lambda: load_app(folder))
    assert error.file == str(folder / "scripts" / "config.json")
    assert error.line == line
    assert said in error.seen


def test_a_task_without_taskmap_entry_is_its_own_module(write):
    app = load_app(
        write(
            {
                "configuration.txt": "2\na 1 true b\nb 1 true home\n",
                "scripts/config.json": '{"taskname_map": {"a": ["x.y", 1]}}',
            }
        )
    )
    assert (app.tasks["a"].module, app.tasks["b"].module) == ("x.y", "b")
    assert "'b'" in app.warnings[0]


def test_not_utf8(write, errors):
    folder = write({"configuration.txt": b"1\ncaf\xe9 1 true home\n"})
    (error,) = errors(lambda: load_app(folder))
    assert error.line == 2
    assert "0xe9" in error.seen
    assert "UTF-8" in error.fix


def test_byte_order_mark_comments_and_crlf_are_harmless(write):
    config = "\ufeff# my app\r\n\r\n1\r\na 1 true home\r\n"
    assert list(load_app(write({"configuration.txt": config})).tasks) == ["a"]
