"""Finding out which dialect an APP folder is written in, and reading it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jupiter.app import App
from jupiter.app_formats.app_config_yaml import read_app_config_app
from jupiter.app_formats.app_yaml import read_app_yaml_app
from jupiter.app_formats.classic import read_configuration_app, read_dag_scheduler_app
from jupiter.app_formats.layout import find_config

_READERS: dict[str, Callable[[Path, tuple[str, ...] | None], App]] = {
    "app.yaml": read_app_yaml_app,
    "app_config.yaml": read_app_config_app,
    "configuration.txt": read_configuration_app,
    "DAG_Scheduler.txt": read_dag_scheduler_app,
}


def load_app(folder: Path, *, home_child: tuple[str, ...] | None = None) -> App:
    """Read the app in ``folder``, whatever its dialect. It is read, not yet judged.

    home_child are the tasks that home sends jobs to (HOME_CHILD of the settings). When it names a
    task that the app does not have, it is ignored with a warning in the result. ``app.yaml`` says
    itself what its ingress is.

    Raises InputError, or InputErrors with all that one pass could find. Judge the result with
    :func:`jupiter.app_check.check_app`.
    """
    config = find_config(Path(folder))
    return _READERS[config.name](config, home_child or None)
