"""The node's copy of an app's scripts, and the path in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.staging import rewrite_text, stage_scripts
from jupiter.errors import InputError

STAGED = Path("/s/staged")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("open('/centralized_scheduler/config.json')", "open('/s/staged/config.json')"),
        ('DIR = "/centralized_scheduler"', 'DIR = "/s/staged"'),
        ("sh /centralized_scheduler/x.sh", "sh /s/staged/x.sh"),
        ("--dir=/centralized_scheduler/", "--dir=/s/staged/"),
        ("PATH=/a:/centralized_scheduler:/b", "PATH=/a:/s/staged:/b"),
        ("(/centralized_scheduler)", "(/s/staged)"),
        ("/home/me/centralized_scheduler/x", None),
        ("./centralized_scheduler/x", None),
        ("../centralized_scheduler/x", None),
        ("~/centralized_scheduler/x", None),
        ("${HOME}/centralized_scheduler", None),
        ("//centralized_scheduler", None),
        ("/centralized_scheduler_old/x", None),
        ("/centralized_scheduler.tar", None),
        ("/centralized_scheduler2", None),
        ("centralized_scheduler", None),
    ],
)
def test_what_counts_as_the_path(before, after):
    expected = before if after is None else after
    assert rewrite_text(before.encode(), STAGED) == expected.encode()


pieces = st.sampled_from(["/centralized_scheduler", "\r\n", "\n", "x", "/", '"', " ", "é", "\0"])


@given(st.lists(pieces, max_size=12).map("".join))
def test_rewriting_keeps_lines_and_may_be_repeated(text):
    once = rewrite_text(text.encode(), STAGED)
    assert once.count(b"\n") == text.count("\n")
    assert once.count(b"\r") == text.count("\r")
    assert rewrite_text(once, STAGED) == once


@given(st.binary(max_size=40))
def test_what_is_not_utf8_is_left_alone(head):
    content = b"\xff" + head + b"/centralized_scheduler"
    assert rewrite_text(content, STAGED) == content


@pytest.fixture
def app(tmp_path):
    scripts = tmp_path / "app" / "scripts"
    (scripts / "tera").mkdir(parents=True)
    (scripts / "task.py").write_text("P = '/centralized_scheduler/config.json'\n")
    (scripts / "tera" / "run.sh").write_text("#!/bin/sh\ncat /centralized_scheduler/x\n")
    (scripts / "tera" / "run.sh").chmod(0o755)
    (scripts / "model.bin").write_bytes(b"/centralized_scheduler/stays")
    (scripts / "latin.txt").write_bytes(b"\xe9 /centralized_scheduler/stays")
    (scripts / "__pycache__").mkdir()
    (scripts / "__pycache__" / "task.pyc").touch()
    return scripts


def test_the_copy_is_complete_and_rewritten(app, tmp_path):
    nodes = tmp_path / "nodes.txt"
    nodes.write_text("home h\n")
    target = tmp_path / "node1" / "scripts"
    staged = stage_scripts(app, target, [nodes, tmp_path / "app_config.ini"])
    assert staged == target
    assert (staged / "task.py").read_text() == f"P = '{staged}/config.json'\n"
    assert (staged / "tera" / "run.sh").read_text() == f"#!/bin/sh\ncat {staged}/x\n"
    assert os.access(staged / "tera" / "run.sh", os.X_OK)
    assert (staged / "model.bin").read_bytes() == b"/centralized_scheduler/stays"
    assert (staged / "latin.txt").read_bytes() == b"\xe9 /centralized_scheduler/stays"
    assert (staged / "nodes.txt").read_text() == "home h\n"
    made = {"centralized_scheduler", "input", "output", "runtime"}
    copied = {"latin.txt", "model.bin", "nodes.txt", "task.py", "tera"}
    assert {path.name for path in staged.iterdir()} == made | copied
    assert (staged / "centralized_scheduler" / "task.py").samefile(staged / "task.py")
    assert (app / "task.py").read_text() == "P = '/centralized_scheduler/config.json'\n"


def test_staging_again_replaces_the_copy(app, tmp_path):
    target = tmp_path / "staged"
    stage_scripts(app, target)
    (target / "left_by_a_task").touch()
    (app / "task.py").write_text("new\n")
    stage_scripts(app, target)
    assert not (target / "left_by_a_task").exists()
    assert (target / "task.py").read_text() == "new\n"
    assert list(tmp_path.glob("*.part")) == []


def test_the_scripts_own_files_are_not_replaced_and_links_are_followed(app, tmp_path):
    (app / "configuration.txt").write_text("mine\n")
    other = tmp_path / "configuration.txt"
    other.write_text("other\n")
    (app / "link.py").symlink_to(app / "task.py")
    staged = stage_scripts(app, tmp_path / "staged", [other])
    assert (staged / "configuration.txt").read_text() == "mine\n"
    assert stat.S_ISREG((staged / "link.py").lstat().st_mode)


@pytest.mark.parametrize("name", ["it's", 'a"b', "a\\b", "$HOME", "`x`"])
def test_a_path_that_would_break_scripts_is_refused(app, tmp_path, name):
    with pytest.raises(InputError, match="is written into the app's scripts"):
        stage_scripts(app, tmp_path / name / "scripts")
    assert not (tmp_path / name).exists()


def test_scripts_that_cannot_be_read_are_named(app, tmp_path):
    (app / "dangling.py").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="dangling"):
        stage_scripts(app, tmp_path / "staged")
    with pytest.raises(InputError, match="can't be copied"):
        stage_scripts(tmp_path / "missing", tmp_path / "staged")
    assert not (tmp_path / "staged").exists()
    assert list(tmp_path.glob("*.part")) == []
