"""Keeps a binding alive: its line to the time service, its page, and an eye on what is delivered.

A thread for each binding. While the service is gone it knocks at the socket until somebody opens,
binds again with the same demand and goes on with the page that it is then told. A service that
comes back and *refuses* is another matter: then the binding has ended, and every later use raises
what the service said.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from qot.binding_demand import Violation
from qot.binding_link import BIND_TIMEOUT_S, Answer, ServiceLink
from qot.errors import BindingError, PageError, ReferenceSilentError, ServiceGoneError
from qot.timeline import TimelineReader

WATCH_S = 0.05
"""How long a violation may go unnoticed, when somebody wants to know."""
_IDLE_S = 1.0
_KNOCK_S = (0.05, 0.1, 0.2, 0.5, 1.0)


class LiveReader(TimelineReader):
    """A reader that goes on with another page when the service comes back with one."""

    def go_on_with(self, path: Path, name: str) -> None:
        """Read that page from now on; who is reading just now finishes with the old one."""
        self.__dict__.update(TimelineReader(path, name).__dict__)


class Keeper:
    """Binds at once. Raises as :meth:`qot.binding.Timeline.bind` does."""

    def __init__(self, path: Path, name: str, app: str, demand: dict[str, int]) -> None:
        self.path, self.name, self.app = path, name, app
        self.demand = demand
        self.refused: BindingError | None = None
        self._callbacks: list[Callable[[Violation], None]] = []
        self._violated = False
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._link = ServiceLink(path)
        try:
            answer = self._bind()
            self.reader = LiveReader(Path(answer["page"]), name)
        except BaseException:
            self._link.close()
            raise
        self._take(answer)
        self._thread = threading.Thread(target=self._run, name=f"binding to {name}", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return not self._link.closed

    def update(self, **demand: int) -> None:
        """Change the demand. Raises the BindingError that fits; then nothing has changed."""
        with self._changing:
            answer = self._link.request("update", binding=self._number, **demand)
            self.demand = {**self.demand, **demand}
            self.best_ns = int(answer["best_ns"])

    def on_violation(self, callback: Callable[[Violation], None]) -> Callable[[], None]:
        """Call back at each change; gives the function that ends it."""
        self._callbacks.append(callback)

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return remove

    def stop(self) -> None:
        """Unbind, by hanging up, and end the thread."""
        self._stopping.set()
        self._link.hang_up()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _bind(self) -> Answer:
        """Bind on a fresh link, which this thread serves itself."""
        future = self._link.ask("bind", timeline=self.name, app=self.app, **self.demand)
        self._link.wait(future, BIND_TIMEOUT_S)
        if not future.done():
            raise ServiceGoneError(
                f"the time service at {self.path} has not answered for {BIND_TIMEOUT_S:g} s: see "
                "whether it is stopped"
            )
        return future.result()

    def _take(self, answer: Answer) -> None:
        self._number, self.best_ns = int(answer["binding"]), int(answer["best_ns"])

    def _run(self) -> None:
        try:
            self._keep()
        finally:
            self._link.close()

    def _keep(self) -> None:
        knocks = 0
        while not self._stopping.is_set():
            pause_s = WATCH_S if self._callbacks else _IDLE_S
            if self._link.closed:
                if self._stopping.wait(_KNOCK_S[min(knocks, len(_KNOCK_S) - 1)]):
                    return
                knocks += 1
                if self._knock():
                    knocks = 0
                if self.refused is not None:
                    return
            else:
                self._link.serve(pause_s)
            self._watch()

    def _knock(self) -> bool:
        """Try to bind again; True when that worked."""
        try:
            link = ServiceLink(self.path)
        except ServiceGoneError:
            return False
        with self._changing:
            self._link = link
            if self._stopping.is_set():  # stop() may have seen the old link
                return False
            try:
                answer = self._bind()
                self.reader.go_on_with(Path(answer["page"]), self.name)
                self._take(answer)
            except (ServiceGoneError, ReferenceSilentError, PageError):
                link.close()  # the service, or the reference, may still come back
                return False
            except BindingError as error:
                link.close()
                self.refused = error
                return False
        return True

    def _watch(self) -> None:
        """Compare what is delivered with what was demanded; tell of a change."""
        if not self._callbacks:
            return
        instant = self.reader.now()
        error_ns = instant.error_ns if instant.promised else None
        accuracy_ns = self.demand["accuracy_ns"]
        violated = error_ns is None or error_ns > accuracy_ns
        if violated is self._violated:
            return
        self._violated = violated
        event = Violation(self.name, not violated, accuracy_ns, error_ns, instant)
        for callback in list(self._callbacks):
            try:
                callback(event)
            except Exception as error:
                args = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(args))
