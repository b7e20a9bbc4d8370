"""scripts/run_tests.py: a line per check, details of what failed, an exit code that counts all."""

from __future__ import annotations

import sys
import types

import pytest
import run_tests


@pytest.fixture
def checks(monkeypatch, tmp_path):
    """What each program prints and ends with; the order in which they were called."""
    calls = []
    results = {}

    def run_command(command, line):
        name = command[0].rpartition("/")[2]
        calls.append(name)
        code, said = results.get(name, (0, ["all is well"]))
        for text in said:
            line(text)
        return code

    def run_pytest(command, check):
        calls.append("pytest")
        sys.stdout.write("=== 3 passed ===\n")
        return types.SimpleNamespace(returncode=results.get("pytest", 0))

    place = types.SimpleNamespace(
        root=tmp_path, bin=tmp_path, python=tmp_path / "python", prepare=lambda extra: None
    )
    monkeypatch.setattr(run_tests.environment, "run_command", run_command)
    monkeypatch.setattr(run_tests.environment, "Environment", lambda: place)
    monkeypatch.setattr(run_tests.subprocess, "run", run_pytest)
    monkeypatch.setattr(run_tests.signal, "signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_tests.sys, "argv", ["run_tests.py"])
    return types.SimpleNamespace(calls=calls, results=results)


def test_all_checks_run_in_order_and_pytest_has_the_last_word(checks, capsys):
    assert run_tests.check_and_test() == 0
    assert checks.calls == ["ruff", "ruff", "mypy", "lint-imports", "pytest"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[-1] == "=== 3 passed ==="


def test_a_failed_check_is_shown_whole_and_the_others_still_run(checks, capsys):
    checks.results["mypy"] = (1, ["a.py:1: error: no", "Found 1 error"])
    assert run_tests.check_and_test() == 1
    out = capsys.readouterr().out
    assert "a.py:1: error: no" in out
    assert "failed so far: mypy" in out
    assert checks.calls[-1] == "pytest"


def test_failed_tests_give_their_own_exit_code(checks):
    checks.results["pytest"] = 5
    assert run_tests.check_and_test() == 5
