"""The command line: words in, pages or JSON out, exit codes that mean something."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jupiter.errors import ClusterError, InputError, InputErrors
from jupiter.run_folder import RunFolder
from orchestrator.cli import app
from orchestrator.options import RunOptions
from orchestrator.progress import Progress

ROOT = Path(__file__).parents[2]
Pipeline = Callable[[RunOptions, Progress], RunFolder]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Stands for orchestrator.pipeline; a test sets run_app or plan_app."""
    module = ModuleType("orchestrator.pipeline")
    monkeypatch.setitem(sys.modules, "orchestrator.pipeline", module)
    return module


def jupiter(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def raises(error: BaseException) -> Pipeline:
    def run_app(options: RunOptions, progress: Progress) -> RunFolder:
        raise error

    return run_app


def test_new_then_check() -> None:
    assert jupiter("new", "demo").exit_code == 0
    done = jupiter("check", "demo")
    assert done.exit_code == 0
    assert "demo  can run" in done.stdout
    assert "count_words → summary [1] → home" in done.stdout
    assert Path("drawings/demo/dag.svg").is_file()
    assert Path("drawings/demo/dag.png").is_file()


def test_check_as_json_and_elsewhere() -> None:
    jupiter("new", "demo")
    done = jupiter("check", "demo", "--json", "--draw", "art")
    data = json.loads(done.stdout)
    assert data["ok"] is True
    assert data["tasks"]["summary"]["parents"] == ["count_words", "longest_word"]
    assert data["pictures"] == ["art/dag.svg", "art/dag.png"]
    assert json.loads(jupiter("check", "demo", "--json", "--no-draw").stdout)["pictures"] == []


def test_check_names_what_is_wrong() -> None:
    jupiter("new", "demo")
    Path("demo/scripts/clean.py").unlink()
    done = jupiter("check", "demo")
    assert done.exit_code == 2
    assert "clean" in done.stderr
    assert "fix:" in done.stderr
    assert not Path("drawings").exists()


@pytest.mark.parametrize(
    ("words", "place", "fix"),
    [
        ("check demo --draw a_file", "a_file: --draw", "--no-draw"),
        ("check demo --draw a_file/art", "a_file/art: --draw", "--no-draw"),
        ("check demo --draw art/dag.svg", "--draw", "write --draw art"),
        ("check demo --config demo", "demo", "not its folder"),
        ("check demo --config demo/app.yml", "demo/app.yml", "'app.yaml'"),
        ("check demo --config nowhere/a.py", "nowhere/a.py", "no folder nowhere"),
        ("plan demo --save a_file/m.json", "a_file/m.json: --save", "a folder that is there"),
        ("plan demo --save nowhere/m.json", "nowhere/m.json: --save", "a folder that is there"),
        ("plan demo --save demo", "demo: --save", "name a file"),
        ("plan demo --mapping demo", "demo", "not its folder"),
        ("plan demo --nodes nowhere.txt", "nowhere.txt", "write nowhere.txt"),
        ("run demo --runs a_file", "a_file", "--runs DIR"),
        ("new a_file", "a_file", "another name"),
        ("new a_file/app", "a_file/app", "write to"),
    ],
)
def test_a_slip_in_a_path_is_the_users_and_names_the_fix(words: str, place: str, fix: str) -> None:
    jupiter("new", "demo")
    Path("a_file").touch()
    before = sorted(Path().rglob("*"))
    done = jupiter(*words.split())
    assert done.exit_code == 2, done.stderr
    said, _, what_to_do = done.stderr.partition("\n  fix: ")
    assert said.startswith(f"{place}: ")
    assert fix in what_to_do
    assert sorted(Path().rglob("*")) == before


def test_check_judges_with_the_settings() -> None:
    jupiter("new", "demo")
    Path("jupiter_config.py").write_text("WINDO = 4\n")
    done = jupiter("check", "demo")
    assert done.exit_code == 2
    assert "jupiter_config.py:1: WINDO" in done.stderr


def test_check_warns_of_modules_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    jupiter("new", "demo")
    script = Path("demo/scripts/clean.py")
    script.write_text("import no_such_module\n" + script.read_text())
    monkeypatch.setenv("JUPITER_NODES", "nodes.txt")
    done = jupiter("check", "demo", "--no-draw", "--json")
    assert done.exit_code == 0
    variable, module = json.loads(done.stdout)["warnings"]
    assert "JUPITER_NODES_PATH" in variable
    assert "demo/scripts/clean.py:1 imports no_such_module" in module
    assert "no_such_module" in jupiter("check", "demo", "--no-draw").stdout


def test_new_does_not_overwrite() -> None:
    jupiter("new", "demo")
    done = jupiter("new", "demo", "--json")
    assert done.exit_code == 2
    assert "not empty" in json.loads(done.stdout)["errors"][0]["seen"]


def test_several_errors_are_all_told(pipeline: Any) -> None:
    errors = [InputError("a is bad", "mend a", file="x.yaml", line=3), InputError("b", "mend b")]
    pipeline.run_app = raises(InputErrors(errors))
    done = jupiter("run", "demo", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["errors"] == [
        {"file": "x.yaml", "line": 3, "field": None, "seen": "a is bad", "fix": "mend a"},
        {"file": None, "line": None, "field": None, "seen": "b", "fix": "mend b"},
    ]
    assert "x.yaml:3: a is bad\n  fix: mend a" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ClusterError("node1 did not start"), 1, "node1 did not start"),
        (OSError(28, "No space left on device", "runs/x"), 1, "--runs DIR"),
        (KeyboardInterrupt(), 130, "stopped"),
        (ZeroDivisionError("division by zero"), 70, "Please report it"),
        (OSError(9, "Bad file descriptor"), 70, "fault of Jupiter"),
    ],
)
def test_exit_codes(pipeline: Any, error: BaseException, code: int, words: str) -> None:
    pipeline.run_app = raises(error)
    done = jupiter("run", "demo")
    assert done.exit_code == code
    assert words in done.stderr
    assert done.stdout == ""
    assert "errors" in json.loads(jupiter("run", "demo", "--json").stdout)


def test_interrupted_run_says_in_one_line_where_to_look(pipeline: Any, make: Any) -> None:
    folder = make.good_run(1)

    def run_app(options: RunOptions, progress: Progress) -> RunFolder:
        progress.run(folder.path)
        raise KeyboardInterrupt

    pipeline.run_app = run_app
    done = jupiter("run", "demo", "--quiet")
    assert done.exit_code == 130
    assert done.stderr == (
        "stopped with Ctrl-C; what was done until then: jupiter report runs/made-up\n"
    )
    folder.lock.unlink()
    assert "logged until then is in runs/made-up" in jupiter("run", "demo", "--quiet").stderr


def test_options_reach_the_pipeline(pipeline: Any, make: Any) -> None:
    seen: list[RunOptions] = []
    folder = make.good_run(1)

    def run_app(options: RunOptions, progress: Progress) -> RunFolder:
        seen.append(options)
        return folder

    pipeline.run_app = run_app
    Path("jupiter_config.py").write_text("WINDOW = 4\n")
    words = ["--nodes", "n.txt", "--scheduler", "heft", "--mapping", "m.json", "--jobs", "7"]
    assert jupiter("run", "demo", *words, "--seed", "5", "--runs", "there").exit_code == 0
    assert seen == [
        RunOptions(
            app=Path("demo"),
            nodes=Path("n.txt"),
            config=Path("jupiter_config.py"),
            scheduler="heft",
            mapping=Path("m.json"),
            jobs=7,
            seed=5,
            runs=Path("there"),
        )
    ]


def test_app_may_come_from_the_settings(pipeline: Any) -> None:
    pipeline.run_app = raises(ClusterError("got there"))
    assert "no APP folder was named" in jupiter("run").stderr
    Path("jupiter_config.py").write_text("APP_PATH = 'demo'\n")
    assert "got there" in jupiter("run").stderr


def test_run_tells_outputs_then_report(pipeline: Any, make: Any) -> None:
    folder = make.good_run(2)
    pipeline.run_app = lambda options, progress: folder
    done = jupiter("run", "demo")
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1] == "outputs: runs/made-up/outputs"
    assert "every job succeeded" in done.stdout
    quiet = jupiter("run", "demo", "--quiet")
    assert quiet.stdout == "runs/made-up/outputs\n"
    assert quiet.stderr == ""
    assert json.loads(jupiter("run", "demo", "--json").stdout)["status"] == "succeeded"


def test_outputs_are_not_told_twice(pipeline: Any, make: Any) -> None:
    folder = make.good_run(1)

    def run_app(options: RunOptions, progress: Progress) -> RunFolder:
        progress.outputs(folder.outputs)
        return folder

    pipeline.run_app = run_app
    assert jupiter("run", "demo").stderr.count("outputs:") == 1


def test_run_with_a_missing_job_ends_with_1(pipeline: Any, make: Any) -> None:
    folder = make.write(make.lock(jobs_expected=2), make.job(0))
    pipeline.run_app = lambda options, progress: folder
    assert jupiter("run", "demo").exit_code == 1
    quiet = jupiter("run", "demo", "-q")
    assert quiet.stdout == "runs/made-up/outputs\n"
    assert quiet.stderr == "1 of 2 jobs done; more: jupiter report runs/made-up\n"
    assert json.loads(jupiter("run", "demo", "--json").stdout)["status"] == "incomplete"


def test_report_and_runs(make: Any) -> None:
    make.good_run(2)
    assert "every job succeeded" in jupiter("report").stdout
    assert json.loads(jupiter("report", "made", "--json").stdout)["jobs"]["done"] == 2
    assert json.loads(jupiter("runs", "--json").stdout)[0]["run"] == "made-up"
    assert "succeeded" in jupiter("runs").stdout
    missing = jupiter("report", "other")
    assert missing.exit_code == 2
    assert "jupiter runs" in missing.stderr


def test_no_runs_is_no_error() -> None:
    done = jupiter("runs", "--runs", "nowhere")
    assert done.exit_code == 0
    assert "no runs" in done.stderr
    assert json.loads(jupiter("runs", "--runs", "nowhere", "--json").stdout) == []


def test_plan_shows_and_saves() -> None:
    jupiter("new", "demo")
    done = jupiter("plan", "demo", "--save", "m.json")
    assert done.exit_code == 0, done.stderr
    assert "longest_word" in done.stdout
    placement = json.loads(Path("m.json").read_text())
    assert set(placement.values()) <= {"node1", "node2", "node3"}
    planned = json.loads(jupiter("plan", "demo", "--mapping", "m.json", "--json").stdout)
    assert planned["placement"] == placement
    assert planned["makespan_ns"] > 0


def test_jupiter_alone_shows_the_commands_in_the_order_of_their_use() -> None:
    done = jupiter()
    assert done.exit_code == 0
    listed = done.stdout.partition("Commands:\n")[2].splitlines()
    names = ["new", "check", "plan", "run", "report", "runs", "timeline"]
    assert [line.split()[0] for line in listed if line[2] != " "] == names
    assert jupiter("-h").stdout == done.stdout
    assert "--jobs N" in jupiter("run", "-h").stdout


def test_version() -> None:
    assert jupiter("version").stdout.startswith("jupiter ")
    assert jupiter("--version").stdout == jupiter("version").stdout
    assert set(json.loads(jupiter("version", "--json").stdout)) == {"jupiter", "python", "on"}


def shell(*words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "orchestrator.cli"]
    return subprocess.run(
        [*command, *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


def test_real_process_has_the_exit_codes() -> None:
    missing = shell("check", "nowhere", "--json")
    assert missing.returncode == 2
    assert json.loads(missing.stdout)["errors"]
    wrong = shell("run", "--no-such-option")
    assert wrong.returncode == 2
    assert "no-such-option" in wrong.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, orchestrator.cli, orchestrator.progress, orchestrator.options\n"
        "heavy = {'matplotlib', 'numpy', 'scipy', 'networkx', 'pydantic_settings', 'scheduler'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = shell(code=code)
    assert done.returncode == 0, done.stderr
