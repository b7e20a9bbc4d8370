"""One call for one job while a template executes it: its folder, its page, its present process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Container
from time import monotonic_ns

from dispatcher.executors import processes
from dispatcher.executors.call_folder import FilesError, LinkedInputs, lay_in, take_out
from dispatcher.executors.call_process import CallPage, run_call
from dispatcher.executors.close_order import NO_WATCH, watch
from dispatcher.executors.task_module import write_log
from dispatcher.executors.wire import InFile, OutFile, Result, Start, Tail, Work

Function = Callable[[str | list[str], str, str], object]


class RunningCall:
    """A call is one process of task() per group of files, one after the other, into one pathout.

    Every method is for the template's process. Raises OSError where the disk or the process table
    is full; ``give_up`` then still makes a result.
    """

    def __init__(self, work: Work, folder: str, page: CallPage) -> None:
        self.work = work
        self.page = page
        self.pid = 0
        self.pidfd = -1
        self.stderr = -1
        self.deadline_ns: int | None = None
        self.exit_code: int | None = None
        self.timed_out = False
        self._folder = folder
        self._out = os.path.join(folder, "out")
        self._group = 0
        self._began_ns = self._ended_ns = monotonic_ns()
        self._started_ns = 0
        self._peak_bytes = 0
        self._tail = Tail()
        self._linked = LinkedInputs()
        self._watch = NO_WATCH

    def open(self, close_order: int) -> None:
        """Make the folder. close_order: the descriptor of the node's CloseOrder."""
        os.makedirs(self._out)
        self._watch = watch(close_order, self._out)

    def fork(self, start: Start, function: Function, let_go: Callable[[], None]) -> None:
        """Start the process of the next group. let_go: close, in the child, the template's own."""
        path_in = os.path.join(self._folder, f"in{self._group}")
        os.mkdir(path_in)
        files = [file for file in self.work.files if file.group == self._group]
        for file in files:
            if file.path is not None:
                self._linked.add(file.name, file.path)
        self.page.clear()
        reader, writer = os.pipe2(os.O_CLOEXEC)
        template = os.getpid()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # else the child would write the same again
        try:
            pid = os.fork()
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
        if pid == 0:
            try:
                os.dup2(writer, 2)
                os.close(reader)
                os.close(writer)
                let_go()
                run_call(
                    template=template,
                    memory_bytes=start.memory_bytes,
                    environment=_environment(self.work),
                    prepare=lambda: lay_in(files, path_in),
                    task=lambda: function(_names(files, start), path_in, self._out),
                    page=self.page,
                )
            finally:
                os._exit(1)  # whatever happens, the child never runs the template's loop
        os.close(writer)
        os.set_blocking(reader, False)
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError:  # out of descriptors: a process that can't be watched must not run
            os.close(reader)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self.pid, self.stderr = pid, reader
        if start.timeout_ns is not None:
            self.deadline_ns = monotonic_ns() + start.timeout_ns

    def let_go(self) -> None:
        os.close(self.pidfd)
        os.close(self.stderr)

    def drain(self) -> bool:
        """Take what the call wrote to stderr: its tail for the result, all of it for the log.

        Returns False when there will be no more.
        """
        while True:
            try:
                data = os.read(self.stderr, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._tail.feed(data)
            write_log(data)

    def reap(self, keep: Container[int], timeout_ns: int | None) -> str | None:
        """The process has ended: clear up behind it.

        Returns None if another group is to be forked, "" if the call is complete, else the reason
        of its failure. keep: the template's other children.
        """
        _, status, usage = os.wait4(self.pid, 0)
        code = self.exit_code = processes.exit_code(status)
        started_ns, ended_ns, clean, raised = self.page.read()
        if not clean:
            processes.sweep(keep)  # it could not clear up itself; its orphans are ours now
        self.drain()
        self.let_go()
        self.pidfd = self.stderr = -1
        self.deadline_ns = None
        self._peak_bytes = max(self._peak_bytes, usage.ru_maxrss * 1024)
        self._started_ns = self._started_ns or started_ns
        self._ended_ns = ended_ns or monotonic_ns()
        if self.timed_out and timeout_ns is not None:
            return f"timed out after {timeout_ns / 1e9:g} s"
        if raised:
            return raised
        if code != 0:
            return f"the task's process ended with {processes.describe_exit(code)}"
        self._group += 1
        return None if self._group < self.work.groups else ""

    def result(self, reason: str, code: int | None) -> Result:
        """Collect the outputs, remove the folder unless it holds some, and say how it went."""
        outputs: list[OutFile] = []
        if not reason:
            try:
                self._linked.check()
                outputs = take_out(self._out)
            except (FilesError, OSError) as error:
                reason, outputs = str(error), []
        on_disk = any(output.path is not None for output in outputs)
        if on_disk:
            for group in range(self.work.groups):
                shutil.rmtree(os.path.join(self._folder, f"in{group}"))
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
        return Result(
            ident=self.work.ident,
            ok=not reason,
            started_ns=self._started_ns or self._began_ns,
            ended_ns=self._ended_ns,
            outputs=outputs,
            reason=reason,
            exit_code=code,
            stderr_tail=self._tail.text,
            peak_memory_bytes=self._peak_bytes,
            folder=self._folder if on_disk else None,
            watch=self._watch,
        )


def _names(files: list[InFile], start: Start) -> str | list[str]:
    """A str where the contract says so: NUM_INPUTS is 1, or not stated and there is one file."""
    names = [file.name for file in files]
    return names[0] if start.files_per_call in (1, None) and len(names) == 1 else names


def _environment(work: Work) -> dict[str, str]:
    """What a call can know about its job; firing only if the task is time-triggered."""
    environment = {"JUPITER_JOB": work.job, "JUPITER_ATTEMPT": str(work.attempt)}
    if work.firing is not None:
        environment["JUPITER_FIRING"] = json.dumps(work.firing)
    return environment
