"""Placements in and out: what is written can be read, what can't work is refused."""

from __future__ import annotations

import pytest

from jupiter.app_formats import load_app
from jupiter.placement import check_pins, check_placement, read_placement, write_placement

NODES = ["home", "node1", "node2"]
APP = """\
tasks:
  split: {}
  count: {inputs: split, node: node2}
services:
  watch: {command: [python, watch.py]}
"""


@pytest.fixture
def app(write):
    return load_app(write({"app.yaml": APP}))


def test_round_trip(tmp_path, app):
    placement = {"split": "home", "count": "node2", "watch": "node1"}
    write_placement(tmp_path / "mapping.json", placement)
    assert read_placement(tmp_path / "mapping.json", app, NODES) == placement
    assert [path.name for path in tmp_path.glob("*.json*")] == ["mapping.json"]


def test_home_may_be_placed_and_lines_are_read(tmp_path, app):
    path = tmp_path / "mapping"
    path.write_text('{"split": "node1", "count": "node2", "home": "home"}')
    assert read_placement(path, app, NODES) == {"split": "node1", "count": "node2"}
    path.write_text("split\tnode1\ncount\tnode2\n")
    assert read_placement(path, app, NODES) == {"split": "node1", "count": "node2"}


@pytest.mark.parametrize(
    ("text", "line", "field", "said", "fix"),
    [
        ('{"split": "node1",\n "cuont": "node2"}', 2, "cuont", "'cuont'", "'count'"),
        ('{"split": "Node1",\n "count": "node2"}', 1, "split", "'Node1'", "'node1'"),
        ('{"count": "node2"}', None, "split", "no node: split", '"split": "home"'),
        ('{"split": "home",\n"count": "node1"}', 2, "count", "pins it to 'node2'", "place"),
        ('{"split": "home",\n"split": "home"}', 1, "split", "twice", "remove"),
        ('{"split": 3}', 1, "split", "expected a name", "node1"),
        ('{"split": \n}', 2, None, "not JSON", "task"),
        ("[1]", None, None, "expected an object", "task"),
        ("split node1 node2\n", 1, None, "not a placement", "TASK NODE"),
        ("split home\nsplit home\n", 2, "split", "twice", "remove"),
        ("count node1/0.3:node2/0.7\nsplit home\n", 1, "count", "not a node", "use one"),
    ],
)
def test_bad_placements(tmp_path, app, errors, text, line, field, said, fix):
    path = tmp_path / "mapping.json"
    path.write_text(text)
    found = errors(lambda: read_placement(path, app, NODES))
    match = [error for error in found if said in error.seen]
    assert match, [str(error) for error in found]
    assert (match[0].file, match[0].line, match[0].field) == (str(path), line, field)
    assert fix in match[0].fix


def test_placements_from_elsewhere_are_judged_too(app, errors):
    check_placement({"split": "home", "count": "node2"}, app, NODES)
    (error,) = errors(lambda: check_placement({"split": "home"}, app, NODES))
    assert error.file is None


def test_pins(app, errors):
    check_pins(app, NODES)
    (error,) = errors(lambda: check_pins(app, ["home", "node1"]))
    assert (error.line, error.field) == (3, "node")
    assert "'node1'" in error.fix
