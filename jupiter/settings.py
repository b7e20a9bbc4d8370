"""The operator's settings: ``jupiter_config.py`` with Jupiter's own names, validated.

The file is Python to look at and to edit, but it is never executed (:mod:`jupiter.literals`). Every
setting can be overridden by the environment: ``JUPITER_`` and its name, for example
``JUPITER_WINDOW=4``. Relative paths count from the file's folder. Unknown names in the file are
errors. In the environment those that are nearly a setting are errors, too, and others are warned
of: Kubernetes makes ``JUPITER_PORT`` and the like for a service that is called jupiter.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jupiter.errors import InputError, raise_input_errors
from jupiter.literals import Constants, read_constants
from jupiter.text_files import nearest, suggestion

PREFIX = "JUPITER_"

SCHEDULERS = ("heft", "wave_random", "wave_greedy", "heft_modified")
"""Jupiter's SCHEDULER numbers, in their order."""

LEGACY_NAMES = frozenset(
    {
        "HERE", "PROFILER_PATH", "CIRCE_PATH", "WAVE_PATH", "NETR_PROFILER_PATH", "HEFT_PATH",
        "EXEC_PROFILER_PATH", "SCRIPT_PATH", "INI_PATH", "APP_NAME", "APP_OPTION", "app_option",
        "TRANSFER", "PROFILER", "RUNTIME", "PRICING", "PRICING_OPTION", "pricing_option",
    }
)  # fmt: skip
"""Names of Jupiter's own files that are allowed and have no meaning here."""


def _names(value: object) -> object:
    """``"a:b"`` → ("a", "b"): Jupiter joins lists with colons."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(":") if name.strip())
    return value


def _scheduler(value: object) -> object:
    """Jupiter's number, as int or text, to its name."""
    text = str(value).strip().lower()
    if text.isascii() and text.isdigit() and int(text) < len(SCHEDULERS):
        return SCHEDULERS[int(text)]
    return text


def _port_range(value: object) -> object:
    """``"20000-20099"`` → (20000, 20099)."""
    if value in (None, ""):
        return None
    if isinstance(value, str):
        first, dash, last = value.partition("-")
        if not (dash and first.strip().isdigit() and last.strip().isdigit()):
            raise ValueError(f"{value!r} is not a range of ports: write it as '20000-20099'")
        value = (int(first), int(last))
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = value
        if not (isinstance(low, int) and isinstance(high, int) and 0 < low <= high < 65536):
            raise ValueError(
                f"{low}-{high} is not a range of ports: both are 1 to 65535, the lower one first"
            )
    return value


def _nothing(value: object) -> object:
    return None if value == "" else value


TAKES = {
    "window": "a whole number from 1 to 100000, such as 8",
    "seed": "a whole number that is not negative, such as 1",
    "static_mapping": "True or False",
    "port_range": "a range such as '20000-20099'",
}
"""What a setting takes, where that is not text."""

OF_TASKS = frozenset({"JUPITER_JOB", "JUPITER_ATTEMPT", "JUPITER_FIRING"})
"""What a task finds in its environment; a task may call ``jupiter``."""

Place = tuple[Path | None, int | None]
"""Where a value is from: file and line, or neither for the environment."""

Text = Annotated[str | None, BeforeValidator(_nothing)]


class Settings(BaseModel):
    """All settings, checked. In the file and the environment the names are in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    here: Path
    """The folder that relative paths count from."""
    app_path: Path | None = None
    """The APP folder when a command names none."""
    nodes_path: Path = Path("nodes.txt")
    runs_path: Path = Path("runs")
    """Where run folders are made."""
    home_node: Text = None
    """The host of home; None: as nodes.txt says."""
    home_child: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """The tasks that home sends jobs to; empty: those without parents."""
    scheduler: Annotated[str, BeforeValidator(_scheduler)] = "heft"
    static_mapping: bool = False
    """Use the placement that comes with the app instead of a scheduler."""
    window: int = Field(default=8, ge=1, le=100_000)
    """The most jobs in flight at once."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """What every random choice of a run starts from."""
    port_range: Annotated[tuple[int, int] | None, BeforeValidator(_port_range)] = None
    """The ports that nodes may listen on, both ends included; None: any that is free."""
    kubeconfig_path: Text = None
    deployment_namespace: Text = None
    profiler_namespace: Text = None
    wave_namespace: Text = None
    mapper_namespace: Text = None
    exec_namespace: Text = None
    images: dict[str, str] = Field(default_factory=dict)
    """Container images by the name of their setting, such as WORKER_IMAGE."""
    source: Path | None = None
    """The file that was read."""
    warnings: tuple[str, ...] = ()
    places: dict[str, Place] = Field(default_factory=dict)
    """Where each setting that was made is from."""

    def error(self, name: str, seen: str, fix: str) -> InputError:
        """An error that names where the setting was made."""
        return _error(name, seen, fix, self.places)


_INTERNAL = ("here", "images", "source", "warnings", "places")
_KNOWN = tuple(name.upper() for name in Settings.model_fields if name not in _INTERNAL)


def load_settings(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file, or the defaults without one, with the environment's overrides.

    environment is os.environ unless given. Raises InputError or InputErrors with file and line, or
    with the name of the environment variable.
    """
    env = os.environ if environment is None else environment
    found = Constants() if path is None else read_constants(path, env)
    errors = list(found.errors)
    values: dict[str, Any] = {}
    images: dict[str, str] = {}
    for name, value in found.values.items():
        if name.upper() in _KNOWN:
            values[name.lower()] = value
        elif name.endswith("_IMAGE") and isinstance(value, str):
            images[name] = value
        elif name not in LEGACY_NAMES and not name.startswith("_"):
            errors.append(
                InputError(
                    f"{name} is not a setting",
                    suggestion(name, _KNOWN, "remove it, or start a helper's name with '_'"),
                    file=path,
                    line=found.lines.get(name),
                    field=name,
                )
            )
    places: dict[str, Place] = {name.lower(): (path, line) for name, line in found.lines.items()}
    overrides, warnings = _overrides(env, errors)
    places.update(dict.fromkeys(overrides, (None, None)))
    values.update(overrides)
    # An environment variable that is not set leaves the default.
    values = {name: value for name, value in values.items() if value is not None}
    here = (path.parent if path is not None else Path()).resolve()
    try:
        settings = Settings(
            here=here, images=images, source=path, warnings=warnings, places=places, **values
        )
    except ValidationError as error:
        errors += [_input_error(item, places) for item in error.errors()]
        raise_input_errors(errors)
        raise
    raise_input_errors(errors)
    return settings.model_copy(
        update={
            "app_path": here / settings.app_path if settings.app_path else None,
            "nodes_path": here / settings.nodes_path,
            "runs_path": here / settings.runs_path,
        }
    )


def _overrides(
    environment: Mapping[str, str], errors: list[InputError]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The values by setting, and warnings of variables that look like settings and are none."""
    found = {}
    warnings = []
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name in OF_TASKS:
            continue
        setting = name.removeprefix(PREFIX)
        if setting in _KNOWN:
            found[setting.lower()] = value
        elif nearest_setting := _near_miss(setting):
            errors.append(
                InputError(
                    f"the environment variable {name} overrides no setting",
                    f"did you mean {PREFIX}{nearest_setting}? If not: unset it",
                    field=name,
                )
            )
        else:
            near = nearest(setting, _KNOWN)
            meant = f"; did you mean {PREFIX}{near}?" if near else ""
            warnings.append(f"{name} in the environment is no setting and does nothing{meant}")
    return found, tuple(sorted(warnings))


def _near_miss(setting: str) -> str | None:
    """A setting that is only a slip away."""
    found = difflib.get_close_matches(setting, _KNOWN, n=1, cutoff=0.85)
    return found[0] if found else None


def _error(name: str, seen: str, fix: str, places: Mapping[str, Place]) -> InputError:
    file, line = places.get(name, (None, None))
    shown = name.upper() if file is not None else PREFIX + name.upper()
    return InputError(seen, fix, file=file, line=line, field=shown)


def _input_error(item: Any, places: Mapping[str, Place]) -> InputError:
    name = str(item["loc"][0])
    if item["type"] == "value_error":
        said, _, fix = str(item["ctx"]["error"]).partition(": ")
        return _error(name, said, fix, places)
    message = item["msg"][0].lower() + item["msg"][1:]
    takes = TAKES.get(name, "text in quotes")
    return _error(name, f"{item['input']!r}: {message}", f"write {takes}, or leave it out", places)
