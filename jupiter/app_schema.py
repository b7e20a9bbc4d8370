"""The grammar of ``app.yaml``: one model per block, checked by pydantic, and its JSON Schema.

``python -m jupiter.app_schema`` writes ``jupiter/schemas/app.schema.json``, which editors use to
complete and check the file. What each field means is told in ``docs/app_formats.md``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from jupiter.app import Executor, LatePolicy, OutputPolicy, Trigger
from jupiter.units import parse_duration_ns, parse_size_bytes

SCHEMA_FILE = Path(__file__).with_name("schemas") / "app.schema.json"

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""What tasks, services and nodes may be called: it must do as a file name and as a DNS label."""


def _text_or_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _argument(value: object) -> object:
    """YAML's numbers and truth values as the words they were written with, for a command line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _units(what: str, units: str, example: str) -> dict[str, Any]:
    number = r"^\s*[0-9]+(\.[0-9]+)?\s*"
    return {
        "type": "string",
        "pattern": f"{number}({units})\\s*$",
        "description": f"{what} with its unit",
        "examples": [example],
    }


def _parsed(parse: Callable[[object], int]) -> BeforeValidator:
    return BeforeValidator(parse)


Duration = Annotated[
    int,
    _parsed(parse_duration_ns),
    WithJsonSchema(_units("A duration", "ns|us|µs|ms|s|min|h", "50ms")),
]
Size = Annotated[
    int,
    _parsed(parse_size_bytes),
    WithJsonSchema(_units("A size", "B|kB|KB|MB|GB|KiB|MiB|GiB", "64MiB")),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Names = Annotated[
    list[str],
    BeforeValidator(_text_or_list),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]
Argument = Annotated[
    str,
    BeforeValidator(_argument),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]


class Block(BaseModel):
    """A mapping in the file. Unknown keys are errors: most are slips of the pen."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_enum_values=False)


class IngressBlock(Block):
    """How jobs are made of input files."""

    files_per_job: int = Field(default=1, ge=1, description="How many input files make one job.")


class TimingBlock(Block):
    """The timing of a periodic app whose tasks fire at instants."""

    timeline: Name = Field(description="Name of the shared time that the tasks fire on.")
    period: Duration = Field(description="A job is released once in this time.")
    accuracy: Duration = Field(description="The largest error of an instant that is good enough.")
    resolution: Duration = Field(
        default=1_000,
        description="The largest tick of the time that is good enough.",
        json_schema_extra={"default": "1us"},
    )
    late: LatePolicy = Field(
        default=LatePolicy.LATE, description="What a task does whose inputs miss its instant."
    )
    jobs: int | None = Field(
        default=None, ge=1, description="How many jobs a run makes when no input files drive it."
    )


class TaskTimingBlock(Block):
    """The timing of one task. What is left out, the timetable decides."""

    offset: Duration | None = Field(
        default=None, description="Fires this long after the job's release."
    )
    budget: Duration | None = Field(default=None, description="The longest that one call may run.")
    deadline: Duration | None = Field(
        default=None, description="Must have ended this long after the job's release."
    )
    late: LatePolicy | None = Field(
        default=None, description="What it does if its inputs miss its instant; default: the app's."
    )


class ResourcesBlock(Block):
    """What one call of a task needs."""

    cores: float = Field(default=1.0, gt=0, description="How many processor cores it keeps busy.")
    memory: Size | None = Field(default=None, description="The most memory it may use.")


class TaskBlock(Block):
    """One task of the DAG."""

    module: str | None = Field(
        default=None,
        min_length=1,
        description="Python module below the scripts folder; default: the task's name.",
    )
    args: list[Argument] = Field(default=[], description="Arguments for the task, as text.")
    inputs: Names = Field(
        default=[],
        description="The tasks whose output it takes, in the order it gets them; or home.",
    )
    outputs: Names = Field(
        default=[],
        description="Who gets its output, in this order; needed for scatter, or to send home too.",
    )
    output_policy: OutputPolicy = Field(
        default=OutputPolicy.BROADCAST, description="Which child gets which of its files."
    )
    files_per_call: int | None = Field(
        default=None, ge=1, description="How many files one call takes; default: all of the job."
    )
    executor: Executor = Field(
        default=Executor.ISOLATED, description="The contract between Jupiter and the task's code."
    )
    trigger: Trigger = Field(
        default=Trigger.EVENT, description="Runs when its inputs are there, or at an instant."
    )
    timing: TaskTimingBlock = TaskTimingBlock()
    retries: int = Field(default=2, ge=0, description="How often a failed call is tried again.")
    timeout: Duration | None = Field(default=None, description="A call that runs longer is ended.")
    resources: ResourcesBlock = ResourcesBlock()
    profiled: bool = Field(default=True, description="False: measure it at home only.")
    node: Name | None = Field(default=None, description="The node that it must run on.")


class ServiceBlock(Block):
    """A long-lived process beside the DAG."""

    command: list[Argument] = Field(
        min_length=1, description="Program and arguments, run in the scripts folder."
    )
    outputs: Names = Field(default=[], description="The tasks that it sends files to.")
    node: Name | None = Field(default=None, description="The node that it must run on.")


class AppFile(Block):
    """An app in one file."""

    model_config = ConfigDict(title="Jupiter app.yaml")

    app: Name | None = Field(default=None, description="The app's name; default: its folder's.")
    scripts: str = Field(default="scripts", min_length=1, description="Folder of the tasks' code.")
    sample_input: str = Field(
        default="sample_input", min_length=1, description="Folder of the input files."
    )
    ingress: IngressBlock = IngressBlock()
    timing: TimingBlock | None = None
    tasks: dict[Name, TaskBlock] = Field(min_length=1, description="The DAG, task by task.")
    services: dict[Name, ServiceBlock] = {}
    ports: dict[Port, Port] = Field(
        default={}, description="Extra ports: service port to port inside."
    )


BLOCKS: dict[tuple[str, ...], type[Block]] = {
    (): AppFile,
    ("ingress",): IngressBlock,
    ("timing",): TimingBlock,
    ("tasks", "*"): TaskBlock,
    ("tasks", "*", "timing"): TaskTimingBlock,
    ("tasks", "*", "resources"): ResourcesBlock,
    ("services", "*"): ServiceBlock,
}
"""Where each block stands; ``*`` is any name."""


def schema_text() -> str:
    """The JSON Schema of ``app.yaml``, as the shipped file holds it."""
    schema = AppFile.model_json_schema()
    for table in schema["properties"].values():
        if "patternProperties" in table:
            table["additionalProperties"] = False  # a name that can't be one is an error
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema file."""
    SCHEMA_FILE.parent.mkdir(exist_ok=True)
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
