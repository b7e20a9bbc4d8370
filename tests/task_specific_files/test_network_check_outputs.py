"""check_outputs.py of network_monitoring: it says what is wrong with an outputs folder."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

APP = "network_monitoring"


@pytest.fixture
def outputs(apps, tmp_path):
    """An outputs folder that is right, with job and file names that mean nothing."""
    for number, path in enumerate(sorted((apps / APP / "expected").iterdir())):
        answer = json.loads(path.read_text("utf-8"))
        for anomaly in answer["anomalies"]:
            anomaly |= {"score": 7.5, "branches": [0, 1], "detectors": ["simple"]}
        job = tmp_path / "outputs" / f"job-{number}"
        job.mkdir(parents=True)
        (job / f"{number}.json").write_text(json.dumps(answer), encoding="utf-8")
    return tmp_path / "outputs"


@pytest.fixture
def check(app_modules, outputs, monkeypatch, capsys):
    """Runs the script on the folder; returns (exit code, what it printed)."""

    def run(*options: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["check_outputs.py", str(outputs), *options])
        code = app_modules("check_outputs").main()
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def edit(outputs, change):
    path = next(p for p in sorted(outputs.glob("*/*")) if json.loads(p.read_text())["anomalies"])
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_right_outputs_pass(check):
    assert check() == (0, "all 12 windows are right\n")


def test_a_missing_job_fails(check, outputs):
    shutil.rmtree(outputs / "job-3")
    code, told = check()
    assert code == 1
    assert "0 outputs, expected 1" in told


def test_an_output_that_came_twice_fails(check, outputs):
    shutil.copytree(outputs / "job-3", outputs / "job-again")
    code, told = check()
    assert code == 1
    assert "2 outputs, expected 1" in told


def test_jobs_beyond_the_samples_take_them_in_turn(check, outputs):
    for folder in sorted(outputs.iterdir()):
        (file,) = folder.iterdir()
        if json.loads(file.read_text("utf-8"))["input"] in ("1botnet.ipsum.gz", "2botnet.ipsum.gz"):
            shutil.copytree(folder, outputs / f"{folder.name}-again")
    assert check("--jobs", "14") == (0, "all 14 windows are right\n")
    assert check("--jobs", "15")[0] == 1


def test_a_folder_that_a_crash_left_unfinished_is_no_output(check, outputs):
    (outputs / ".job-13.part").mkdir()
    assert check()[0] == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data["anomalies"].pop(), "missed"),
        (lambda data: data["anomalies"][0].update(first_bin=0), "false alarm"),
        (lambda data: data["anomalies"][0].update(kind="alpaca"), "alpaca"),
        (lambda data: data.update(records=5), "5 records, expected"),
        (lambda data: data.update(input="other"), "no right answer is known for other"),
        (lambda data: data.pop("input"), "not a verdict"),
    ],
)
def test_a_wrong_output_fails(change, told, check, outputs):
    edit(outputs, change)
    code, text = check()
    assert code == 1
    assert told in text


def test_a_torn_output_fails(check, outputs):
    path = next(outputs.glob("job-3/*"))
    path.write_bytes(path.read_bytes()[:-5])
    assert check()[0] == 1


def test_no_outputs_folder_is_another_matter(check, outputs):
    shutil.rmtree(outputs)
    code, told = check()
    assert code == 2
    assert "is not a folder" in told
