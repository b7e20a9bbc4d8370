"""The user's outputs: each job's files appear complete under their names, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dispatcher.home_brain import Job


class OutputWriter:
    """Writes outputs in a thread of its own: ``outputs/<job>/…`` appears complete or not at all."""

    def __init__(
        self,
        folder: Path,
        loop: Any,
        written: Callable[[list[tuple[Job, dict[str, int], str]]], None],
    ) -> None:
        """written([(job, its {path: bytes}, problem)]) is called in ``loop`` for every group.

        problem says why the job's outputs can't be written; it is empty when they were.
        """
        self._folder = folder
        self._loop = loop
        self._written = written
        self._waiting: list[Job] = []
        self._changed = threading.Condition()
        self._is_closing = False
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name="outputs", daemon=True)
        self._thread.start()

    def write(self, job: Job) -> None:
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closing:
                    self._changed.wait()
                group, self._waiting = self._waiting, []
                if not group:
                    return
            results: list[tuple[Job, dict[str, int], str]] = []
            for job in group:
                try:
                    results.append((job, write_outputs(self._folder, job), ""))
                except OSError as error:
                    where = error.filename or self._folder
                    problem = f"its outputs can't be written: {where}: {error.strerror or error}"
                    results.append((job, {}, problem))
            self._loop.call_soon_threadsafe(self._written, results)


def write_outputs(folder: Path, job: Job) -> dict[str, int]:
    """Write one job's outputs; returns {path below folder: bytes}. Repeating it changes nothing.

    They are not synced here: home's spool has them on disk already.
    """
    named = _named_files(job)
    final = f"{folder}/{job.job}"
    part = f"{folder}/.{job.job}.part"
    try:
        os.mkdir(part)
    except FileExistsError:  # of a home that was killed
        shutil.rmtree(part)
        os.mkdir(part)
    for name, data in named:
        with open(f"{part}/{name}", "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
    try:
        os.rename(part, final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        shutil.rmtree(part)  # the same outputs are there already
    return {f"{job.job}/{name}": len(data) for name, data in named}


def _named_files(job: Job) -> list[tuple[str, bytes | memoryview]]:
    """(name, bytes) of all outputs, in the order that they came home.

    Names that several files have get the sink in front; if that is no remedy, a number as well.
    """
    files = [(sink, file) for sink, content in job.arrived.items() for file in content.files()]
    if len(files) == 1 and (data := files[0][1].data) is not None:
        return [(files[0][1].name, data)]
    count = Counter(file.name for _, file in files)
    named: list[tuple[str, bytes | memoryview]] = []
    taken = {name for name, times in count.items() if times == 1}
    for sink, file in files:
        assert file.data is not None
        name = file.name
        if count[name] > 1:
            name = f"{sink}_{file.name}"
            number = 2
            while name in taken:
                name = f"{sink}_{number}_{file.name}"
                number += 1
            taken.add(name)
        named.append((name, file.data))
    return named
