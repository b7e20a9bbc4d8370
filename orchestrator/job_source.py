"""Where a run's jobs come from: the files of sample_input, grouped, or nothing but the period."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.messages import FileEntry
from dispatcher.node_control import job_name
from jupiter.app import App
from jupiter.errors import InputError


@dataclass(frozen=True, slots=True)
class JobSource:
    """``count`` jobs; job i takes ``groups[i % len(groups)]``, or no file without groups."""

    app: str
    groups: Sequence[Sequence[Path]]
    count: int

    def name(self, index: int) -> str:
        return job_name(self.app, index)

    def read(self, index: int) -> tuple[list[FileEntry], bytes]:
        """The files of job ``index`` and their bytes. Raises InputError when one can't be read."""
        if not self.groups:
            return [], b""
        entries, parts = [], []
        for path in self.groups[index % len(self.groups)]:
            try:
                data = path.read_bytes()
            except OSError as error:
                raise InputError(
                    f"the input file can't be read: {error.strerror}",
                    f"make it readable for you: chmod u+r {path}",
                    file=path,
                ) from error
            entries.append(FileEntry(path.name, len(data)))
            parts.append(data)
        return entries, b"".join(parts)


def job_source(app: App, jobs: int | None) -> JobSource:
    """The jobs of a run: every group of input files once, or ``jobs`` of them, in turn.

    Files are taken in natural order (2 before 10), files_per_job at a time. Raises InputError when
    nothing says how many jobs there are.
    """
    groups: list[list[Path]] = []
    if app.sample_input is not None and app.sample_input.is_dir():
        files = sorted(
            (path for path in app.sample_input.iterdir() if _is_input(path)), key=_natural
        )
        step = app.files_per_job
        groups = [files[start : start + step] for start in range(0, len(files), step)]
    count = jobs
    if count is None:
        count = len(groups)
        if app.timing is not None and app.timing.jobs is not None:
            count = app.timing.jobs
    if count < 1:
        raise InputError(
            "there are no input files, and nothing says how many jobs to run",
            "put files into sample_input, or say timing: jobs: N in app.yaml, or give --jobs N",
            file=app.folder,
        )
    return JobSource(app.name, groups, count)


def _is_input(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _natural(path: Path) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)
    ]
