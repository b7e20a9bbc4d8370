"""Ports, static assignments and app data beside a classic config."""

from __future__ import annotations

import pytest

from jupiter.app_formats import load_app

CONFIG = {"configuration.txt": "2\na 1 true b\nb 1 true home\n"}
STATIC = """\
import os
print("must not run")
dag = ['a', {'a': ['1', 'true', 'b'], 'b': ['1', 'true', 'home']}, {'a': 'node4', 'b': 'node2'}]
schedule = ['a', {}, {'a': ['a', 'ubuntu-1', 'root', 'pw'], 'home': ['home', 'h', 'root', 'pw']}]
"""


def test_ports_are_paired_by_key(write):
    ini = "[DOCKER_PORT]\n    PYTHON-PORT = 57021\n    WEB = 80\n[SVC_PORT]\n    WEB = 8080\n"
    folder = write({**CONFIG, "app_config.ini": ini + "    PYTHON-PORT = 57022\n"})
    assert load_app(folder).ports == {8080: 80, 57022: 57021}


@pytest.mark.parametrize(
    ("ini", "said"),
    [
        ("[DOCKER_PORT]\nA = 1\n", "one of"),
        ("[DOCKER_PORT]\nA = x\n[SVC_PORT]\nA = 2\n", "not a port"),
        ("[DOCKER_PORT]\nA = 70000\n[SVC_PORT]\nA = 2\n", "not a port"),
        ("A = 1\n", "not an ini"),
    ],
)
def test_bad_ports(write, errors, ini, said):
    folder = write({**CONFIG, "app_config.ini": ini})
    (error,) = errors(lambda: load_app(folder))
    assert said in error.seen
    assert error.file == str(folder / "app_config.ini")


def test_static_assignment_is_parsed_and_not_run(write, capsys):
    app = load_app(write({**CONFIG, "scripts/static_assignment.py": STATIC}))
    assert app.static_placement == {"a": "node4", "b": "node2"}
    assert any("passwords" in warning for warning in app.warnings)
    assert capsys.readouterr().out == ""


def test_schedule_alone_gives_hosts(write):
    text = STATIC.splitlines()[-1]
    app = load_app(write({**CONFIG, "static_assignment.py": text}))
    assert app.static_placement == {"a": "ubuntu-1"}


@pytest.mark.parametrize("text", ["dag = make()\n", "dag = [\n", "x = 1\n"])
def test_unreadable_static_assignment(write, errors, text):
    (error,) = errors(lambda: load_app(write({**CONFIG, "static_assignment.py": text})))
    assert error.file is not None
    assert error.file.endswith("static_assignment.py")


def test_slips_in_app_data_are_warnings(write):
    app = load_app(
        write(
            {
                **CONFIG,
                "scripts/communication.txt": "a b-21.9 \nz b-1 \n",
                "name_convert.txt": "input global botnet\na split\nb x y\nq x y\n",
            }
        )
    )
    assert [warning.partition(": ")[0] for warning in app.warnings] == [
        "communication.txt:2",
        "name_convert.txt:2",
        "name_convert.txt:4",
    ]
