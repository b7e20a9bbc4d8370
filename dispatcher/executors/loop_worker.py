"""The process of one Jupiter v5 task: ``task(q, pathin, pathout, task_name)``, an endless loop.

The loop takes file names of the form ``SRC_DST_BASENAME`` from ``q`` and writes files
``<task>_<child>_<base name>`` to ``pathout``. Which outputs belong to which job is decided by when
the loop asks ``q`` again: at that moment it is done with what it got before.
"""

from __future__ import annotations

import gc
import os
import queue
import shutil
import socket
from collections import deque
from time import monotonic_ns

from dispatcher.executors import processes, task_module
from dispatcher.executors.call_folder import FilesError, lay_in, take_out
from dispatcher.executors.close_order import watch
from dispatcher.executors.resident import Node, peak_memory_bytes, settle_resident
from dispatcher.executors.wire import OutFile, Result, Start, Work


class NodeGone(SystemExit):
    """Raised by ``get()`` when there will be no more work, to end the task's loop."""


class JobQueue:
    """The ``q`` of a v5 task: one job's names at a time, in parent order.

    A job is over when the task calls get, empty or qsize with nothing left to take. The files then
    in ``pathout`` are its outputs, ``pathin`` is emptied, and the next job begins if it is there.
    """

    def __init__(self, node: Node, path_in: str, path_out: str) -> None:
        self._node = node
        self._in = path_in
        self._out = path_out
        self._watch = watch(node.start.close_order, path_out)
        self._names: deque[str] = deque()
        self._waiting: deque[Work] = deque()
        self._current: Work | None = None
        self._started_ns = 0

    def get(self, block: bool = True, timeout: float | None = None) -> str:
        """The next file name. Raises queue.Empty like queue.Queue."""
        if not self._names:
            self._conclude()
            self._next_job(timeout if block else 0)
        if not self._names:
            raise queue.Empty
        return self._names.popleft()

    def get_nowait(self) -> str:
        return self.get(block=False)

    def put(self, item: str, *_: object, **__: object) -> None:
        """Put a name back, to be taken again after the job's other names."""
        self._names.append(item)

    def put_nowait(self, item: str) -> None:
        self.put(item)

    def qsize(self) -> int:
        if not self._names:
            self._conclude()
            self._next_job(0)
        return len(self._names)

    def empty(self) -> bool:
        return self.qsize() == 0

    def full(self) -> bool:
        return False

    def task_done(self) -> None:
        """For loops written for queue.Queue; a job's end is told by the next ``get()``."""

    def _next_job(self, timeout_s: float | None) -> None:
        while not self._names:
            while not self._waiting:
                if not self._node.has_work(timeout_s):
                    return
                work = self._node.receive()
                if work is None:
                    raise NodeGone(0)
                self._waiting.extend(work)
            self._begin(self._waiting.popleft())

    def _begin(self, work: Work) -> None:
        self._started_ns = monotonic_ns()
        self._node.progress.enter(work.ident, self._started_ns)
        self._current = work
        try:
            lay_in(work.files, self._in)
        except OSError as error:
            self._conclude(f"the inputs can't be laid in: {error}")
            return
        self._names.extend(file.name for file in work.files)
        if not self._names:
            self._conclude("the job has no input files for a loop task")

    def _conclude(self, reason: str = "") -> None:
        """Report the current job, if there is one, and make room for the next."""
        work, self._current = self._current, None
        if work is None:
            return
        ended_ns = monotonic_ns()
        self._node.progress.leave()
        outputs: list[OutFile] = []
        folder: str | None = None
        try:
            outputs = take_out(self._out)
            folder = self._keep(work, outputs)
        except (FilesError, OSError) as error:
            reason, outputs = reason or str(error), []
        for path in (self._in, self._out):
            _empty(path)
        self._node.send(
            [
                Result(
                    ident=work.ident,
                    ok=not reason,
                    started_ns=self._started_ns,
                    ended_ns=ended_ns,
                    outputs=outputs,
                    reason=reason,
                    peak_memory_bytes=peak_memory_bytes(),
                    folder=folder,
                    watch=self._watch,
                )
            ]
        )

    def _keep(self, work: Work, outputs: list[OutFile]) -> str | None:
        """Move large outputs to a folder of their own, which the node then owns."""
        large = [output for output in outputs if output.path is not None]
        if not large:
            return None
        folder = os.path.join(os.path.dirname(self._out), f"kept{work.ident}")
        os.mkdir(folder)
        for output in large:
            assert output.path is not None
            kept = os.path.join(folder, output.name)
            os.rename(output.path, kept)
            output.path = kept
        return folder


def _empty(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def run_loop(start: Start, connection: socket.socket, page: memoryview) -> None:
    """Be the worker of ``start.task``, in a fresh fork of the zygote; returns when it is over.

    Raises what task() raises; RuntimeError if it returns.
    """
    settle_resident(start)
    node = Node(start, connection, page)
    try:
        function = task_module.load(start, "task", "function task(q, pathin, pathout, task_name)")
    except task_module.LoadError as error:
        node.unready(error.reason, error.trace)
        return
    path_in = os.path.join(start.work_folder, "in")
    path_out = os.path.join(start.work_folder, "out")
    for path in (path_in, path_out):
        os.makedirs(path)
    gc.freeze()
    node.ready()
    try:
        function(JobQueue(node, path_in, path_out), path_in, path_out, start.task)
    except NodeGone:
        processes.sweep_all_if_any()
        return
    raise RuntimeError("task() returned; a v5 task loops for ever over q.get()")
