"""run.lock.json: what is written comes back, and a newer format is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupiter.app import App, Task
from jupiter.errors import JupiterError
from jupiter.profile import LinkProfile, Profiles, TaskProfile
from jupiter.run_folder import RunFolder, create_run
from jupiter.run_lock import (
    LockedTimeline,
    RunLock,
    content_hash,
    decode_lock,
    encode_lock,
    lock_app,
    lock_profiles,
)
from jupiter.timetable import Slot, Timetable


@pytest.fixture
def app(tmp_path: Path) -> App:
    scripts = tmp_path / "app" / "scripts"
    scripts.mkdir(parents=True)
    config = tmp_path / "app" / "app.yaml"
    config.write_text("tasks: {}")
    (scripts / "z.py").write_text("z")
    tasks = {"z": Task("z", "z", ("a",)), "a": Task("a", "a", ("home",))}
    return App("demo", config.parent, scripts, config, None, "app.yaml", tasks, ("z",))


def full_lock(app: App) -> RunLock:
    profiles = Profiles(
        {("n1", "n2"): LinkProfile("n1", "n2", 1.5, 8e6)},
        {},
        {("z", "n1"): TaskProfile("z", "n1", 1.0, 2.0, {"a": 3.0})},
    )
    return RunLock(
        run_id="r",
        app=lock_app(app),
        nodes=["home", "n1", "n2"],
        placement={"z": "n1", "a": "n2"},
        timetable=Timetable("main", 50, {"z": Slot("z", "n1", 0, 10)}),
        profiles=lock_profiles(profiles),
        clock_models={"home": {"epoch_ns": 5}},
        timeline=LockedTimeline(name="main", accuracy_ns=1000),
        settings={"window": 8},
        jobs_expected=3,
    )


def test_comes_back_as_it_was(app: App) -> None:
    lock = full_lock(app)
    assert decode_lock(encode_lock(lock)) == lock


def test_keeps_the_order_of_the_tasks(app: App) -> None:
    assert list(decode_lock(encode_lock(full_lock(app))).app.tasks) == ["z", "a"]


def test_parents_hold_home(app: App) -> None:
    tasks = lock_app(app).tasks
    assert tasks["z"].parents == ["home"]
    assert tasks["a"].parents == ["z"]


def test_newer_format_is_refused(tmp_path: Path, app: App) -> None:
    folder = create_run(tmp_path / "runs", "a")
    data = json.loads(encode_lock(full_lock(app))) | {"format": 99}
    folder.lock.write_text(json.dumps(data))
    with pytest.raises(JupiterError, match="format 99"):
        folder.read_lock()


def test_half_a_lock_is_an_error(tmp_path: Path, app: App) -> None:
    folder = RunFolder(tmp_path)
    folder.lock.write_bytes(encode_lock(full_lock(app))[:100])
    with pytest.raises(JupiterError, match="can't be read"):
        folder.read_lock()


def test_hash_changes_with_code_and_names_but_not_with_caches(app: App) -> None:
    first = content_hash(app)
    (app.scripts / "__pycache__").mkdir()
    (app.scripts / "__pycache__" / "z.pyc").write_bytes(b"1")
    assert content_hash(app) == first
    (app.scripts / "z.py").rename(app.scripts / "y.py")
    renamed = content_hash(app)
    assert renamed != first
    (app.scripts / "y.py").write_text("other")
    assert content_hash(app) not in (first, renamed)
