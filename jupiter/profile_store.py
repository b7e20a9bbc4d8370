"""The profile store: what was measured, kept in one SQLite file.

Samples and the profiles made from them are appended, never changed, so that history stays. Profiles
of links and nodes belong to a cluster, those of tasks also to an app and the hash of its content: a
changed script does not inherit old times.

Several processes may use one file at once: it is in WAL mode, writers take turns and wait for each
other up to ``BUSY_S``. One ProfileStore belongs to one thread. The tables are in
:mod:`jupiter.profile_store_schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from jupiter.profile import LinkProfile, NodeProfile, Profiles, TaskProfile
from jupiter.profile_store_schema import TABLES, open_store

LinkSample = tuple[int, int]
"""(size_bytes, duration_ns)"""
TaskSample = tuple[int, Mapping[str, int]]
"""(duration_ns, bytes to each child)"""


class ProfileStore:
    """Samples and profiles of one cluster. A context manager; close it in the end.

    Raises InputError when the file is not a profile store or of another version, and
    sqlite3.OperationalError when another process keeps it locked.
    """

    def __init__(self, path: Path, *, cluster: str = "local") -> None:
        self.path = path
        self.cluster = cluster
        self._db = open_store(path)

    def close(self) -> None:
        """Let go of the file; the store can't be used afterwards. May be called twice."""
        self._db.close()

    def __enter__(self) -> ProfileStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add_link_samples(
        self, source: str, target: str, samples: Iterable[LinkSample], unix_ns: int
    ) -> None:
        """Keep measured transfers of one direction."""
        rows = [(self.cluster, source, target, *sample, unix_ns) for sample in samples]
        self._insert("link_samples", rows)

    def link_samples(self, source: str, target: str, newest: int = 1000) -> list[LinkSample]:
        """The newest transfers of one direction, oldest first."""
        rows = self._db.execute(
            "SELECT size_bytes, duration_ns FROM link_samples "
            "WHERE cluster = ? AND source = ? AND target = ? ORDER BY id DESC LIMIT ?",
            (self.cluster, source, target, newest),
        ).fetchall()
        return [(row[0], row[1]) for row in reversed(rows)]

    def add_task_samples(
        self,
        app: str,
        content_hash: str,
        task: str,
        node: str,
        samples: Iterable[TaskSample],
        unix_ns: int,
    ) -> None:
        """Keep measured calls of one task on one node."""
        self._insert(
            "task_samples",
            [
                (self.cluster, app, content_hash, task, node, duration, _json(sizes), unix_ns)
                for duration, sizes in samples
            ],
        )

    def task_samples(
        self, app: str, content_hash: str, task: str, node: str, newest: int = 1000
    ) -> list[tuple[int, dict[str, int]]]:
        """The newest calls of one task on one node, oldest first."""
        rows = self._db.execute(
            "SELECT duration_ns, output_bytes FROM task_samples WHERE cluster = ? AND app = ? "
            "AND content_hash = ? AND task = ? AND node = ? ORDER BY id DESC LIMIT ?",
            (self.cluster, app, content_hash, task, node, newest),
        ).fetchall()
        return [(row[0], json.loads(row[1])) for row in reversed(rows)]

    def add_links(self, profiles: Iterable[LinkProfile]) -> None:
        """Keep link profiles; the last one added of a link is its latest."""
        self._insert(
            "link_profiles",
            [
                (
                    self.cluster,
                    link.source,
                    link.target,
                    link.latency_ns,
                    link.bandwidth_bit_s,
                    link.spread_ns,
                    link.samples,
                    link.measured_at_ns,
                )
                for link in profiles
            ],
        )

    def latest_links(self) -> dict[tuple[str, str], LinkProfile]:
        """(source, target) → its latest profile."""
        rows = self._latest("link_profiles", {"cluster": self.cluster}, ("source", "target"))
        found = (LinkProfile(*row) for row in rows)
        return {(link.source, link.target): link for link in found}

    def add_nodes(self, profiles: Iterable[NodeProfile]) -> None:
        """Keep node profiles; the last one added of a node is its latest."""
        self._insert(
            "node_profiles",
            [
                (
                    self.cluster,
                    node.node,
                    node.cores,
                    node.memory_bytes,
                    node.load,
                    node.speed,
                    node.measured_at_ns,
                )
                for node in profiles
            ],
        )

    def latest_nodes(self) -> dict[str, NodeProfile]:
        """Node → its latest profile."""
        rows = self._latest("node_profiles", {"cluster": self.cluster}, ("node",))
        return {row[0]: NodeProfile(*row) for row in rows}

    def add_tasks(self, app: str, content_hash: str, profiles: Iterable[TaskProfile]) -> None:
        """Keep task profiles of an app as it is now; the last one added is the latest."""
        self._insert(
            "task_profiles",
            [
                (
                    self.cluster,
                    app,
                    content_hash,
                    task.task,
                    task.node,
                    task.median_ns,
                    task.p95_ns,
                    _json(task.output_bytes),
                    task.samples,
                    int(task.predicted),
                    task.measured_at_ns,
                )
                for task in profiles
            ],
        )

    def latest_tasks(self, app: str, content_hash: str) -> dict[tuple[str, str], TaskProfile]:
        """(task, node) → its latest profile, of this app with exactly this content."""
        scope = {"cluster": self.cluster, "app": app, "content_hash": content_hash}
        rows = self._latest("task_profiles", scope, ("task", "node"))
        return {
            (task, node): TaskProfile(
                task, node, median, p95, json.loads(sizes), samples, bool(predicted), measured_at
            )
            for task, node, median, p95, sizes, samples, predicted, measured_at in rows
        }

    def latest(self, app: str, content_hash: str) -> Profiles:
        """All that the scheduler asks for, as it is now; read in one transaction."""
        with self._transaction("DEFERRED"):
            return Profiles(
                links=self.latest_links(),
                nodes=self.latest_nodes(),
                tasks=self.latest_tasks(app, content_hash),
            )

    def export(self, out: TextIO) -> int:
        """Write every row of every cluster as one JSON object per line; gives the number of lines.

        ``kind`` is the table; the rest are its columns.
        """
        lines = 0
        with self._transaction("DEFERRED"):
            for table, columns in TABLES.items():
                listed = ", ".join(columns)
                for row in self._db.execute(f"SELECT {listed} FROM {table} ORDER BY id"):
                    record = {"kind": table, **dict(zip(columns, row, strict=True))}
                    if "output_bytes" in record:
                        record["output_bytes"] = json.loads(record["output_bytes"])
                    if "predicted" in record:
                        record["predicted"] = bool(record["predicted"])
                    out.write(_json(record) + "\n")
                    lines += 1
        return lines

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """All rows or none."""
        columns = TABLES[table]
        marks = ", ".join("?" * len(columns))
        with self._transaction("IMMEDIATE"):
            self._db.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
            )

    def _latest(
        self, table: str, scope: Mapping[str, str], key: tuple[str, ...]
    ) -> list[tuple[Any, ...]]:
        """The newest row per key, without the scope's columns, in the order of the keys."""
        columns = ", ".join(column for column in TABLES[table] if column not in scope)
        where = " AND ".join(f"{column} = ?" for column in scope)
        keys = ", ".join(key)
        return self._db.execute(
            f"SELECT {columns} FROM {table} WHERE id IN "
            f"(SELECT MAX(id) FROM {table} WHERE {where} GROUP BY {keys}) ORDER BY {keys}",
            tuple(scope.values()),
        ).fetchall()

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[None]:
        self._db.execute(f"BEGIN {mode}")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
