"""The tables of the profile store, and how its file comes to be and is opened."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from jupiter.errors import InputError

VERSION = 1
"""Raised whenever TABLES change."""

BUSY_S = 30.0
"""How long a process waits for another one's transaction."""

_TYPES = {
    "size_bytes": "INTEGER",
    "duration_ns": "INTEGER",
    "unix_ns": "INTEGER",
    "measured_at_ns": "INTEGER",
    "cores": "INTEGER",
    "memory_bytes": "INTEGER",
    "samples": "INTEGER",
    "predicted": "INTEGER",
    "latency_ns": "REAL",
    "bandwidth_bit_s": "REAL",
    "spread_ns": "REAL",
    "load": "REAL",
    "speed": "REAL",
    "median_ns": "REAL",
    "p95_ns": "REAL",
}
"""Everything else is TEXT; output_bytes is JSON."""

TABLES: dict[str, tuple[str, ...]] = {
    "link_samples": ("cluster", "source", "target", "size_bytes", "duration_ns", "unix_ns"),
    "link_profiles": (
        "cluster",
        "source",
        "target",
        "latency_ns",
        "bandwidth_bit_s",
        "spread_ns",
        "samples",
        "measured_at_ns",
    ),
    "node_profiles": (
        "cluster",
        "node",
        "cores",
        "memory_bytes",
        "load",
        "speed",
        "measured_at_ns",
    ),
    "task_samples": (
        "cluster",
        "app",
        "content_hash",
        "task",
        "node",
        "duration_ns",
        "output_bytes",
        "unix_ns",
    ),
    "task_profiles": (
        "cluster",
        "app",
        "content_hash",
        "task",
        "node",
        "median_ns",
        "p95_ns",
        "output_bytes",
        "samples",
        "predicted",
        "measured_at_ns",
    ),
}
"""Table → its columns, in the order of the profiles' fields; each also has ``id``, which rises."""

_KEYS = ("cluster", "app", "content_hash", "source", "target", "task", "node")


def open_store(path: Path) -> sqlite3.Connection:
    """A connection to the store at ``path``, made if it is not there.

    Raises InputError when the file is something else, of another version, or can't be made.
    """
    try:
        if not path.exists():
            _create(path)
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    except (OSError, sqlite3.OperationalError) as error:
        raise _not_opened(path, error) from error
    try:
        version = connection.execute("SELECT version FROM schema_version").fetchone()[0]
    except sqlite3.OperationalError as error:
        connection.close()
        if "no such table" not in str(error):
            raise _not_opened(path, error) from error
        raise _not_a_store(path, error) from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _not_a_store(path, error) from error
    if version != VERSION:
        connection.close()
        raise InputError(
            f"the profile store has version {version}, this Jupiter reads version {VERSION}",
            "move the file away; profiles are measured again",
            file=path,
        )
    # A crash of the machine may lose the last transactions, never the file: they are only profiles.
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _not_opened(path: Path, error: Exception) -> InputError:
    return InputError(
        f"the profile store can't be opened: {error}",
        f"give yourself the right to write it and its folder: chmod -R u+rwX {path.parent}",
        file=path,
    )


def _not_a_store(path: Path, error: Exception) -> InputError:
    return InputError(
        f"the file is not a profile store: {error}",
        "move it away: profiles are measured again",
        file=path,
    )


def _create(path: Path) -> None:
    """Make the file aside and give it its name when it is complete; the first process wins.

    WAL mode is a property of the file: setting it here spares every opener a switch that needs the
    file for itself.
    """
    with tempfile.TemporaryDirectory(prefix=".profiles-", dir=path.parent) as folder:
        draft = Path(folder) / "draft.sqlite"
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN")
            connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
            connection.execute("INSERT INTO schema_version VALUES (?)", (VERSION,))
            for table, columns in TABLES.items():
                typed = ", ".join(f"{name} {_TYPES.get(name, 'TEXT')} NOT NULL" for name in columns)
                keys = ", ".join(name for name in columns if name in _KEYS)
                connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {typed})")
                connection.execute(f"CREATE INDEX {table}_keys ON {table} ({keys}, id)")
            connection.execute("COMMIT")
        finally:
            connection.close()
        try:
            os.link(draft, path)
        except FileExistsError:
            return
