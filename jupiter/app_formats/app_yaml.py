"""``app.yaml``: an app in one file. Tasks name their inputs; children follow from that.

The grammar is :mod:`jupiter.app_schema`. Here the file is read with line numbers, pydantic's
findings become InputErrors, and the blocks become the App.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from jupiter.app import HOME, App, OutputPolicy, Service, Task, TaskTiming, Timing
from jupiter.app_formats.config_json import module_name
from jupiter.app_schema import BLOCKS, AppFile, ServiceBlock, TaskBlock
from jupiter.errors import InputError, raise_input_errors
from jupiter.text_files import is_below, nearest, suggestion
from jupiter.yaml_lines import Where, YamlDocument, field_name, read_yaml

_MOVED = {
    "offset": "timing",
    "budget": "timing",
    "deadline": "timing",
    "late": "timing",
    "cores": "resources",
    "memory": "resources",
    "children": "the children's inputs",
    "argv": "command",
}
"""Keys that are known, but belong elsewhere."""

_TAKES = {
    "int": "write a whole number, such as 2",
    "float": "write a number, such as 1.5",
    "bool": "write true or false",
    "string": "write it as text, in quotes if it looks like a number",
    "list": "write a list, such as [first, second]",
    "tuple": "write a list, such as [first, second]",
    "dict": "write NAME: below it, indented, with the keys of each",
    "model": "write keys below it, indented",
    "greater": "write a larger number",
    "less": "write a smaller number",
}
"""What to write, by the beginning of the name of pydantic's finding."""

_SEE = "docs/app_formats.md says what this key takes"


def read_app_yaml_app(config: Path, home_child: tuple[str, ...] | None = None) -> App:
    """Read ``app.yaml``. home_child is not used: the file says what its ingress is.

    Raises InputError or InputErrors, each with line and field.
    """
    del home_child
    document = read_yaml(config, "app.yaml")
    if not isinstance(document.data, dict):
        raise document.error((), "it is not a mapping", "start with 'app: NAME' and 'tasks:'")
    try:
        file = AppFile.model_validate(_without_nulls(document.data))
    except ValidationError as error:
        raise_input_errors([_input_error(document, item) for item in error.errors()])
        raise
    return _Builder(document, file).build()


def _without_nulls(data: object) -> object:
    """``camera:`` with nothing after it means a block of defaults, not null."""
    if not isinstance(data, dict):
        return data
    found = dict(data)
    for key in ("tasks", "services"):
        if isinstance(found.get(key), dict):
            found[key] = {
                name: {} if block is None else block for name, block in found[key].items()
            }
    return found


def _input_error(document: YamlDocument, item: object) -> InputError:
    assert isinstance(item, dict)
    where: Where = tuple(step for step in item["loc"] if step != "[key]")
    kind, seen = item["type"], item["input"]
    name = str(where[-1]) if where else ""
    if kind == "extra_forbidden":
        return document.error(where, f"unknown key {name!r}", _fix_unknown_key(where))
    if kind == "missing":
        return document.error(where, f"{name!r} is missing", f"add {name}: {_above(where)}")
    if kind == "value_error":
        text = str(item["ctx"]["error"])
        said, _, fix = text.partition(": ")
        return document.error(where, said, fix or _SEE)
    if kind == "string_pattern_mismatch":
        return document.error(
            where,
            f"{seen!r} can't be a name",
            "use letters, digits, '_', '-' and '.', and start with a letter or digit",
        )
    if kind == "enum":
        known = item["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return document.error(
            where,
            f"{seen!r} is not known",
            suggestion(str(seen), known, "one of " + ", ".join(known)),
        )
    message = item["msg"][0].lower() + item["msg"][1:]
    if kind in ("dict_type", "model_type"):
        message = "expected a block of keys and values"
    shown = "" if isinstance(seen, dict | list) else f"{seen!r}: "
    takes = next((text for start, text in _TAKES.items() if kind.startswith(start)), "")
    fix = f"{takes}; docs/app_formats.md has every key" if takes else _SEE
    return document.error(where, f"{shown}{message}", fix)


def _above(where: Where) -> str:
    above = field_name(where[:-1])
    return f"below {above}" if above else "at the top of the file"


def _fix_unknown_key(where: Where) -> str:
    key = str(where[-1])
    place = tuple(str(step) for step in where[:-1])
    pattern = tuple("*" if at == 1 else step for at, step in enumerate(place))
    block = BLOCKS.get(pattern) or BLOCKS.get(place) or AppFile
    known = list(block.model_fields)
    found = nearest(key, known)
    if found is None and key in _MOVED:
        return f"put it into {_MOVED[key]}"
    if found is not None:
        return f"did you mean {found!r}?"
    return f"remove it; known here are {', '.join(known)}"


class _Builder:
    """From the checked blocks to the App, collecting what pydantic can't see."""

    def __init__(self, document: YamlDocument, file: AppFile) -> None:
        self.document = document
        self.file = file
        self.errors: list[InputError] = []
        self.consumers: dict[str, list[str]] = {name: [] for name in file.tasks}
        for name, block in file.tasks.items():
            for parent in dict.fromkeys(block.inputs):
                if parent in self.consumers:
                    self.consumers[parent].append(name)

    def fail(self, where: Where, seen: str, fix: str) -> None:
        self.errors.append(self.document.error(where, seen, fix))

    def build(self) -> App:
        """The App. Raises InputError or InputErrors."""
        file, folder = self.file, self.document.path.parent
        tasks = {name: self._task(name, block) for name, block in file.tasks.items()}
        services = {name: self._service(name, block) for name, block in file.services.items()}
        ingress = tuple(
            name for name, block in file.tasks.items() if not block.inputs or HOME in block.inputs
        )
        if not ingress:
            self.fail(
                ("tasks",),
                "every task has inputs, so no job can ever enter",
                "leave inputs out of the task that jobs enter by, or put home among them",
            )
        scripts = self._folder("scripts", file.scripts)
        sample_input = self._folder("sample_input", file.sample_input)
        raise_input_errors(self.errors)
        return App(
            name=file.app or folder.resolve().name,
            folder=folder,
            scripts=scripts,
            config=self.document.path,
            sample_input=sample_input if sample_input.is_dir() else None,
            dialect="app.yaml",
            tasks=tasks,
            ingress=ingress,
            services=services,
            files_per_job=file.ingress.files_per_job,
            timing=self._timing(),
            ports=dict(file.ports),
        )

    def _folder(self, key: str, value: str) -> Path:
        folder = self.document.path.parent
        path = folder / value
        if not is_below(path, folder):
            self.fail(
                (key,), f"{value!r} leads out of the APP folder", "name a folder inside of it"
            )
        elif key == "sample_input" and not path.is_dir() and key in self.file.model_fields_set:
            self.fail((key,), f"there is no folder {value!r}", "make it, or leave the key out")
        return path

    def _timing(self) -> Timing | None:
        block = self.file.timing
        if block is None:
            return None
        return Timing(
            timeline=block.timeline,
            period_ns=block.period,
            accuracy_ns=block.accuracy,
            resolution_ns=block.resolution,
            late=block.late,
            jobs=block.jobs,
            line=self.document.line(("timing",)),
        )

    def _task(self, name: str, block: TaskBlock) -> Task:
        where: Where = ("tasks", name)
        if name == HOME or name in self.file.services:
            what = "the node that jobs enter by" if name == HOME else "a service"
            self.fail(where, f"{name!r} is the name of {what}", "give the task another name")
        self._check_inputs(name, block, where)
        timing = block.timing
        return Task(
            name=name,
            module=module_name(block.module or name),
            children=self._children(name, block, where),
            files_per_call=block.files_per_call,
            output_policy=block.output_policy,
            executor=block.executor,
            args=tuple(block.args),
            retries=block.retries,
            timeout_ns=block.timeout,
            cores=block.resources.cores,
            memory_bytes=block.resources.memory,
            profiled=block.profiled,
            trigger=block.trigger,
            timing=TaskTiming(timing.offset, timing.budget, timing.deadline, timing.late),
            node=block.node,
            line=self.document.line(where),
            inputs=tuple(dict.fromkeys(block.inputs)) or None,
        )

    def _check_inputs(self, name: str, block: TaskBlock, where: Where) -> None:
        known = [other for other in (*self.file.tasks, HOME) if other != name]
        for at, parent in enumerate(block.inputs):
            here = (*where, "inputs", at)
            if parent == name:
                self.fail(here, f"task {name!r} is its own input", "remove it from the inputs")
            elif parent in block.inputs[:at]:
                self.fail(here, f"{parent!r} is named twice", "name every input once")
            elif parent in self.file.services:
                self.fail(
                    here,
                    f"the input {parent!r} of {name!r} is a service",
                    f"remove it here, and write 'outputs: {name}' below the service",
                )
            elif parent not in known:
                self.fail(
                    here,
                    f"the input {parent!r} of {name!r} is not a task",
                    suggestion(parent, known, f"add the task {parent!r}, or remove it here"),
                )

    def _children(self, name: str, block: TaskBlock, where: Where) -> tuple[str, ...]:
        consumers = self.consumers[name]
        known = [*consumers, HOME]
        for at, child in enumerate(block.outputs):
            here = (*where, "outputs", at)
            if child in block.outputs[:at]:
                self.fail(here, f"{child!r} is named twice", "name every child once")
            elif child not in known:
                fix = (
                    f"add {name!r} to the inputs of {child!r}"
                    if child in self.file.tasks
                    else suggestion(child, known, "remove it")
                )
                self.fail(here, f"{child!r} does not take the output of {name!r}", fix)
        children = tuple(dict.fromkeys([*block.outputs, *consumers])) or (HOME,)
        unlisted = [child for child in consumers if block.outputs and child not in block.outputs]
        if unlisted and block.output_policy is OutputPolicy.SCATTER:
            self.fail(
                (*where, "outputs"),
                f"{name!r} hands out its files in turn, and outputs leaves out {unlisted[0]!r}",
                "list all children, in the order that they get the files",
            )
        return children

    def _service(self, name: str, block: ServiceBlock) -> Service:
        where: Where = ("services", name)
        known = [*self.file.tasks, HOME]
        for at, child in enumerate(block.outputs):
            if child not in known:
                self.fail(
                    (*where, "outputs", at),
                    f"the service {name!r} sends to {child!r}, which is not a task",
                    suggestion(child, known, "remove it"),
                )
        return Service(
            name=name,
            argv=tuple(block.command),
            children=tuple(dict.fromkeys(block.outputs)),
            node=block.node,
            line=self.document.line(where),
        )
