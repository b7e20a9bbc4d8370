"""docs/app_formats.md: its examples can be read, and it leaves out no field."""

from __future__ import annotations

import re

import pytest

from jupiter.app_formats import load_app
from jupiter.app_schema import BLOCKS


@pytest.fixture
def page(request) -> str:
    return (request.config.rootpath / "docs" / "app_formats.md").read_text(encoding="utf-8")


def block_after(page: str, heading: str) -> str:
    found = re.search(r"```\w*\n(.*?)```", page[page.index(f"\n## {heading}\n") :], re.DOTALL)
    assert found is not None
    return found[1]


def test_app_yaml(page, write):
    app = load_app(write({"app.yaml": block_after(page, "app.yaml")}))
    assert app.parents("align") == ("camera_left", "camera_right")
    assert app.sinks == ("fuse",)


def test_configuration_txt(page, write):
    lines = block_after(page, "configuration.txt").splitlines()
    text = "\n".join(re.split(r"\s{5,}", line)[0] for line in lines)
    app = load_app(write({"configuration.txt": text}))
    assert app.parents("join") == ("left", "right")
    assert app.static_placement == {"split": "node1"}


def test_dag_scheduler_txt(page, write):
    app = load_app(write({"DAG_Scheduler.txt": block_after(page, "DAG_Scheduler.txt")}))
    assert app.tasks["join"].files_per_call == 2


def test_every_field_is_documented(page):
    fields = {name for block in BLOCKS.values() for name in block.model_fields}
    assert sorted(name for name in fields if f"`{name}`" not in page) == []
