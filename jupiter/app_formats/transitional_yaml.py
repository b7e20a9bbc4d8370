"""The yaml between v4 and v5: ``application.task_list.worker_tasks``.

It says what configuration.txt says, with names for the columns: ``inputs_to_wait_for`` is
NUM_INPUTS and ``output_policy`` the flag. So it is read into DAG lines and built as they are.
"""

from __future__ import annotations

from typing import Any

from jupiter.app import HOME, App
from jupiter.app_formats.classic import build_app
from jupiter.app_formats.config_json import module_name
from jupiter.app_formats.dag_lines import DagFile, DagLine
from jupiter.text_files import suggestion
from jupiter.yaml_lines import Where, YamlDocument

POLICIES = {
    "POINT_TO_POINT_BROADCAST": False,
    "BATCHED_ROUND_ROBIN": True,
    "BATCHED_CUSTOM_ORDER": True,
    "UNICAST": False,
    "NONE": False,
}
"""output_policy → whether outputs are handed out in turn."""


def read_transitional_app(document: YamlDocument, home_child: tuple[str, ...] | None) -> App:
    """The App of a yaml with ``task_list``. Raises InputError or InputErrors."""
    found = DagFile(document.path, "app_config.yaml (transitional)")
    application = document.data["application"]
    task_list = application["task_list"]
    top: Where = ("application", "task_list", "worker_tasks")
    rows = task_list.get("worker_tasks") if isinstance(task_list, dict) else None
    if not isinstance(rows, list) or not rows:
        raise document.error(
            top, "task_list has no list worker_tasks", "start each task with '- name: ...'"
        )
    for index, row in enumerate(rows):
        _add(found, document, row, (*top, index))
    count = application.get("num_tasks")
    if isinstance(count, int) and count != len(rows):
        found.errors.append(
            document.error(
                ("application", "num_tasks"),
                f"num_tasks is {count}, but worker_tasks has {len(rows)}",
                f"write {len(rows)}, or mend worker_tasks",
            )
        )
    for key, where in (("non_dag_tasks", "application.task_list"), ("sources", "application")):
        holder = task_list if key == "non_dag_tasks" else application
        if holder.get(key):
            found.warnings.append(f"{where}.{key} is not used: input files come from sample_input")
    return build_app(found, home_child)


def _add(found: DagFile, document: YamlDocument, row: Any, where: Where) -> None:
    name = row.get("name") if isinstance(row, dict) else None
    line = document.line(where)
    if not isinstance(name, str) or not name:
        found.fail("a task has no name", "start it with '- name: ...'", line, "name")
        return
    files = row.get("inputs_to_wait_for", 1)
    if isinstance(files, bool) or not isinstance(files, int) or files < 1:
        found.errors.append(
            document.error(
                (*where, "inputs_to_wait_for"),
                f"inputs_to_wait_for of {name!r} is {files!r}, expected 1 or more",
                "write how many files one call of the task takes",
            )
        )
        files = 1
    policy = str(row.get("output_policy", "POINT_TO_POINT_BROADCAST"))
    if policy not in POLICIES:
        found.errors.append(
            document.error(
                (*where, "output_policy"),
                f"output_policy of {name!r} is {policy!r}",
                suggestion(policy, POLICIES, "write one of " + ", ".join(POLICIES)),
            )
        )
    children = row.get("children") or []
    if not isinstance(children, list) or not all(isinstance(child, str) for child in children):
        found.errors.append(
            document.error(
                (*where, "children"),
                f"children of {name!r} is not a list of names",
                "write one '- child' per line",
            )
        )
        children = []
    if policy == "UNICAST" and len(children) > 1:
        found.errors.append(
            document.error(
                (*where, "output_policy"),
                f"{name!r} sends each file to one of {len(children)} children (UNICAST), and "
                "nothing says to which",
                "write the app in app.yaml with output_policy: by_name, and call the files "
                "<task>_<child>_<name>",
            )
        )
    if not children:
        found.warnings.append(f"{name!r} has no children: its output goes home")
    script = row.get("base_script")
    node = row.get("node_placement")
    if node is not None:
        found.warnings.append(
            f"node_placement {node} of {name!r} is a host and not used; pin tasks to nodes in "
            "app.yaml, or give a mapping"
        )
    found.add(
        DagLine(
            name,
            files,
            POLICIES.get(policy, False),
            tuple(children) or (HOME,),
            line,
            module=module_name(script) if isinstance(script, str) else None,
            is_service=None if row.get("dag_task", True) else True,
        )
    )
