"""docs/tutorial.md: what it shows is what is there, and what it tells to write works."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jupiter.app_check import check_app
from jupiter.app_formats import load_app
from jupiter.errors import InputError
from orchestrator.cli import app

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def text():
    return TUTORIAL.read_text("utf-8")


def files_to_write(text):
    """What the tutorial tells to put into each file of my_hello."""
    found = re.findall(r"`my_hello/([\w./]+)`:\n\n```\w+\n(.*?)```", text, re.S)
    return dict(found)


@pytest.fixture
def my_hello(text, apps, tmp_path):
    """The tutorial's app after section 3."""
    folder = tmp_path / "my_hello"
    shutil.copytree(apps / "hello", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, content in files_to_write(text).items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def without_comments(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_it_shows_the_hello_app_as_it_is(text, apps):
    shown = re.search(r"`app.yaml` in full:\n\n```yaml\n(.*?)```", text, re.S)
    real = (apps / "hello" / "app.yaml").read_text("utf-8")
    assert without_comments(shown[1]) == without_comments(real)
    for line in re.search(r"but its docstrings:\n\n```python\n(.*?)```", text, re.S)[
        1
    ].splitlines():
        assert line in (apps / "hello" / "scripts" / "shout.py").read_text("utf-8").splitlines()


def test_check_says_what_it_shows(text, apps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["check", str(apps / "hello")])
    shown = re.search(r"\$ jupiter check task_specific_files/hello\n(.*?)```", text, re.S)[1]
    assert done.stdout == shown


def test_the_changed_app_is_accepted(my_hello):
    changed = load_app(my_hello)
    check_app(changed)
    assert changed.parents("sign") == ("shout", "count")


def test_without_its_script_it_is_refused_in_the_words_shown(my_hello, text):
    (my_hello / "scripts" / "count.py").unlink()
    with pytest.raises(InputError) as refused:
        check_app(load_app(my_hello))
    told = str(refused.value).replace(f"{my_hello.parent}/", "")
    assert told in text


def test_the_changed_tasks_work(my_hello, tmp_path, monkeypatch):
    monkeypatch.setenv("NODE_NAME", "node1")

    def call(name, files, source, target):
        spec = importlib.util.spec_from_file_location(name, my_hello / "scripts" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.task(files, str(source), str(target))

    work = tmp_path / "work"
    result = tmp_path / "result"
    work.mkdir()
    result.mkdir()
    call("greet", "ada.txt", my_hello / "sample_input", result)
    call("shout", "ada.txt", result, work)
    call("count", "ada.txt", result, work)
    call("sign", ["ada.txt", "ada.txt.count"], work, result)
    assert (result / "ada.txt").read_text("utf-8") == (
        "HELLO, ADA!\n(8 letters, signed on node1)\n"
    )
