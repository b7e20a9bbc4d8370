"""The run folder: where a run keeps everything that its reports are made from.

    runs/<UTC time>-<app>-<random>/
      run.lock.json             what defines the run (:mod:`jupiter.run_lock`)
      events.jsonl              the merged event log (:mod:`jupiter.events`)
      outputs/<job>/            what came home
      dead_letter/<job>/<task>/ inputs, stderr and reason of a call that failed for good
      nodes/<node>/             log, spool, clock page, scripts; events.jsonl is the node's own log
      report/                   report.json, *.svg, *.png

A run that was killed at any moment stays readable: the lock appears complete or not at all, and a
last line of the log that was cut off is no event. Not safe for two writers of ``events.jsonl``.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from jupiter.errors import InputError, JupiterError
from jupiter.events import AnyEvent, Phase, decode_event, encode_event
from jupiter.run_lock import RunLock, decode_lock, encode_lock

ROOF = "roof"
"""The ``node`` of the events that the orchestrator itself writes."""

LATEST = "latest"
"""Stands for the newest run wherever a run is named."""


@dataclass(slots=True)
class EventLog:
    """The events of a run, and how many lines in the middle of its logs could not be read."""

    events: list[AnyEvent] = field(default_factory=list)
    damaged_lines: int = 0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's folder, made by :func:`create_run` or found by :func:`open_run`."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def lock(self) -> Path:
        return self.path / "run.lock.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def outputs(self) -> Path:
        return self.path / "outputs"

    @property
    def dead_letter(self) -> Path:
        return self.path / "dead_letter"

    @property
    def nodes(self) -> Path:
        return self.path / "nodes"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def node(self, name: str) -> Path:
        """The folder of one node."""
        return self.nodes / name

    def node_log(self, name: str) -> Path:
        """The event log that a node appends to by itself."""
        return self.node(name) / "events.jsonl"

    def write_lock(self, lock: RunLock) -> None:
        """Write ``run.lock.json``; it appears complete or not at all."""
        write_atomically(self.lock, encode_lock(lock))

    def read_lock(self) -> RunLock:
        """The lock. Raises JupiterError when the run ended before it wrote one that can be read."""
        try:
            return decode_lock(self.lock.read_bytes())
        except FileNotFoundError:
            raise JupiterError(
                f"{self.path} has no {self.lock.name}: the run ended before it was planned, "
                "so there is nothing to report; start it again"
            ) from None
        except (ValueError, msgspec.MsgspecError) as error:
            raise JupiterError(f"{self.lock} can't be read: {error}") from error

    def append(self, *events: AnyEvent) -> None:
        """Add events to ``events.jsonl``, after what a crash may have cut off is removed."""
        if not events:
            return
        with self.events.open("ab+") as log:
            _drop_torn_line(log.fileno())
            log.write(b"".join(encode_event(event) for event in events))

    def gather(self) -> None:
        """Merge every node's own log into ``events.jsonl``. May be repeated.

        Lines of the roof and of nodes without a log of their own stay; lines of one node keep
        their order. Damaged lines are left where they are, in the node's log.
        """
        logs = {log.parent.name: log for log in self._node_logs()}
        lines = [
            line for line, event in _complete_lines(self.events) if event and event.node not in logs
        ]
        for log in logs.values():
            lines += [line for line, event in _complete_lines(log) if event]
        write_atomically(self.events, b"".join(lines))

    def read_log(self) -> EventLog:
        """Every event of the run.

        When the roof was killed before it could gather the nodes' logs (no ``stop`` phase was
        logged), the lines of those logs that are not in ``events.jsonl`` are added.
        """
        log = EventLog()
        seen: set[bytes] = set()
        stopped = False
        for line, event in _complete_lines(self.events):
            if event is None:
                log.damaged_lines += 1
                continue
            seen.add(line)
            stopped |= isinstance(event, Phase) and event.name == "stop"
            log.events.append(event)
        if stopped:
            return log
        for path in self._node_logs():
            for line, event in _complete_lines(path):
                if event is None:
                    log.damaged_lines += 1
                elif line not in seen:
                    log.events.append(event)
        return log

    def _node_logs(self) -> list[Path]:
        return sorted(self.nodes.glob("*/events.jsonl"))


def create_run(runs: Path, app: str, *, now: datetime | None = None) -> RunFolder:
    """Make a new, empty run folder below ``runs``; its name sorts by time.

    Raises InputError when no folder can be made there, OSError when the disk is full.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", app).strip("._") or "app"
    folder = RunFolder(runs / f"{moment:%Y%m%dT%H%M%S.%f}Z-{name[:40]}-{secrets.token_hex(2)}")
    try:
        for path in (folder.outputs, folder.dead_letter, folder.nodes, folder.report):
            path.mkdir(parents=True)
        folder.events.touch()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"no run folder can be made there: {error.strerror}",
            "name a folder that you can write to, with --runs DIR or RUNS_PATH",
            file=runs,
        ) from error
    return folder


def list_runs(runs: Path) -> list[RunFolder]:
    """The runs below a folder, oldest first. A folder that does not exist has none.

    Raises InputError when ``runs`` is something else.
    """
    if not runs.exists():
        return []
    if not runs.is_dir():
        raise InputError(
            "it is not a folder", "name the folder of the runs with --runs DIR", file=runs
        )
    return [RunFolder(path) for path in sorted(runs.iterdir()) if _is_run(path)]


def open_run(runs: Path, name: str) -> RunFolder:
    """The run called ``name``: its path, its id, a unique part of its id, or ``latest``.

    Raises InputError that lists what there is.
    """
    if _is_run(Path(name)):
        return RunFolder(Path(name).resolve())
    known = list_runs(runs)
    if name == LATEST and known:
        return known[-1]
    found = [run for run in known if run.run_id == name] or [
        run for run in known if name in run.run_id
    ]
    if len(found) == 1:
        return found[0]
    if not known:
        raise InputError(
            f"there are no runs in {runs}",
            "start one with `jupiter run APP`, or name the folder of the runs with --runs DIR",
        )
    if found:
        names = ", ".join(run.run_id for run in found[-5:])
        raise InputError(f"{name!r} fits {len(found)} runs", f"write more of the name: {names}")
    newest = ", ".join(run.run_id for run in known[-3:])
    raise InputError(
        f"no run is called {name!r} in {runs}",
        f"`jupiter runs` lists them; the newest are {newest}",
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its name never shows half of it, not even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _is_run(path: Path) -> bool:
    return (path / "events.jsonl").is_file() or (path / "run.lock.json").is_file()


def _complete_lines(path: Path) -> Iterator[tuple[bytes, AnyEvent | None]]:
    """Each complete line with its event; None for a line that is damaged."""
    for line in _lines(path):
        if not line.endswith(b"\n"):
            return
        try:
            yield line, decode_event(line)
        except msgspec.MsgspecError:
            yield line, None


def _lines(path: Path) -> Iterable[bytes]:
    try:
        with path.open("rb") as log:
            yield from log
    except FileNotFoundError:
        return


def _drop_torn_line(log: int) -> None:
    """Cut a log back to its last newline, so that the next event starts a line of its own."""
    end = os.fstat(log).st_size
    keep = end
    while keep > 0:
        start = max(0, keep - 4096)
        newline = os.pread(log, keep - start, start).rfind(b"\n")
        if newline >= 0:
            keep = start + newline + 1
            break
        keep = start
    if keep != end:
        os.ftruncate(log, keep)
