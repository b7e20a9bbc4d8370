"""The zygote of a node: a small process that every process running app code is forked from.

Forking from here costs a copy-on-write page table instead of an interpreter, and keeps the node's
own memory, sockets and keys out of reach of app code. It is the ancestor of all of them, adopts
what they leave behind, and kills everything when the node is gone.

Started by :mod:`dispatcher.executors.host` as ``python -m dispatcher.executors.zygote FD FD``.
"""

from __future__ import annotations

import gc
import mmap
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from dispatcher.executors import processes, task_module
from dispatcher.executors.loop_worker import run_loop
from dispatcher.executors.service_process import run_service
from dispatcher.executors.streaming_worker import run_streaming
from dispatcher.executors.template import run_template
from dispatcher.executors.wire import (
    PROGRESS_BYTES,
    Ended,
    Signal,
    Start,
    Started,
    decode_to_zygote,
    encode,
)

CONTROL_BYTES = 2**20
"""The largest control message: a Start with the environment of a task on a large cluster."""

_KINDS: dict[str, Callable[[Start, socket.socket, memoryview], None]] = {
    "isolated": run_template,
    "loop": run_loop,
    "streaming": run_streaming,
    "service": run_service,
}


class Zygote:
    """Forks on request, tells what ended."""

    def __init__(self, control: socket.socket, close_order: int) -> None:
        self._control = control
        self._close_order = close_order
        self._pids: dict[int, int] = {}
        """ident → pid of what was started and has not ended."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._on_control)
        self._open = True

    def serve(self) -> None:
        """Work until the node is gone, then end every descendant and return."""
        while self._open:
            for key, _ in self._selector.select():
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
        processes.sweep()

    def _on_control(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._control, CONTROL_BYTES, 3, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            data, descriptors = b"", []
        if not data:
            self._open = False
            return
        message = decode_to_zygote(data)
        if isinstance(message, Start):
            self._start(message, descriptors)
        elif message.ident in self._pids:
            self._signal(message)

    def _signal(self, message: Signal) -> None:
        processes.signal_group(self._pids[message.ident], message.signum)

    def _start(self, start: Start, descriptors: list[int]) -> None:
        zygote = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                self._become(start, descriptors, zygote)
            pidfd = self._pidfd(pid)
        except OSError as error:  # the process or descriptor table is full
            os.write(descriptors[1], f"can't start a process: {error}\n".encode())
            self._send(Ended(start.ident, os.EX_OSERR << 8))
            return
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self._pids[start.ident] = pid
        self._selector.register(
            pidfd, selectors.EVENT_READ, lambda: self._on_exit(start.ident, pidfd)
        )
        self._send(Started(start.ident, pid))

    @staticmethod
    def _pidfd(pid: int) -> int:
        try:
            return os.pidfd_open(pid)
        except OSError:  # a process that can't be watched must not run
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise

    def _become(self, start: Start, descriptors: list[int], zygote: int) -> NoReturn:
        """In the child: turn into what was asked for, and end with it."""
        code = 1
        try:
            work, stderr, page = descriptors
            os.dup2(stderr, 2)
            os.close(stderr)
            for key in list(self._selector.get_map().values()):
                os.close(key.fd)
            self._control.detach()
            self._selector.close()
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            processes.die_with_parent(zygote)
            task_module.open_log(start.log)
            start.close_order = self._close_order
            memory = mmap.mmap(page, PROGRESS_BYTES)
            os.close(page)
            with socket.socket(fileno=work) as connection:
                _KINDS[start.kind](start, connection, memoryview(memory))
            processes.sweep_all_if_any()
            code = processes.CLEAN_EXIT
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)

    def _on_exit(self, ident: int, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(self._pids.pop(ident), 0)
        if status == processes.CLEAN_EXIT << 8:
            status = 0
        else:
            processes.sweep(frozenset(self._pids.values()))
        self._send(Ended(ident, status))

    def _send(self, message: Started | Ended) -> None:
        try:
            self._control.sendall(encode(message))
        except (BrokenPipeError, ConnectionResetError):
            self._open = False


def main() -> None:
    """Be the zygote; arguments: the descriptors of the control socket and of the CloseOrder."""
    # Ends of the terminal and of the node reach us as the end of the control socket alone.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    processes.adopt_orphans()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    close_order = int(sys.argv[2])
    if close_order >= 0:
        os.set_inheritable(close_order, False)
    gc.freeze()
    Zygote(control, close_order).serve()


if __name__ == "__main__":
    main()
