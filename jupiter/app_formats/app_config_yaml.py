"""``app_config.yaml``: Jupiter v5, and telling it from the transitional yaml before it.

v5 has no join and no output policy: a task is a loop that takes file names from a queue, and the
name of an output, ``<task>_<child>_<base>``, decides where it goes. ``nondag_tasks`` only send;
they are services here. ``home`` is built in, so its ``base_script`` is not run; its children are
the ingress. The file's own nodes are read by :mod:`jupiter.nodes`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupiter.app import HOME, App, Executor, OutputPolicy, Service, Task
from jupiter.app_formats.classic import service_edges_warning
from jupiter.app_formats.config_json import module_name
from jupiter.app_formats.layout import app_folder, find_sample_input, find_scripts
from jupiter.app_formats.transitional_yaml import read_transitional_app
from jupiter.errors import InputError, raise_input_errors
from jupiter.text_files import suggestion
from jupiter.yaml_lines import Where, YamlDocument, read_yaml


def read_app_config_app(config: Path, home_child: tuple[str, ...] | None) -> App:
    """Read an app declared by ``app_config.yaml``. Raises InputError or InputErrors."""
    document = read_yaml(config, "app_config.yaml")
    application = document.data.get("application") if isinstance(document.data, dict) else None
    if not isinstance(application, dict):
        raise document.error(
            (), "it has no mapping 'application'", "write application: with tasks: below it"
        )
    if "task_list" in application:
        return read_transitional_app(document, home_child)
    tasks = application.get("tasks")
    if not isinstance(tasks, dict):
        raise document.error(
            ("application",), "application has no mapping 'tasks'", "add tasks: with dag_tasks:"
        )
    return _V5(document, tasks, application).build(home_child)


@dataclass(slots=True)
class _V5:
    document: YamlDocument
    tasks: dict[str, Any]
    application: dict[str, Any]
    errors: list[InputError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fail(self, where: Where, seen: str, fix: str) -> None:
        self.errors.append(self.document.error(where, seen, fix))

    def build(self, home_child: tuple[str, ...] | None) -> App:
        folder = app_folder(self.document.path)
        top: Where = ("application", "tasks")
        services = {}
        for name, row, where in self._rows("nondag_tasks"):
            services[name] = Service(
                name=name,
                argv=("python", "-u", f"{self._module(row, where)}.py"),
                children=self._children(row, where),
                node=self._node_of(row.get("k8s_host"), name),
                line=self.document.line(where),
            )
        tasks = {}
        for name, row, where in self._rows("dag_tasks"):
            if name in services:
                self.fail(
                    where,
                    f"{name!r} is both a dag task and a nondag task",
                    "give one of them another name",
                )
                continue
            tasks[name] = Task(
                name=name,
                module=self._module(row, where),
                children=self._children(row, where, required=True),
                output_policy=OutputPolicy.BY_NAME,
                executor=Executor.LOOP,
                line=self.document.line(where),
            )
        if not tasks:
            self.fail(top, "the app has no dag task", "add dag_tasks: with name and children")
        tasks = self._without_services(tasks, services)
        self._check_children(tasks, services)
        ingress = self._ingress(tasks, home_child)
        ports = self._ports()
        raise_input_errors(self.errors)
        return App(
            name=folder.resolve().name,
            folder=folder,
            scripts=find_scripts(folder),
            config=self.document.path,
            sample_input=find_sample_input(folder),
            dialect="app_config.yaml (v5)",
            tasks=tasks,
            ingress=ingress,
            services=services,
            ports=ports,
            warnings=tuple(self.warnings),
        )

    def _rows(self, key: str) -> list[tuple[str, dict[str, Any], Where]]:
        rows = self.tasks.get(key) or []
        top: Where = ("application", "tasks", key)
        if not isinstance(rows, list):
            self.fail(top, f"{key} is not a list", "start each task with '- name: ...'")
            return []
        found: list[tuple[str, dict[str, Any], Where]] = []
        for index, row in enumerate(rows):
            where = (*top, index)
            name = row.get("name") if isinstance(row, dict) else None
            if not isinstance(name, str) or not name:
                self.fail(where, "a task has no name", "start it with '- name: ...'")
            elif name == HOME or any(name == other for other, _, _ in found):
                self.fail(
                    where,
                    f"the name {name!r} is taken already",
                    "give every task a name of its own",
                )
            else:
                found.append((name, row, where))
        return found

    def _module(self, row: dict[str, Any], where: Where) -> str:
        script = row.get("base_script")
        if not isinstance(script, str) or not script.strip():
            self.fail(where, f"{row['name']!r} has no base_script", "add base_script: task.py")
            return str(row["name"])
        return module_name(script)

    def _children(
        self, row: dict[str, Any], where: Where, *, required: bool = False
    ) -> tuple[str, ...]:
        children = row.get("children") or []
        if not isinstance(children, list) or not all(isinstance(name, str) for name in children):
            self.fail(
                (*where, "children"), "children is not a list of names", "write children: [task1]"
            )
            return ()
        if required and not children:
            self.fail(where, f"task {row['name']!r} has no child", "write children: [home]")
        return tuple(dict.fromkeys(children))

    def _node_of(self, host: object, name: str) -> str | None:
        """The node on k8s_host, by node_map: the file pins services to hosts, Jupiter to nodes."""
        if host is None:
            return None
        table = self.document.data.get("node_map")
        for node, its_host in (table if isinstance(table, dict) else {}).items():
            if its_host == host and isinstance(node, str):
                return node
        self.warnings.append(
            f"the host {host} of {name!r} is no node of node_map; the scheduler places it"
        )
        return None

    def _without_services(
        self, tasks: dict[str, Task], services: dict[str, Service]
    ) -> dict[str, Task]:
        found, dropped = {}, []
        for task in tasks.values():
            kept = tuple(child for child in task.children if child not in services)
            dropped += [(task.name, child) for child in task.children if child in services]
            found[task.name] = replace(task, children=kept)
        self.warnings += service_edges_warning(dropped)
        return found

    def _check_children(self, tasks: dict[str, Task], services: dict[str, Service]) -> None:
        known = [*tasks, HOME]
        owners: list[Task | Service] = [*tasks.values(), *services.values()]
        for owner in owners:
            for child in owner.children:
                if child not in known:
                    self.errors.append(
                        InputError(
                            f"{owner.name!r} has the child {child!r}, which is not a dag task",
                            suggestion(child, known, f"add {child!r} or remove it here"),
                            file=self.document.path,
                            line=owner.line,
                            field="children",
                        )
                    )

    def _ingress(
        self, tasks: dict[str, Task], home_child: tuple[str, ...] | None
    ) -> tuple[str, ...]:
        home = self.tasks.get(HOME)
        home = home if isinstance(home, dict) else {}
        if home.get("base_script"):
            self.warnings.append(
                f"home's base_script {home['base_script']} is not run: home is built in"
            )
        where: Where = ("application", "tasks", HOME)
        named = self._children({**home, "name": HOME}, where)
        for child in named:
            if child not in tasks:
                self.fail(
                    (*where, "children"),
                    f"home has the child {child!r}, which is not a dag task",
                    suggestion(child, tasks, "name a dag task"),
                )
        if home_child and all(child in tasks for child in home_child):
            named = tuple(dict.fromkeys(home_child))
        if named:
            return named
        fed = {child for task in tasks.values() for child in task.children}
        return tuple(name for name in tasks if name not in fed) or tuple(tasks)[:1]

    def _ports(self) -> dict[int, int]:
        ports = {}
        where: Where = ("application", "port_mappings")
        entries = self.application.get("port_mappings") or []
        if not isinstance(entries, list):
            self.fail(where, "port_mappings is not a list", 'write ["9000:8000"]')
            entries = []
        for index, entry in enumerate(entries):
            pair = [
                int(text) for text in str(entry).split(":") if text.isascii() and text.isdigit()
            ]
            if len(pair) == 2 and str(entry).count(":") == 1 and all(0 < n < 65536 for n in pair):
                ports[pair[0]] = pair[1]
            else:
                self.fail(
                    (*where, index),
                    f"{entry!r} is not a port mapping",
                    'write "9000:8000": the service\'s port, then the port inside, in quotes',
                )
        return ports
