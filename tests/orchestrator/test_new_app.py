"""The skeleton: it is whole, it does what it says, and it destroys nothing."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from jupiter.app_check import check_app
from jupiter.app_formats import load_app
from jupiter.errors import InputError
from orchestrator.new_app import new_app


def test_skeleton_passes_the_check(tmp_path: Path) -> None:
    files = new_app(tmp_path / "greetings")
    assert (tmp_path / "greetings" / "README.md") in files
    app = load_app(tmp_path / "greetings")
    check_app(app)
    assert app.name == "greetings"
    assert app.warnings == ()
    assert app.sinks == ("summary",)
    assert app.parents("summary") == ("count_words", "longest_word")


def test_nothing_of_the_template_is_left(tmp_path: Path) -> None:
    for path in new_app(tmp_path / "greetings"):
        assert "my_app" not in path.read_text(encoding="utf-8")


def call(scripts: Path, name: str, files: Any, pathin: Path, pathout: Path) -> None:
    task = runpy.run_path(str(scripts / f"{name}.py"))["task"]
    task(files, str(pathin), str(pathout))


def test_tasks_do_what_they_say(tmp_path: Path) -> None:
    new_app(tmp_path / "app")
    scripts = tmp_path / "app" / "scripts"
    folders = [tmp_path / name for name in ("in", "clean", "found", "out")]
    for folder in folders:
        folder.mkdir()
    source, clean, found, out = folders
    (source / "text.txt").write_text("A clock, that stands\nstill!")
    call(scripts, "clean", "text.txt", source, clean)
    call(scripts, "count_words", "text.txt", clean, found)
    call(scripts, "longest_word", "text.txt", clean, found)
    call(scripts, "summary", ["count.txt", "longest.txt"], found, out)
    assert json.loads((out / "summary.json").read_text()) == {"words": 5, "longest": "stands"}


def test_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    assert new_app(tmp_path / "app")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        new_app(tmp_path / "app")
    assert [path.name for path in (tmp_path / "app").iterdir()] == ["mine.txt"]
    with pytest.raises(InputError, match="a file of that name"):
        new_app(tmp_path / "app" / "mine.txt")


@pytest.mark.parametrize("name", ["-x", "with space", ".hidden", "ä"])
def test_name_must_do_as_an_app(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name of an app"):
        new_app(tmp_path / name)
