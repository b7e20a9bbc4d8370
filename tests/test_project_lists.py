"""What pyproject.toml lists is all there is: no new folder is left out of a check by oversight."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TOOLS = PROJECT["tool"]

FLOORS = {path.parent.name for path in ROOT.glob("*/__init__.py")}
"""The folders that are Python packages."""


def test_there_are_floors():
    assert {"jupiter", "qot", "orchestrator"} <= FLOORS


def test_mypy_checks_every_floor():
    assert set(TOOLS["mypy"]["packages"]) == FLOORS


def test_mypy_checks_every_script():
    scripts = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert set(TOOLS["mypy"]["modules"]) == scripts


def test_import_linter_knows_every_floor():
    assert set(TOOLS["importlinter"]["root_packages"]) == FLOORS


def test_every_floor_has_its_place_among_the_layers():
    contracts = TOOLS["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert {*layers, "scheduler"} == FLOORS  # the scheduler has contracts of its own


def test_the_scheduler_stands_on_the_ground_floor_alone():
    contracts = TOOLS["importlinter"]["contracts"]
    (forbidden,) = (
        set(contract["forbidden_modules"])
        for contract in contracts
        if contract.get("source_modules") == ["scheduler"]
    )
    assert forbidden == FLOORS - {"scheduler", "jupiter"}


def test_nobody_below_the_roof_imports_the_scheduler():
    contracts = TOOLS["importlinter"]["contracts"]
    (sources,) = (
        set(contract["source_modules"])
        for contract in contracts
        if contract.get("forbidden_modules") == ["scheduler"]
    )
    assert sources == FLOORS - {"scheduler", "jobs", "orchestrator"}


def test_the_distribution_has_every_package():
    patterns = TOOLS["setuptools"]["packages"]["find"]["include"]
    folders = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
    }
    assert {f for f in folders if not any(fnmatchcase(f, pattern) for pattern in patterns)} == set()


@pytest.mark.parametrize("floor", sorted(FLOORS))
def test_every_data_file_of_a_package_is_in_the_distribution(floor):
    data = TOOLS["setuptools"]["package-data"]
    folder = ROOT / floor
    listed = {path for pattern in data.get(floor, []) for path in folder.glob(pattern)}
    listed |= {path for pattern in data["*"] for path in folder.rglob(pattern)}
    left_out = {
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".so"} and path not in listed
    }
    assert left_out == set()
