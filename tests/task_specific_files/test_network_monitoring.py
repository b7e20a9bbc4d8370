"""The network_monitoring app: the whole DAG on its samples and on fresh windows."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

APP = "network_monitoring"
SAMPLES = [f"{number}botnet" for number in range(1, 13)]


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_gets_its_right_answer(sample, apps, app_modules, result_of):
    result = result_of("job", apps / APP / "sample_input" / f"{sample}.ipsum.gz")
    answer = json.loads((apps / APP / "expected" / f"{sample}.json").read_text("utf-8"))
    assert app_modules("check_outputs").compare(result, answer) == []


def test_the_samples_cover_every_kind_and_clean_windows(apps, app_modules):
    answers = app_modules("check_outputs").load(apps / APP / "expected").values()
    kinds = Counter(a["kind"] for answer in answers for a in answer["anomalies"])
    assert set(kinds) == set(app_modules("synthetic_traffic").KINDS)
    assert sum(not answer["anomalies"] for answer in answers) >= 2
    files = sorted((apps / APP / "sample_input").iterdir())
    assert {answer["input"] for answer in answers} == {path.name for path in files}
    assert all(path.stat().st_size < 60 * 1024 for path in files)


def test_the_samples_are_what_the_generator_writes(apps, app_modules, tmp_path):
    generator = app_modules("generate_sample_input")
    window = app_modules("synthetic_traffic").make_window(3, generator.SHIPPED[2])
    fresh = generator.write_window(tmp_path, 3, window)
    shipped = apps / APP / "sample_input" / fresh.name
    assert gzip.decompress(fresh.read_bytes()) == gzip.decompress(shipped.read_bytes())
    fresh_answer = tmp_path / "expected" / "3botnet.json"
    shipped_answer = apps / APP / "expected" / "3botnet.json"
    assert fresh_answer.read_bytes() == shipped_answer.read_bytes()


def test_fresh_windows_are_judged_rightly(app_modules, result_of, tmp_path):
    traffic = app_modules("synthetic_traffic")
    essence = app_modules("check_outputs").essence
    right = wrong = missed = 0
    for number in range(1, 31):
        seed = 777_000 + number
        window = traffic.make_window(seed, traffic.random_anomalies(seed))
        path = app_modules("generate_sample_input").write_window(tmp_path, number, window)
        found = essence(result_of(f"job{number}", path)["anomalies"])
        truth = essence(window.truth)
        right += sum(item in truth for item in found)
        wrong += sum(item not in truth for item in found)
        missed += sum(item not in found for item in truth)
    assert right >= 20
    assert wrong <= 1
    assert missed <= 1


@pytest.mark.parametrize(
    ("sample", "detectors"),
    [("4botnet", ["astute"]), ("5botnet", ["simple"]), ("8botnet", ["astute", "simple"])],
)
def test_each_detector_sees_what_the_other_does_not(sample, detectors, apps, result_of):
    result = result_of("job", apps / APP / "sample_input" / f"{sample}.ipsum.gz")
    (anomaly,) = result["anomalies"]
    assert anomaly["detectors"] == detectors


def test_the_job_is_never_read_from_a_file_name(apps, result_of, tmp_path):
    renamed = tmp_path / "capture of monday.csv"
    packed = (apps / APP / "sample_input" / "4botnet.ipsum.gz").read_bytes()
    renamed.write_bytes(gzip.decompress(packed))
    result = result_of("job", renamed)
    assert result["input"] == renamed.name
    assert [anomaly["kind"] for anomaly in result["anomalies"]] == ["flash_crowd"]


def test_files_follow_jupiters_habit_of_naming(apps, drive):
    (output,) = drive.run("job", apps / APP / "sample_input" / "1botnet.ipsum.gz")
    assert output.name == "1global_anomalies.json"
    calls = dict(drive.calls)
    assert calls["aggregate1"] == ["1split_1.csv"]
    assert calls["astutedetector2"] == ["1merged_file2.json"]
    assert sorted(calls["fusioncenter0"]) == ["1anomalies_astute0.json", "1anomalies_simple0.json"]


@pytest.mark.parametrize("task", ["fusioncenter0", "globalfusion"])
def test_a_join_does_not_depend_on_the_order_of_its_files(task, apps, drive):
    first = drive.run("first", apps / APP / "sample_input" / "7botnet.ipsum.gz")
    names = dict(drive.calls)[task]
    folder = drive.work / "first" / task / "in"
    again = drive.call("again", task, [folder / name for name in reversed(names)])
    expected = sorted((drive.work / "first" / task / "out").iterdir())
    assert first
    assert again[0].read_bytes() == expected[0].read_bytes()


def test_files_of_two_windows_in_one_call_are_refused(apps, drive):
    drive.run("one", apps / APP / "sample_input" / "1botnet.ipsum.gz")
    drive.run("two", apps / APP / "sample_input" / "2botnet.ipsum.gz")
    files = [
        next((drive.work / job / task / "out").iterdir())
        for job, task in [
            ("one", "fusioncenter0"),
            ("two", "fusioncenter1"),
            ("one", "fusioncenter2"),
        ]
    ]
    with pytest.raises(ValueError, match="different windows"):
        drive.call("mixed", "globalfusion", files)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello\n", "not a flow record file"),
        ('# {"bins": 0, "bin_s": 3}\nCOLUMNS\n', "'bins' must be a number above 0"),
        ('# {"bins": 2, "bin_s": 3}\nCOLUMNS\n1.0,a,b\n', "bad.csv:3: 3 fields, expected 8"),
    ],
)
def test_a_bad_input_is_told_with_file_and_line(text, told, app_modules, tmp_path):
    text = text.replace("COLUMNS", app_modules("flow_records").COLUMNS)
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=told):
        app_modules("localpro").task("bad.csv", str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("record", "told"),
    [("7.0,a,b,1,2,6,1,40", "outside the window"), ("x,a,b,1,2,6,1,40", "not a flow record")],
)
def test_a_bad_record_is_told_with_file_and_line(record, told, app_modules, tmp_path):
    meta = {"bins": 2, "bin_s": 3, "input": "w", "slice": 0, "slices": 3}
    text = app_modules("flow_records").format_lines(meta, [record])
    (tmp_path / "slice.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"slice.csv:3: .*{told}"):
        app_modules("aggregate").task("slice.csv", str(tmp_path), str(tmp_path))


def test_main_is_a_profiling_entry_for_every_module(app_modules, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    generated = tmp_path / "generated_files"
    generated.mkdir()
    files = app_modules("task_files")
    samples = app_modules("generate_sample_input").APP / "sample_input"
    monkeypatch.setattr(files, "__file__", str(tmp_path / "task_files.py"))
    (tmp_path / "sample_input").symlink_to(samples)
    with pytest.raises(FileNotFoundError, match="run main"):
        app_modules("globalfusion").main()
    modules = (
        "localpro",
        "aggregate",
        "simpledetector",
        "astutedetector",
        "fusioncenter",
    )
    for name in modules:
        written = app_modules(name).main()
        assert written
        for path in map(Path, written):
            path.rename(generated / path.name)
            assert (generated / path.name).stat().st_size > 0
