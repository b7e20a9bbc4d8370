import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from jupiter.errors import InputError
from jupiter.profile import LinkProfile, NodeProfile, Profiles, TaskProfile
from jupiter.profile_store import ProfileStore

LINK = LinkProfile("a", "b", 1e6, 8e7, 5e4, 12, 1000)
NODE = NodeProfile("a", 4, 2**33, 0.25, 0.5, 1000)
TASK = TaskProfile("t", "a", 1.5e6, 2e6, {"next": 100.0, "home": 3.0}, 7, True, 1000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "profiles.sqlite"


@pytest.fixture
def store(path):
    with ProfileStore(path) as opened:
        yield opened


def fill(store):
    store.add_links([LINK])
    store.add_nodes([NODE])
    store.add_tasks("app", "hash", [TASK])


def test_profiles_come_back_as_they_were(store):
    fill(store)
    assert store.latest("app", "hash") == Profiles(
        {("a", "b"): LINK}, {"a": NODE}, {("t", "a"): TASK}
    )


def test_the_last_one_added_is_the_latest(store):
    newer = LinkProfile("a", "b", 2e6, 8e7)
    store.add_links([LINK, newer, LinkProfile("b", "a", 3e6, 8e7)])
    assert store.latest_links()["a", "b"] == newer
    assert list(store.latest_links()) == [("a", "b"), ("b", "a")]


def test_a_new_store_is_empty(store):
    assert store.latest("app", "hash") == Profiles({}, {}, {})
    assert store.link_samples("a", "b") == []


def test_tasks_belong_to_an_app_with_its_content(store):
    store.add_tasks("app", "hash", [TASK])
    assert store.latest_tasks("app", "other hash") == {}
    assert store.latest_tasks("other", "hash") == {}


def test_clusters_do_not_mix(path, store):
    fill(store)
    with ProfileStore(path, cluster="far") as other:
        assert other.latest("app", "hash") == Profiles({}, {}, {})


def test_samples_keep_their_order_and_the_newest_are_given(store):
    store.add_link_samples("a", "b", [(1, 10), (2, 20), (3, 30)], 99)
    store.add_link_samples("b", "a", [(7, 70)], 99)
    assert store.link_samples("a", "b") == [(1, 10), (2, 20), (3, 30)]
    assert store.link_samples("a", "b", newest=2) == [(2, 20), (3, 30)]
    store.add_task_samples("app", "hash", "t", "a", [(5, {"next": 1}), (6, {})], 99)
    assert store.task_samples("app", "hash", "t", "a") == [(5, {"next": 1}), (6, {})]
    assert store.task_samples("app", "hash", "t", "b") == []


def test_everything_is_still_there_after_reopening(path):
    with ProfileStore(path) as store:
        fill(store)
    with ProfileStore(path) as store:
        assert store.latest_links() == {("a", "b"): LINK}


def test_a_batch_is_kept_whole_or_not_at_all(store):
    bad = LinkProfile("x", None, 1.0, 1.0)
    with pytest.raises(sqlite3.IntegrityError):
        store.add_links([LINK, bad])
    assert store.latest_links() == {}
    store.add_links([LINK])
    assert store.latest_links() == {("a", "b"): LINK}


def test_export_is_one_json_object_per_line(store):
    fill(store)
    store.add_link_samples("a", "b", [(1, 10)], 99)
    store.add_task_samples("app", "hash", "t", "a", [(5, {"next": 1})], 99)
    out = io.StringIO()
    assert store.export(out) == 5
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    kinds = {line["kind"]: line for line in lines}
    assert kinds["task_profiles"]["output_bytes"] == TASK.output_bytes
    assert kinds["task_profiles"]["predicted"] is True
    assert kinds["link_samples"] == {
        "kind": "link_samples",
        "cluster": "local",
        "source": "a",
        "target": "b",
        "size_bytes": 1,
        "duration_ns": 10,
        "unix_ns": 99,
    }


def test_another_file_is_not_a_store(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("these are not profiles, and quite long enough to be read as a header" * 9)
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE t (x)").connection.close()
    for path in (text, other):
        with pytest.raises(InputError, match="not a profile store"):
            ProfileStore(path)


def test_another_version_is_refused(path):
    ProfileStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match=r"has version 99, this Jupiter reads version 1"):
        ProfileStore(path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="can't be opened"):
        ProfileStore(tmp_path / "none" / "profiles.sqlite")


def test_only_the_store_is_left_in_its_folder(path, store):
    store.close()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    store.close()


WRITER = """
import sys
from pathlib import Path
from jupiter.profile import LinkProfile
from jupiter.profile_store import ProfileStore

path, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
with ProfileStore(path) as store:
    for i in range(20):
        store.add_links([LinkProfile(name, f"to{i}", float(i), 1.0)])
        store.add_link_samples(name, "x", [(i, i), (i, i)], i)
"""


def test_several_processes_create_and_write_at_once(path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), f"p{i}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        for i in range(4)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert errors == [b""] * 4
    assert [writer.returncode for writer in writers] == [0] * 4
    with ProfileStore(path) as store:
        assert len(store.latest_links()) == 80
        assert all(len(store.link_samples(f"p{i}", "x")) == 40 for i in range(4))
