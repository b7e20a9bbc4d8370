"""Judging an app before anything is started: is it whole, and can it work?

Each kind of fault has a module in :mod:`jupiter.app_checks`. All of them run, so that one call
shows all there is to mend. Faults that are seen while reading are raised by the readers instead.
"""

from __future__ import annotations

from jupiter.app import App
from jupiter.app_checks.files import check_files, check_sample_input
from jupiter.app_checks.graph import check_graph
from jupiter.app_checks.imports import missing_imports
from jupiter.app_checks.names import check_names
from jupiter.app_checks.scripts import check_scripts
from jupiter.app_checks.timing import check_timing
from jupiter.errors import raise_input_errors


def check_app(app: App) -> None:
    """Judge ``app``. Returns when it can be run, else raises InputError or InputErrors.

    Reads the app's folder; runs none of its code. Whether pins and placements name real nodes is
    judged by :mod:`jupiter.placement`, which knows the nodes.
    """
    graph = check_graph(app)
    raise_input_errors(
        [
            *check_names(app),
            *graph,
            *(check_sample_input(app) if graph else check_files(app)),
            *check_scripts(app),
            *([] if graph else check_timing(app)),
        ]
    )


def app_warnings(app: App) -> tuple[str, ...]:
    """What its author should know though it can be run: found while reading, and missing modules.

    The app must have passed :func:`check_app`.
    """
    return (*app.warnings, *missing_imports(app))
