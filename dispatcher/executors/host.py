"""The node's side of the zygote: starts it, has processes forked from it, learns how they end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

import dispatcher
from dispatcher.executors.channel import Channel
from dispatcher.executors.close_order import CloseOrder
from dispatcher.executors.processes import describe_exit, exit_code
from dispatcher.executors.wire import (
    Ended,
    Signal,
    Start,
    Started,
    decode_from_zygote,
    encode,
)
from dispatcher.executors.worker import Stderr, Worker, progress_page
from jupiter.errors import JupiterError

STOP_TIMEOUT_S = 10.0
_CONTROL_BUFFER_BYTES = 2**20
_DESCRIPTORS = 65536
_ROOT = Path(dispatcher.__file__).resolve().parent.parent


class ZygoteHost:
    """One per node, shared by all its executors and services. Lives in the node's event loop.

    The zygote starts with the first process that is asked for. If it dies, everything it started
    dies with it and is reported as ended; the next request starts a new one.
    """

    def __init__(
        self,
        work_folder: Path,
        *,
        log_folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """work_folder: for the folders of calls, this host's alone; a folder on tmpfs is fastest.

        log_folder: where each task's stdout and stderr go, ``<task>.log``; None: nowhere.
        environment: what tasks inherit; this process's own if None.
        """
        self._work_folder = work_folder
        self._log_folder = log_folder
        self._environment = dict(os.environ if environment is None else environment)
        self._calls_folder: Path | None = None
        self._workers: dict[int, Worker] = {}
        self._idents = itertools.count(1)
        self._folders = itertools.count(1)
        self.close_order = CloseOrder()
        self._starting = asyncio.Lock()
        self._spawning = asyncio.Lock()
        self._gone = asyncio.Event()
        self._stopped = False
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The zygote's pid while it runs."""
        return None if self._process is None else self._process.pid

    def new_folder(self, name: str) -> Path:
        """A path for the folders of one process's calls, never used before; not created."""
        if self._calls_folder is None:
            self._work_folder.mkdir(parents=True, exist_ok=True)
            for old in self._work_folder.glob("calls-*"):
                shutil.rmtree(old, ignore_errors=True)  # of a node process that was killed
            self._calls_folder = Path(
                tempfile.mkdtemp(prefix="calls-", dir=self._work_folder)
            ).absolute()
        return self._calls_folder / f"{name}-{next(self._folders)}"

    async def spawn(self, start: Start, on_body: Callable[[bytes], None]) -> Worker:
        """Have a process forked; returns when it exists. ident and log of ``start`` are filled in.

        on_body gets each body that it sends. Raises JupiterError if the zygote can't be started.
        """
        async with self._spawning:  # one at a time, so that the control socket never fills up
            await self.start()
            worker = self._request(start, on_body)
            await worker.started
            return worker

    def _request(self, start: Start, on_body: Callable[[bytes], None]) -> Worker:
        ident = next(self._idents)
        log = None if self._log_folder is None else self._log_folder / f"{start.task}.log"
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        stderr_reader, stderr_writer = os.pipe2(os.O_CLOEXEC)
        page_descriptor, page = progress_page()
        channel = Channel(ours, on_body)
        stderr = Stderr(stderr_reader, log)
        message = msgspec.structs.replace(
            start, ident=ident, log="" if log is None else str(log.absolute())
        )
        try:
            self._send(message, [theirs.fileno(), stderr_writer, page_descriptor])
        except JupiterError:
            channel.close()
            stderr.close()
            raise
        finally:
            theirs.close()
            os.close(stderr_writer)
            os.close(page_descriptor)
        worker = Worker(
            start.kind, channel, stderr, page, lambda signum: self._signal(ident, signum)
        )
        self._workers[ident] = worker
        return worker

    async def start(self) -> None:
        """Start the zygote if it does not run. Raises JupiterError."""
        async with self._starting:
            if self._stopped:
                raise JupiterError("the node is stopping and starts no more processes")
            if self._control is not None:
                return
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CONTROL_BUFFER_BYTES)
            _allow_many_descriptors()
            inherited = [theirs.fileno(), self.close_order.descriptor]
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "dispatcher.executors.zygote", *map(str, inherited)],
                    cwd=_ROOT,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[descriptor for descriptor in inherited if descriptor >= 0],
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise JupiterError(f"the zygote can't be started: {error}") from error
            finally:
                theirs.close()
            ours.setblocking(False)
            self._gone.clear()
            self._control = ours
            loop = asyncio.get_running_loop()
            loop.add_reader(ours.fileno(), self._on_control)
            if self.close_order.descriptor >= 0:
                loop.add_reader(self.close_order.descriptor, self.close_order.drain)

    async def stop(self) -> None:
        """End the zygote and with it every process that it started; remove the work folders."""
        self._stopped = True
        async with self._starting:
            if self._control is not None:
                self._control.shutdown(socket.SHUT_WR)
                try:
                    await asyncio.wait_for(self._gone.wait(), STOP_TIMEOUT_S)
                except TimeoutError:  # something of its can't be killed, for example a stuck mount
                    assert self._process is not None
                    self._process.kill()
                    await self._gone.wait()
        if self._calls_folder is not None:
            shutil.rmtree(self._calls_folder, ignore_errors=True)
            self._calls_folder = None
        self.close_order.close()

    def _send(self, message: Start | Signal, descriptors: list[int]) -> None:
        assert self._control is not None
        try:
            socket.send_fds(self._control, [encode(message)], descriptors)
        except OSError as error:
            raise JupiterError(f"the zygote takes no request: {error}") from error

    def _signal(self, ident: int, signum: int) -> None:
        if ident in self._workers and self._control is not None:
            self._send(Signal(ident, signum), [])

    def _on_control(self) -> None:
        while self._control is not None:
            try:
                data = self._control.recv(_CONTROL_BUFFER_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                self._on_zygote_gone()
                return
            message = decode_from_zygote(data)
            if isinstance(message, Started):
                self._workers[message.ident].mark_started(message.pid)
            elif isinstance(message, Ended):
                code = exit_code(message.status)
                self._workers.pop(message.ident).mark_ended(code, describe_exit(code))

    def _on_zygote_gone(self) -> None:
        assert self._control is not None
        assert self._process is not None
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._control.fileno())
        if self.close_order.descriptor >= 0:
            loop.remove_reader(self.close_order.descriptor)
        self._control.close()
        self._control = None
        reason = f"the node's zygote was lost ({describe_exit(self._process.wait())})"
        self._process = None
        workers, self._workers = self._workers, {}
        for worker in workers.values():
            # The processes themselves die with the zygote. A template ends its own calls; of the
            # others, helpers in their process group may be left.
            if worker.kind != "isolated" and worker.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
            worker.mark_ended(None, reason)
        self._gone.set()


def _allow_many_descriptors() -> None:
    """Raise this process's soft limit on open files: every task process takes two of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
