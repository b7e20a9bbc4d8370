"""The ``jupiter`` command as a real process: started, watched line by line, interrupted, ended."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gate import Gate, Visitor
from processes import MARKER, kill_all, processes_of, wait_until_gone

from jupiter.events import AnyEvent
from jupiter.run_folder import RunFolder, list_runs

REPOSITORY = Path(__file__).resolve().parents[2]
APPS = REPOSITORY / "task_specific_files"
LIMIT_S = 90.0
"""Far above what any run here takes: one that hangs fails, with what it said until then."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A ``jupiter`` that has ended."""

    code: int
    stdout: str
    stderr: str
    run: RunFolder | None
    """The run folder that it made, if it made one."""

    @property
    def json(self) -> Any:
        """stdout as the one JSON document that it must be."""
        return json.loads(self.stdout)

    @property
    def folder(self) -> RunFolder:
        assert self.run is not None, f"no run folder was made\n{self.stderr}"
        return self.run

    @property
    def events(self) -> list[AnyEvent]:
        return self.folder.read_log().events

    def expect(self, code: int) -> Self:
        """Check the exit code; what was said is in the message if it is another."""
        assert self.code == code, f"exit code {self.code}\n{self.stdout[-4000:]}\n{self.stderr}"
        return self

    def output(self, job: str, name: str) -> str:
        return (self.folder.outputs / job / name).read_text()

    def outputs(self) -> dict[str, str]:
        """Every output: its path below the outputs folder → its text."""
        root = self.folder.outputs
        files = (path for path in sorted(root.rglob("*")) if path.is_file())
        return {str(path.relative_to(root)): path.read_text() for path in files}


class Running:
    """A ``jupiter`` process that may still run."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._known = {run.run_id for run in list_runs(folder / "runs")}
        self._folder = folder
        self._stdout = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that a Ctrl-C of the test's own terminal is not its
        )
        self._deadline = time.monotonic() + LIMIT_S
        self._said = b""
        self._matched = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def said(self) -> str:
        """All of stderr so far."""
        return self._said.decode(errors="replace")

    @property
    def run(self) -> RunFolder | None:
        """The folder of this run, once it was made."""
        made = [run for run in list_runs(self._folder / "runs") if run.run_id not in self._known]
        return made[-1] if made else None

    def node_pid(self, node: str) -> int:
        """The newest process of a node, by its own event log."""
        assert self.run is not None
        events = [json.loads(line) for line in self.run.node_log(node).read_text().splitlines()]
        pid: int = [event["pid"] for event in events if event["event"] == "node_started"][-1]
        return pid

    def wait_for(self, pattern: str) -> str:
        """The next line of stderr that holds the regular expression, after the last one found."""
        while True:
            end = self._said.rfind(b"\n") + 1
            for line in self._said[self._matched : end].splitlines(keepends=True):
                self._matched += len(line)
                if re.search(pattern, line.decode(errors="replace")):
                    return line.decode(errors="replace").rstrip("\n")
            assert self._read(), f"jupiter ended and never said {pattern!r}:\n{self.said}"

    def arrival_at(self, gate: Gate) -> Visitor:
        """The next task of this run that comes to the gate, where it stays."""
        while gate not in self._ready(gate):
            assert self._take(), f"jupiter ended and no task came to the gate:\n{self.said}"
        return gate.arrival()

    def signal(self, signum: int, *, whole_group: bool = False) -> None:
        """To jupiter alone, or, as a terminal's Ctrl-C, to its whole process group."""
        if whole_group:
            os.killpg(self._process.pid, signum)
        else:
            self._process.send_signal(signum)

    def end(self) -> Ended:
        """Wait for its end."""
        while self._read():
            pass
        code = self._process.wait(LIMIT_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._stdout.seek(0)
        return Ended(code, self._stdout.read(), self.said, self.run)

    def close(self) -> None:
        """Kill it if it runs, and free what it holds."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._stdout.close()

    def _read(self) -> bool:
        """Wait for the next part of stderr; False at its end."""
        self._ready()
        return self._take()

    def _ready(self, *others: Gate) -> list[Any]:
        """Wait until something can be read; gives what."""
        left_s = self._deadline - time.monotonic()
        ready, _, _ = select.select([self._process.stderr, *others], [], [], max(0.0, left_s))
        assert ready, f"jupiter did not go on for {LIMIT_S:.0f} s:\n{self.said}"
        return ready

    def _take(self) -> bool:
        assert self._process.stderr is not None
        part = os.read(self._process.stderr.fileno(), 65536)
        self._said += part
        return bool(part)


class Jupiter:
    """Starts ``jupiter`` in a folder of its own, with its runs in ``runs`` below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self._started: list[Running] = []

    def start(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Running:
        path = os.environ.get("PYTHONPATH")
        environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith("JUPITER_")
            },
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{path}" if path else str(REPOSITORY),
            MARKER: str(self.folder),
            "COLUMNS": "200",
            **(env or {}),
        }
        running = Running([str(word) for word in words], self.folder, environment)
        self._started.append(running)
        return running

    def __call__(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Ended:
        """Start it and wait for its end."""
        return self.start(*words, env=env).end()

    def start_run(
        self,
        app: Path,
        *words: str | Path,
        nodes: int = 3,
        env: Mapping[str, str] | None = None,
    ) -> Running:
        """``jupiter run APP --json`` on home and further local nodes."""
        return self.start("run", app, "--nodes", self.nodes(nodes), "--json", *words, env=env)

    def run(
        self,
        app: Path,
        *words: str | Path,
        nodes: int = 3,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        """``jupiter run APP --json``, to its end."""
        return self.start_run(app, *words, nodes=nodes, env=env).end()

    def nodes(self, count: int) -> Path:
        """A nodes.txt with home, node1, node2 and so on."""
        path = self.folder / f"nodes{count}.txt"
        names = ["home", *(f"node{number}" for number in range(1, count))]
        path.write_text("".join(f"{name} localhost\n" for name in names))
        return path

    def mapping(self, **placement: str) -> Path:
        """A placement file."""
        path = self.folder / "mapping.json"
        path.write_text(json.dumps(placement))
        return path

    def processes(self) -> dict[int, str]:
        """Every living process that came from here."""
        return processes_of(self.folder)

    def left_over(self) -> dict[int, str]:
        """Processes that are still there when they should have ended; waits for those that end."""
        return wait_until_gone(self.processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for running in self._started:
            running.close()
        left = self.left_over()
        kill_all(left)
        assert not left, f"left over: {left}"
