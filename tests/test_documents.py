"""The documents that lead a reader somewhere: what they point at is there, what they show is so."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from orchestrator.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GUIDES = [
    path
    for path in DOCUMENTS
    if path.parent == ROOT or path.parent.name == "decisions" or path.name.endswith("guide.md")
]
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file(path):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text("utf-8"))
    here = [link for link in links if "://" not in link]
    assert [link for link in here if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_every_file_that_is_named_is_there(path):
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)
    named = [name for name in re.findall(r"`([\w./*-]+)`", text) if name.split("/")[0] in FOLDERS]
    # Folders that a run or a check makes are no part of the checkout.
    named = [name for name in named if not name.startswith(("runs/", "nodes/", "report/"))]
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


def commands(text):
    """The words of every `jupiter …` line in the fenced blocks; two spaces begin an explanation."""
    for block in re.findall(r"```\n(.*?)```", text, re.S):
        for line in block.splitlines():
            match = re.match(r"(?:\$ )?jupiter (.+?)(?:  .*|#.*)?$", line)
            if match:
                yield shlex.split(match[1])


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_every_command_that_is_shown_exists_with_its_options(path):
    group = get_command(app)
    for words in commands(path.read_text("utf-8")):
        command = group.commands[words[0]]
        if isinstance(command, TyperGroup) and words[1:] and not words[1].startswith("-"):
            command = command.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known


def test_the_python_of_the_researchers_guide_prints_what_the_guide_says():
    text = (ROOT / "docs" / "researcher_guide.md").read_text("utf-8")
    program, printed = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.S).groups()
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(program, "researcher_guide.md", "exec"), {})
    assert output.getvalue() == printed


def test_the_readme_shows_the_hello_app_as_it_is():
    shown = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)[1]
    real = (ROOT / "task_specific_files" / "hello" / "app.yaml").read_text("utf-8")
    assert [line for line in real.splitlines() if not line.startswith("#")] == shown.splitlines()


def test_pictures_are_small():
    assert [p.name for p in ROOT.glob("docs/pictures/*") if p.stat().st_size > 200 << 10] == []


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    records = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert [name for name in records if name not in index] == []
