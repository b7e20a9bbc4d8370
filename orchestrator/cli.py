"""The ``jupiter`` command. Each subcommand parses its words, calls one thing, and shows the result.

Heavy imports (matplotlib, numpy, pydantic, the scheduler) happen inside the subcommands that need
them, so that ``--help`` and the start of a run stay quick.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.console import exits, print_json, print_page, say, writes_to
from orchestrator.options import RunOptions, find_config
from orchestrator.timeline_command import timeline_app

if TYPE_CHECKING:
    from jupiter.app import App
    from jupiter.run_folder import RunFolder
    from jupiter.settings import Settings
    from orchestrator.progress import Progress

PICTURES = (".svg", ".png", ".pdf", ".jpg", ".jpeg")
"""Endings by which a file's name is told from a folder's."""

app = typer.Typer(
    name="jupiter",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

AppArgument = Annotated[
    Path | None,
    typer.Argument(metavar="APP", help="APP folder. Default: APP_PATH of the settings."),
]
Nodes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="nodes.txt. Default: NODES_PATH of the settings."),
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings. Default: ./jupiter_config.py, if any."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="heft, round_robin or static. Default: SCHEDULER of the settings, else heft.",
    ),
]
Mapping = Annotated[
    Path | None, typer.Option(metavar="FILE", help='Use this placement: {"task": "node"}.')
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="How many jobs to stream; the input files are repeated or cut to fit. "
        "Default: each file once.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="For every random choice. Default: SEED of the settings, else 1."
    ),
]
Runs = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the run folders are. Default: runs.")
]
Json = Annotated[bool, typer.Option("--json", help="Data on stdout instead of pages.")]


@app.callback()
def jupiter(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Run a DAG of tasks over machines that are far apart and unequal."""
    if show_version:
        version()
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def new(
    name: Annotated[Path, typer.Argument(metavar="APP", help="The folder to write.")],
    as_json: Json = False,
) -> None:
    """Write a small app that runs as it is."""
    with exits(as_json):
        from orchestrator.new_app import new_app

        files = [str(path) for path in new_app(name)]
        if as_json:
            print_json({"app": name.resolve().name, "folder": str(name), "files": files})
        else:
            typer.echo("\n".join(files))
            typer.echo(f"\nrun it:  jupiter run {name}")


@app.command()
def check(
    app_folder: AppArgument = None,
    config: Config = None,
    draw: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where dag.svg and dag.png go. Default: drawings/APP."),
    ] = None,
    no_draw: Annotated[bool, typer.Option("--no-draw", help="Write no pictures.")] = False,
    as_json: Json = False,
) -> None:
    """Validate an APP folder and draw its DAG. Starts nothing."""
    with exits(as_json):
        from jupiter.app_check import app_warnings, check_app
        from jupiter.app_formats import load_app
        from jupiter.settings import load_settings

        settings = load_settings(find_config(config))
        folder = app_folder or _app_of(settings)
        loaded = load_app(folder, home_child=settings.home_child or None)
        check_app(loaded)
        warnings = (*settings.warnings, *app_warnings(loaded))
        pictures = [] if no_draw else _draw(loaded, draw)
        from orchestrator.check_text import check_figures, check_text

        if as_json:
            print_json(check_figures(loaded, warnings, pictures))
        else:
            print_page(check_text(loaded, warnings, pictures))


def _draw(loaded: App, named: Path | None) -> list[Path]:
    from jupiter.errors import InputError
    from orchestrator.dag_picture import draw_app

    if named is not None and named.suffix.lower() in PICTURES and not named.is_dir():
        raise InputError(
            f"{named} is a file's name, but --draw takes a folder",
            f"write --draw {named.parent}: it gets dag.svg and dag.png",
            field="--draw",
        )
    folder = named or Path("drawings") / loaded.name
    with writes_to(folder, "name a folder that you can write to, or say --no-draw", "--draw"):
        return draw_app(loaded, folder)


@app.command()
def plan(
    app_folder: AppArgument = None,
    nodes: Nodes = None,
    config: Config = None,
    scheduler: Scheduler = None,
    mapping: Mapping = None,
    seed: Seed = None,
    runs: Runs = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the placement there, for --mapping."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show placement, predicted times and timetable, without running."""
    with exits(as_json):
        from jupiter.placement import write_placement
        from orchestrator.plan_app import plan_app
        from orchestrator.plan_text import plan_text

        made = plan_app(_options(app_folder, nodes, config, scheduler, mapping, None, seed, runs))
        if save is not None:
            with writes_to(save, "name a file in a folder that is there and yours", "--save"):
                write_placement(save, made.placement)
        if as_json:
            print_json(made.as_dict())
        else:
            print_page(plan_text(made))


@app.command()
def run(
    app_folder: AppArgument = None,
    nodes: Nodes = None,
    config: Config = None,
    scheduler: Scheduler = None,
    mapping: Mapping = None,
    jobs: Jobs = None,
    seed: Seed = None,
    runs: Runs = None,
    as_json: Json = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Say only where the outputs are, and what went wrong."),
    ] = False,
) -> None:
    """Profile, schedule, deploy, stream every input, and report.

    Exit code 0 only if every job succeeded.
    """
    from orchestrator.progress import make_progress

    progress = make_progress(quiet=quiet, as_json=as_json)
    with exits(as_json, lambda: _look_further(progress)):
        with progress:
            options = _options(app_folder, nodes, config, scheduler, mapping, jobs, seed, runs)
            folder = _run(options, progress)
        _show_run(folder, progress, as_json=as_json, quiet=quiet)


def _run(options: RunOptions, progress: Progress) -> RunFolder:
    from orchestrator.pipeline import run_app

    return run_app(options, progress)


def _look_further(progress: Progress) -> str:
    """What to do after a run that broke off: its report, or its logs when it has no lock yet."""
    from jupiter.run_folder import RunFolder
    from orchestrator.text_parts import shorten

    if progress.run_path is None:
        return ""
    folder = RunFolder(progress.run_path)
    where = shorten(str(folder.path.resolve()))
    if folder.lock.is_file():
        return f"what was done until then: jupiter report {where}"
    return f"what was logged until then is in {where}"


def _show_run(folder: RunFolder, progress: Progress, *, as_json: bool, quiet: bool) -> None:
    """Outputs first, for they are there; then the report, which takes a moment to draw."""
    from orchestrator.report import make_report
    from orchestrator.report_jobs import SUCCEEDED
    from orchestrator.text_parts import shorten

    if quiet and not as_json:
        typer.echo(shorten(str(folder.outputs.resolve())))
    elif progress.outputs_path is None:
        say(f"outputs: {shorten(str(folder.outputs.resolve()))}")
    report = make_report(folder)
    if as_json:
        print_json(report)
    elif not quiet:
        from orchestrator.report_text import report_text

        print_page(report_text(report))
    if report["status"] != SUCCEEDED:
        if quiet:
            from orchestrator.failure_text import in_short

            say(in_short(report))
        raise typer.Exit(1)


@app.command()
def report(
    name: Annotated[
        str, typer.Argument(metavar="RUN", help="Name, part of the name, path, or latest.")
    ] = "latest",
    runs: Runs = None,
    config: Config = None,
    no_draw: Annotated[bool, typer.Option("--no-draw", help="Write no pictures.")] = False,
    as_json: Json = False,
) -> None:
    """Make the report of a run again, from its run folder alone."""
    with exits(as_json):
        from jupiter.run_folder import open_run
        from orchestrator.report import make_report
        from orchestrator.report_text import report_text

        made = make_report(open_run(_runs_folder(runs, config), name), pictures=not no_draw)
        if as_json:
            print_json(made)
        else:
            print_page(report_text(made))


@app.command()
def runs(
    folder: Annotated[
        Path | None, typer.Option("--runs", metavar="DIR", help="Where the run folders are.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the runs, newest last."""
    with exits(as_json):
        from orchestrator.run_list import run_figures, run_table

        where = _runs_folder(folder, config)
        figures = run_figures(where)
        if as_json:
            print_json(figures)
        elif figures:
            print_page(run_table(figures))
        else:
            say(f"no runs in {where}")


app.add_typer(timeline_app, name="timeline")


@app.command(hidden=True)
def version(as_json: Json = False) -> None:
    """Show the version."""
    with exits(as_json):
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as installed

        try:
            number = installed("jupiter-dispersed")
        except PackageNotFoundError:
            number = "not installed"
        about = {"jupiter": number, "python": platform.python_version(), "on": platform.platform()}
        if as_json:
            print_json(about)
        else:
            typer.echo(f"jupiter {number} (Python {about['python']}, {about['on']})")


def _options(
    app_folder: Path | None,
    nodes: Path | None,
    config: Path | None,
    scheduler: str | None,
    mapping: Path | None,
    jobs: int | None,
    seed: int | None,
    runs: Path | None,
) -> RunOptions:
    config = find_config(config)
    return RunOptions(
        app=_app_folder(app_folder, config),
        nodes=nodes,
        config=config,
        scheduler=scheduler,
        mapping=mapping,
        jobs=jobs,
        seed=seed,
        runs=runs,
    )


def _app_folder(app_folder: Path | None, config: Path | None) -> Path:
    """The APP folder that was named, else the one of the settings."""
    if app_folder is not None:
        return app_folder
    from jupiter.settings import load_settings

    return _app_of(load_settings(config))


def _app_of(settings: Settings) -> Path:
    from jupiter.errors import InputError

    if settings.app_path is None:
        raise InputError("no APP folder was named", "name one, or set APP_PATH in the settings")
    return settings.app_path


def _runs_folder(runs: Path | None, config: Path | None) -> Path:
    if runs is not None:
        return runs
    from jupiter.settings import load_settings

    return load_settings(find_config(config)).runs_path


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
