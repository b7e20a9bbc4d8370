"""The template process of one isolated task: the module is imported once, every call is a fork.

So a call starts from the state right after the import, whatever earlier calls did, and costs
only the memory that it touches. The template itself runs none of the task's code but the import. It
is single-threaded, watches the node (end of its socket) and the zygote (a pidfd), and leaves no
process behind when either is gone.

Task processes use ``time.monotonic_ns`` for stamps and timeouts, as the one exception to the rule
that only qot reads a clock: they hold no clock of qot's, and the node turns stamps into Instants.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
from collections.abc import Callable
from time import monotonic_ns

from dispatcher.executors import processes, task_module
from dispatcher.executors.call_process import CallPage
from dispatcher.executors.running_call import Function, RunningCall
from dispatcher.executors.wire import (
    Frames,
    Ready,
    Result,
    Results,
    Start,
    Unready,
    Work,
    decode_work,
    encode,
    frame,
)


class Template:
    """Forks calls, watches them, reports them."""

    def __init__(self, start: Start, node: socket.socket, function: Function) -> None:
        self._start = start
        self._node = node
        self._function = function
        self._frames = Frames()
        self._running: dict[int, RunningCall] = {}
        self._pages: list[CallPage] = []
        self._serial = 0
        # What the module started while it was imported is the task's own and stays.
        # (Asked first, because a scan of /proc per start adds up when hundreds of tasks start.)
        self._helpers = frozenset(processes.children() if processes.has_children() else ())
        self._zygote = os.pidfd_open(os.getppid())
        self._selector = selectors.DefaultSelector()
        self._watch(node.fileno(), self._on_node)
        self._watch(self._zygote, self._end)
        self._open = True

    def serve(self) -> None:
        """Work until the node or the zygote is gone, then end all calls and return."""
        while self._open:
            for key, _ in self._selector.select(self._timeout_s()):
                # An earlier callback may have closed this descriptor, or reused its number.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            self._kill_overdue()
        processes.sweep_all_if_any()

    def _watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def _unwatch(self, descriptor: int) -> None:
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def _end(self) -> None:
        self._open = False

    def _timeout_s(self) -> float | None:
        deadlines = [run.deadline_ns for run in self._running.values() if run.deadline_ns]
        return max(0.0, (min(deadlines) - monotonic_ns()) / 1e9) if deadlines else None

    def _kill_overdue(self) -> None:
        now = monotonic_ns() if self._start.timeout_ns is not None else 0
        for run in self._running.values():
            if run.deadline_ns is not None and run.deadline_ns <= now:
                run.timed_out, run.deadline_ns = True, None
                processes.signal_group(run.pid, signal.SIGKILL)

    def _on_node(self) -> None:
        bodies = self._frames.receive(self._node)
        if bodies is None:
            self._end()
        for body in bodies or ():
            for work in decode_work(body):
                self._begin(work)

    def _begin(self, work: Work) -> None:
        task_module.rotate_log(self._start.log)
        self._serial += 1
        folder = os.path.join(self._start.work_folder, str(self._serial))
        page = self._pages.pop() if self._pages else CallPage()
        run = RunningCall(work, folder, page)
        try:
            run.open(self._start.close_order)
        except OSError as error:
            self._finish(run, f"the call can't be started: {error}", None)
        else:
            self._fork(run)

    def _fork(self, run: RunningCall) -> None:
        try:
            run.fork(self._start, self._function, self._let_go)
        except OSError as error:
            self._finish(run, f"the call can't be started: {error}", None)
            return
        self._running[run.pid] = run
        self._watch(run.pidfd, lambda: self._on_exit(run))
        self._watch(run.stderr, lambda: self._on_stderr(run))

    def _let_go(self) -> None:
        """In the child: close what only the template may hold, so that its end is seen."""
        self._selector.close()
        self._node.close()
        os.close(self._zygote)
        if self._start.close_order >= 0:
            os.close(self._start.close_order)
        for other in self._running.values():
            other.let_go()

    def _on_stderr(self, run: RunningCall) -> None:
        if not run.drain():
            self._unwatch(run.stderr)

    def _on_exit(self, run: RunningCall) -> None:
        del self._running[run.pid]
        self._unwatch(run.pidfd)
        self._unwatch(run.stderr)
        verdict = run.reap(self._helpers | self._running.keys(), self._start.timeout_ns)
        if verdict is None:
            self._fork(run)
        else:
            self._finish(run, verdict, run.exit_code)

    def _finish(self, run: RunningCall, reason: str, code: int | None) -> None:
        self._send(run.result(reason, code))
        self._pages.append(run.page)

    def _send(self, result: Result) -> None:
        try:
            self._node.sendall(frame(encode(Results([result]))))
        except (BrokenPipeError, ConnectionResetError):
            self._end()


def run_template(start: Start, node: socket.socket, _page: memoryview) -> None:
    """Be the template of ``start.task``, in a fresh fork of the zygote; returns when it is over."""
    task_module.settle(start)
    try:
        function = task_module.load(start, "task", "function task(files, pathin, pathout)")
    except task_module.LoadError as error:
        node.sendall(frame(encode(Unready(error.reason, error.trace))))
        return
    processes.adopt_orphans()
    template = Template(start, node, function)
    processes.outlive_parent()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages that calls share
    node.sendall(frame(encode(Ready())))
    template.serve()
