"""Modules that scripts import and that are not there: warned of, with how to install them."""

from __future__ import annotations

import sys

import pytest

from jupiter.app_check import app_warnings, check_app
from jupiter.app_formats import load_app

TASK = "def task(files, pathin, pathout):\n    pass\n"


def warnings_of(write, script: str, **others: str) -> tuple[str, ...]:
    """The warnings of an app of one task, whose folder may have other scripts."""
    scripts = {"work": script + TASK, **others}
    files = {f"scripts/{name}.py": text for name, text in scripts.items()}
    folder = write({"app.yaml": "tasks:\n  work: {}\n", "sample_input/a": "a", **files})
    app = load_app(folder)
    check_app(app)
    return app_warnings(app)


def test_it_names_the_line_the_module_the_python_and_how_to_install_it(write):
    (warning,) = warnings_of(write, "import json\nimport no_such_module.part\n")
    assert "/scripts/work.py:2 imports no_such_module, " in warning
    assert warning.endswith(f"{sys.executable} -m pip install no_such_module")


def test_each_module_is_told_once_also_from_a_helper_of_ours(write):
    helper = "from no_such_module import x\nimport no_other\nimport work\n"
    found = warnings_of(write, "import no_such_module\nfrom helper import y\n", helper=helper)
    assert [warning.partition(" imports ")[2].partition(",")[0] for warning in found] == [
        "no_such_module",
        "no_other",
    ]
    assert "/helper.py:2" in found[1]


@pytest.mark.parametrize(
    "script",
    [
        "import os, sys, numpy.linalg\nfrom collections import abc\nimport __main__\n",
        "try:\n    import no_such_module\nexcept ImportError:\n    pass\n",
        "if False:\n    import no_such_module\n",
        "def later():\n    import no_such_module\n",
        "import folder.inside\nfrom folder import inside\n",
        "from . import sister\n",
    ],
)
def test_what_is_there_or_not_needed_is_not_warned_of(write, script):
    assert warnings_of(write, script, **{"folder/inside": ""}) == ()


def test_a_package_with_another_name_than_its_module(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    (warning,) = warnings_of(write, "import sklearn\n")
    assert warning.endswith("pip install scikit-learn")
