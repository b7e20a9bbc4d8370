"""Jupiter v5's app_config.yaml, and the transitional yaml before it."""

from __future__ import annotations

import pytest

from jupiter.app import HOME, Executor, OutputPolicy
from jupiter.app_formats import load_app

V5 = """\
jupiter_config: {namespace_prefix: zxc, task_mapper: heft}
node_map: {home: master, node1: n0, node2: n1}
application:
  port_mappings: ["9000:8000"]
  tasks:
    nondag_tasks:
      - {name: source, base_script: source.py, k8s_host: n1, children: [task0]}
    home: {base_script: home.py, children: [task0]}
    dag_tasks:
      - {name: task0, base_script: task.py, children: [task1, task2]}
      - {name: task1, base_script: task.py, children: [task3]}
      - name: task2
        base_script: task.py
        children: [task3]
      - {name: task3, base_script: task.py, children: [home]}
"""

TRANSITIONAL = """\
node_list: {home: h, node1: n1}
application:
  ports: [57021]
  num_tasks: 3
  sources:
    - name: datasource1
  task_list:
    home: home
    worker_tasks:
      - name: task0
        base_script: task.py
        inputs_to_wait_for: 1
        output_policy: BATCHED_ROUND_ROBIN
        children: [task1, task2]
      - name: task1
        inputs_to_wait_for: 1
        output_policy: POINT_TO_POINT_BROADCAST
        children: [home]
      - name: task2
        inputs_to_wait_for: 1
        output_policy: POINT_TO_POINT_BROADCAST
        dag_task: True
"""


def test_v5(write):
    folder = write({"app_config.yaml": V5, "task.py": "", "sample_inputs/1": ""})
    app = load_app(folder)
    assert app.dialect == "app_config.yaml (v5)"
    assert app.scripts == folder
    assert app.tasks["task0"].children == ("task1", "task2")
    assert app.tasks["task0"].executor is Executor.LOOP
    assert app.tasks["task0"].output_policy is OutputPolicy.BY_NAME
    assert app.tasks["task2"].module == "task"
    assert app.tasks["task2"].line == 12
    assert app.sinks == ("task3",)
    assert app.ingress == ("task0",)
    assert app.ports == {9000: 8000}
    assert app.services["source"].argv == ("python", "-u", "source.py")
    assert app.services["source"].children == ("task0",)
    assert app.services["source"].node == "node2"


def test_v5_home_without_children_uses_the_sources(write):
    text = V5.replace("home: {base_script: home.py, children: [task0]}", "home: {}")
    assert load_app(write({"app_config.yaml": text})).ingress == ("task0",)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("children: [task1, task2]", "children: [task1, tusk2]", 10, "'tusk2'"),
        ("{name: task0, base", "{nme: task0, base", 10, "no name"),
        ("{name: task1, base_script: task.py,", "{name: task1,", 11, "base_script"),
        ("name: task1,", "name: task0,", 11, "taken"),
        ("children: [home]", "children: []", 15, "no child"),
        ("children: [home]", "children: home", 15, "list of names"),
        ("home.py, children: [task0]", "home.py, children: [task9]", 8, "'task9'"),
        ('"9000:8000"', '"nine"', 4, "port mapping"),
        ("    dag_tasks:", "    tag_tasks:", 5, "no dag task"),
        ("  tasks:", "  tusks:", 3, "'tasks'"),
        ("application:", "app:", 1, "'application'"),
    ],
)
def test_bad_v5(write, errors, old, new, line, said):
    folder = write({"app_config.yaml": V5.replace(old, new, 1)})
    found = errors(lambda: load_app(folder))
    match = [error for error in found if said in error.seen]
    assert match, [str(error) for error in found]
    assert match[0].line == line


def test_transitional(write):
    app = load_app(write({"app_config.yaml": TRANSITIONAL}))
    assert app.dialect == "app_config.yaml (transitional)"
    assert app.tasks["task0"].output_policy is OutputPolicy.SCATTER
    assert app.tasks["task0"].module == "task"
    assert app.tasks["task0"].executor is Executor.ISOLATED
    assert app.tasks["task0"].line == 10
    assert app.tasks["task1"].children == (HOME,)
    assert app.tasks["task2"].children == (HOME,)
    assert any("sources" in warning for warning in app.warnings)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("num_tasks: 3", "num_tasks: 4", 4, "num_tasks is 4"),
        ("inputs_to_wait_for: 1", "inputs_to_wait_for: none", 12, "expected 1 or more"),
        ("BATCHED_ROUND_ROBIN", "UNICAST", 13, "UNICAST"),
        ("BATCHED_ROUND_ROBIN", "BATCHED_ROBIN", 13, "BATCHED_ROBIN"),
        ("[task1, task2]", "[task1, task9]", 10, "'task9'"),
        ("      - name: task1", "      - nam: task1", 15, "no name"),
    ],
)
def test_bad_transitional(write, errors, old, new, line, said):
    folder = write({"app_config.yaml": TRANSITIONAL.replace(old, new, 1)})
    found = errors(lambda: load_app(folder))
    match = [error for error in found if said in error.seen]
    assert match, [str(error) for error in found]
    assert match[0].line == line
