"""The default store: one SQLite file, one coordinator.

WAL with ``synchronous=FULL``: a change is on the disk when the call returns. A lock file beside the
database keeps a second coordinator out; the system lets go of it however the first one ends.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupiter.errors import InputError
from qot.coordination.errors import UnavailableError
from qot.coordination.store import ChangedError, Document, ExistsError, Leader, Store

APPLICATION_ID = 0x514F5443
"""``QOTC``: tells our file from other databases."""
VERSION = 1

_BUSY_S = 10.0
_TABLE = """
CREATE TABLE documents (
    path TEXT PRIMARY KEY, parent TEXT NOT NULL, data BLOB NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID
"""


class SqliteStore(Store):
    """Raises InputError when the file can't be used, is another's, or is in use."""

    def __init__(self, path: Path, address: str = "") -> None:
        self._path, self._address = path, address
        self._turn = threading.Lock()
        self._lock = _lock_file(path)
        try:
            self._db = _open(path)
        except (sqlite3.Error, InputError):
            os.close(self._lock)
            raise
        self._closed = False

    def get(self, path: str) -> Document | None:
        with self._transaction() as db:
            row = db.execute("SELECT data, version FROM documents WHERE path = ?", (path,))
            found = row.fetchone()
        return None if found is None else Document(*found)

    def children(self, path: str) -> list[str]:
        with self._transaction() as db:
            rows = db.execute("SELECT path FROM documents WHERE parent = ? ORDER BY path", (path,))
            return [row[0].rpartition("/")[2] for row in rows]

    def create(self, path: str, data: bytes, *, fleeting: bool = False) -> Document:
        with self._transaction() as db:
            try:
                db.execute(
                    "INSERT INTO documents VALUES (?, ?, ?, 0)",
                    (path, path.rpartition("/")[0], data),
                )
            except sqlite3.IntegrityError:
                raise ExistsError(f"{path} exists already; read it and swap it") from None
        return Document(data, 0)

    def swap(self, path: str, data: bytes, version: int) -> Document:
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE documents SET data = ?, version = version + 1 "
                "WHERE path = ? AND version = ?",
                (data, path, version),
            )
            if changed.rowcount == 0:
                raise ChangedError(f"{path} is not at version {version} any more; read it again")
        return Document(data, version + 1)

    def delete(self, path: str) -> bool:
        with self._transaction() as db:
            gone = db.execute(  # "0" is the character after "/"
                "DELETE FROM documents WHERE path = ? OR path > ? AND path < ?",
                (path, path + "/", path + "0"),
            )
            return gone.rowcount > 0

    def leader(self) -> Leader:
        return Leader(self._address, is_self=True)

    def close(self) -> None:
        with self._turn:
            if not self._closed:
                self._closed = True
                self._db.close()
                os.close(self._lock)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One at a time; each statement is a transaction of its own."""
        with self._turn:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise UnavailableError(
                    f"the database {self._path} can't be used now: {error}; see that its disk has "
                    "room and is writable"
                ) from error


def _lock_file(path: Path) -> int:
    """Hold the lock for as long as the descriptor is open."""
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(
            f"{lock} can't be made: {error.strerror}",
            "give a database in a folder that exists and is writable",
            field="database",
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InputError(
            f"another coordinator uses {path}",
            "stop it, or give another database",
            field="database",
        ) from None
    return descriptor


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, path)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise InputError(
            f"{path} can't be opened as a database: {error}",
            "give another file, or one that does not exist yet",
            field="database",
        ) from None
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    ours = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and (ours, version) != (APPLICATION_ID, VERSION):
        what = "another program's" if ours != APPLICATION_ID else f"of version {version}"
        raise InputError(
            f"{path} is {what}, expected version {VERSION} of the coordination service's",
            "give another file, or one that does not exist yet",
            field="database",
        )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    if not tables:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute(_TABLE)
        db.execute("CREATE INDEX by_parent ON documents (parent)")
        db.execute("COMMIT")
