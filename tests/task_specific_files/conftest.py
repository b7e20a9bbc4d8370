"""Shared by the tests of the shipped apps: their folders, their modules, and a small driver."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

APPS = Path(__file__).resolve().parents[2] / "task_specific_files"


class Importer:
    """Imports modules of one app folder as its tasks do; forgets them when the test ends."""

    def __init__(self, *folders: Path) -> None:
        self._folders = [str(folder) for folder in folders]
        self._before = set(sys.modules)
        sys.path[:0] = self._folders

    def __call__(self, name: str) -> ModuleType:
        return importlib.import_module(name)

    def close(self) -> None:
        """Take back what was added to sys.path and sys.modules."""
        for folder in self._folders:
            sys.path.remove(folder)
        for name in set(sys.modules) - self._before:
            origin = getattr(sys.modules[name], "__file__", None) or ""
            if any(origin.startswith(folder) for folder in self._folders):
                del sys.modules[name]


class LocalDriver:
    """Walks a configuration.txt for one job: real files, one folder per call, the flags obeyed.

    calls notes (task, names it got), so that tests can see what was passed on.
    """

    def __init__(self, app: Path, load: Callable[[str], ModuleType], work: Path) -> None:
        lines = (app / "configuration.txt").read_text("utf-8").splitlines()
        rows = [line.split() for line in lines[1 : int(lines[0]) + 1]]
        self.dag = {row[0]: (int(row[1]), row[2] == "true", row[3:]) for row in rows}
        config = json.loads((app / "scripts" / "config.json").read_text("utf-8"))
        self.modules = {task: entry[0] for task, entry in config["taskname_map"].items()}
        self.load = load
        self.work = work
        self.calls: list[tuple[str, list[str]]] = []

    def order(self) -> Iterator[str]:
        """Every task after all of its parents."""
        left = dict(self.dag)
        while left:
            ready = [t for t in left if not any(t in children for _, _, children in left.values())]
            assert ready, f"a cycle among {sorted(left)}"
            for task in ready:
                yield task
                del left[task]

    def run(self, job: str, input_file: Path) -> list[Path]:
        """What reaches home for one input file."""
        arrived: dict[str, list[Path]] = {task: [] for task in [*self.dag, "home"]}
        arrived[next(iter(self.dag))].append(input_file)
        for task in self.order():
            count, broadcast, children = self.dag[task]
            assert len(arrived[task]) == count, f"{task} got {arrived[task]}"
            outputs = self.call(job, task, arrived[task])
            if broadcast or children[0] == "home":
                for child in children:
                    arrived[child] += outputs
            else:
                assert len(outputs) == len(children), f"{task} must scatter over {children}"
                for child, output in zip(children, outputs, strict=True):
                    arrived[child].append(output)
        return arrived["home"]

    def call(self, job: str, task: str, files: list[Path]) -> list[Path]:
        """One call with private folders; the outputs are what is found in pathout, oldest first."""
        pathin, pathout = self.work / job / task / "in", self.work / job / task / "out"
        pathin.mkdir(parents=True)
        pathout.mkdir()
        for file in files:
            assert not (pathin / file.name).exists(), f"{task} got {file.name} twice"
            shutil.copy(file, pathin / file.name)
        names = [file.name for file in files]
        self.calls.append((task, names))
        module = self.load(self.modules[task])
        module.task(names[0] if len(names) == 1 else names, str(pathin), str(pathout))
        return sorted(pathout.iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))


@pytest.fixture(scope="session")
def apps() -> Path:
    """The folder of the shipped apps."""
    return APPS


@pytest.fixture
def app_modules(request: pytest.FixtureRequest) -> Iterator[Importer]:
    """Importer for the app that the test module names in ``APP``."""
    folder = APPS / request.module.APP
    importer = Importer(folder / "scripts", folder)
    yield importer
    importer.close()


@pytest.fixture
def drive(request: pytest.FixtureRequest, app_modules: Importer, tmp_path: Path) -> LocalDriver:
    """The local driver for the app that the test module names in ``APP``."""
    return LocalDriver(APPS / request.module.APP, app_modules, tmp_path / "driver")


@pytest.fixture
def result_of(drive: LocalDriver) -> Callable[[str, Path], dict[str, Any]]:
    """Runs one input file through the app; the one JSON file that reaches home."""

    def run(job: str, input_file: Path) -> dict[str, Any]:
        (output,) = drive.run(job, input_file)
        data: dict[str, Any] = json.loads(output.read_text("utf-8"))
        return data

    return run
