import sqlite3

import pytest

from jupiter.errors import InputError
from qot.coordination.errors import UnavailableError
from qot.coordination.sqlite_store import SqliteStore


def test_a_second_coordinator_is_kept_out(tmp_path):
    first = SqliteStore(tmp_path / "a.sqlite")
    with pytest.raises(InputError, match=r"another coordinator uses .*a\.sqlite"):
        SqliteStore(tmp_path / "a.sqlite")
    first.close()
    SqliteStore(tmp_path / "a.sqlite").close()


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(InputError, match="another program's"):
        SqliteStore(path)


def test_another_version_is_left_alone(tmp_path):
    path = tmp_path / "a.sqlite"
    SqliteStore(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(InputError, match="of version 99, expected version 1"):
        SqliteStore(path)


def test_what_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 100)
    with pytest.raises(InputError, match="can't be opened as a database"):
        SqliteStore(path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="folder that exists"):
        SqliteStore(tmp_path / "nowhere" / "a.sqlite")


def test_a_closed_database_is_unavailable(tmp_path):
    store = SqliteStore(tmp_path / "a.sqlite")
    store.close()
    with pytest.raises(UnavailableError, match="can't be used now"):
        store.get("/a")
