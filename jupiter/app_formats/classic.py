"""From DAG lines to an App: the rules that every classic dialect shares.

configuration.txt, DAG_Scheduler.txt and the transitional yaml all say the same things about a task.
Here services are told from tasks, sinks become home, and the ingress is found.
"""

from __future__ import annotations

from pathlib import Path

from jupiter.app import HOME, App, OutputPolicy, Service, Task
from jupiter.app_formats.config_json import MapEntry, TaskMap, read_config_json
from jupiter.app_formats.dag_lines import (
    SINKS,
    DagFile,
    DagLine,
    read_configuration_txt,
    read_dag_scheduler_txt,
)
from jupiter.app_formats.layout import app_folder, find_sample_input, find_scripts
from jupiter.app_formats.side_files import look_at_app_data, read_ports, read_static_assignment
from jupiter.errors import InputError, raise_input_errors
from jupiter.text_files import suggestion


def read_configuration_app(config: Path, home_child: tuple[str, ...] | None) -> App:
    """Read an app declared by ``configuration.txt``. Raises InputError or InputErrors."""
    found = read_configuration_txt(config)
    scripts = find_scripts(app_folder(config))
    if scripts == config.parent and not (scripts / "config.json").is_file():
        found.dialect = "CIRCE-2017"
    return build_app(found, home_child)


def read_dag_scheduler_app(config: Path, home_child: tuple[str, ...] | None) -> App:
    """Read an app declared by ``DAG_Scheduler.txt``. Raises InputError or InputErrors."""
    return build_app(read_dag_scheduler_txt(config), home_child)


def build_app(found: DagFile, home_child: tuple[str, ...] | None) -> App:
    """The App that ``found`` and the files beside it describe. Raises what is wrong, together."""
    folder = app_folder(found.path)
    scripts = find_scripts(folder)
    taskmap = _read_taskmap(folder, scripts)
    found.errors.extend(taskmap.errors)
    names = {line.name for line in found.lines}
    services = _services(found, taskmap, scripts)
    tasks = {
        line.name: _task(found, line, taskmap, names, services)
        for line in found.lines
        if line.name not in services
    }
    dropped = [
        (line.name, child)
        for line in found.lines
        if line.name in tasks
        for child in line.children
        if child in services
    ]
    found.warnings += service_edges_warning(dropped)
    _check_mapping(found, names)
    ingress = _ingress(found, tasks, home_child)
    files_per_job = _files_per_job(found, tasks, ingress)
    static = dict(found.mapping)
    for folder_of in dict.fromkeys((folder, scripts)):
        path = folder_of / "static_assignment.py"
        try:
            assigned, warnings = read_static_assignment(path)
        except InputError as error:
            found.errors.append(error)
            continue
        found.warnings += warnings
        static.update({task: node for task, node in assigned.items() if task in names})
    ports: dict[int, int] = {}
    try:
        ports = read_ports(folder / "app_config.ini")
    except InputError as error:
        found.errors.append(error)
    raise_input_errors(found.errors)
    static.pop(HOME, None)
    return App(
        name=folder.resolve().name,
        folder=folder,
        scripts=scripts,
        config=found.path,
        sample_input=find_sample_input(folder),
        dialect=found.dialect,
        tasks=tasks,
        ingress=ingress,
        services=services,
        files_per_job=files_per_job,
        static_placement=static,
        ports=ports,
        warnings=(*found.warnings, *look_at_app_data(folder, scripts, names)),
    )


def _read_taskmap(folder: Path, scripts: Path) -> TaskMap:
    taskmap = read_config_json(scripts / "config.json")
    return taskmap if taskmap.path else read_config_json(folder / "config.json")


def _services(found: DagFile, taskmap: TaskMap, scripts: Path) -> dict[str, Service]:
    services = {}
    for line in found.lines:
        entry = taskmap.entries.get(line.name)
        loops = line.children == (line.name,)
        if loops and entry is not None and entry.is_dag:
            found.fail(
                f"{line.name!r} sends to itself alone, which means a service, but "
                "config.json calls it a task of the DAG",
                f'write "{line.name}": ["{entry.module}", false] into config.json, or give the '
                "task a real child",
                line.line,
                "children",
            )
        is_service = line.is_service
        if is_service is None:
            is_service = loops or (entry is not None and not entry.is_dag)
        if is_service:
            services[line.name] = Service(
                name=line.name,
                argv=service_argv(scripts, entry or MapEntry(line.module or line.name, False, ())),
                children=tuple(child for child in line.children if child != line.name),
                node=line.node,
                line=line.line,
            )
    return services


def service_argv(scripts: Path, entry: MapEntry) -> tuple[str, ...]:
    """How a service of config.json is run: its ``.py`` if there is one, else its ``.sh``."""
    if (scripts / f"{entry.module}.py").is_file() or not (scripts / f"{entry.module}.sh").is_file():
        return ("python", "-u", f"{entry.module}.py", *entry.args)
    return ("sh", f"{entry.module}.sh", *entry.args)


def _task(
    found: DagFile,
    line: DagLine,
    taskmap: TaskMap,
    names: set[str],
    services: dict[str, Service],
) -> Task:
    entry = taskmap.entries.get(line.name)
    if entry is None and taskmap.entries and line.module is None:
        found.warnings.append(
            f"config.json has no taskname_map entry for {line.name!r}: its module is taken to be "
            f"{line.name!r}"
        )
    sinks = tuple(sink for sink in SINKS if sink not in names)
    # The flag says nothing when the first child is home: that output always goes there whole. With
    # one child, handing out files in turn and giving all files to all children are the same.
    scatter = line.scatter and not (line.children and line.children[0] in sinks)
    dropped = [child for child in line.children if child in services]
    if dropped and scatter and len(line.children) > 1:
        found.fail(
            f"task {line.name!r} hands out its files in turn (false), and its child "
            f"{dropped[0]!r} is a service, which takes no files",
            f"remove {dropped[0]!r} from the children, or set the flag to true",
            line.line,
            "children",
        )
    children = [HOME if child in sinks else child for child in line.children]
    kept = tuple(dict.fromkeys(child for child in children if child not in services))
    for child in kept:
        if child != HOME and child not in names:
            found.fail(
                f"task {line.name!r} has the child {child!r}, which is not a task",
                suggestion(child, [*names, HOME], f"add a line for {child!r} or remove it here"),
                line.line,
                "children",
            )
    return Task(
        name=line.name,
        module=entry.module if entry else (line.module or line.name),
        children=kept,
        files_per_call=line.files,
        output_policy=(
            OutputPolicy.SCATTER if scatter and len(kept) > 1 else OutputPolicy.BROADCAST
        ),
        args=entry.args if entry else (),
        profiled=taskmap.profiled.get(line.name, True),
        node=line.node,
        line=line.line,
    )


def service_edges_warning(dropped: list[tuple[str, str]]) -> list[str]:
    """One warning for all edges that were left out because they end at a service."""
    if not dropped:
        return []
    shown = ", ".join(f"{task} → {child}" for task, child in dropped[:3])
    more = f" and {len(dropped) - 3} more" if len(dropped) > 3 else ""
    return [f"services take no files, so these edges are left out: {shown}{more}"]


def _check_mapping(found: DagFile, names: set[str]) -> None:
    for task, at in found.mapping_lines.items():
        if task not in names and task not in SINKS:
            found.fail(
                f"the mapping names {task!r}, which is not a task",
                suggestion(task, names, "remove this mapping line"),
                at,
                "mapping",
            )
    for sink in SINKS:
        if sink not in names:
            found.mapping.pop(sink, None)


def _ingress(
    found: DagFile, tasks: dict[str, Task], home_child: tuple[str, ...] | None
) -> tuple[str, ...]:
    if not tasks:
        found.fail(
            "the app has no task", "add a line: TASK NUM_INPUTS true|false CHILD [CHILD ...]"
        )
        return ()
    if home_child:
        unknown = [name for name in home_child if name not in tasks]
        if not unknown:
            return tuple(dict.fromkeys(home_child))
        found.warnings.append(
            f"HOME_CHILD names {', '.join(unknown)}, not a task of this app: jobs enter by the "
            "tasks without parents instead"
        )
    fed = {child for task in tasks.values() for child in task.children}
    sources = tuple(name for name in tasks if name not in fed)
    first = next(iter(tasks))
    if sources and first not in sources:
        found.warnings.append(
            f"the first task {first!r} has parents, so jobs enter by {', '.join(sources)}; "
            "upstream Jupiter would send them to the first task"
        )
    return sources or (first,)


def _files_per_job(found: DagFile, tasks: dict[str, Task], ingress: tuple[str, ...]) -> int:
    fed = {child for task in tasks.values() for child in task.children}
    wanted = {
        name: tasks[name].files_per_call or 1 for name in ingress if name not in fed
    } or dict.fromkeys(ingress, 1)
    first = next(iter(wanted), None)
    for name, count in wanted.items():
        if first is not None and count != wanted[first]:
            found.fail(
                f"task {name!r} takes {count} files per job and {first!r} takes {wanted[first]}, "
                "but every task that jobs enter by gets the same files",
                "give all of them the same NUM_INPUTS",
                tasks[name].line,
                "NUM_INPUTS",
            )
    return wanted[first] if first is not None else 1
