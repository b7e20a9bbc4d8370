"""The process of one streaming task: an object of the app's class Stage, called per job.

The fast path: no process, no file and no event loop per call. Calls come in batches and are
answered in batches; a batch that takes long is answered in parts, so that its first results do not
wait for its last.
"""

from __future__ import annotations

import gc
import socket
import traceback
from time import monotonic_ns
from typing import Any

from dispatcher.executors import task_module
from dispatcher.executors.resident import Node, content, peak_memory_bytes, settle_resident
from dispatcher.executors.wire import TAIL_BYTES, OutFile, Result, Start, Work

PARTIAL_ANSWER_NS = 2_000_000


class Context:
    """What a Stage is told when it is made. children: the tasks it sends to, in config order.

    firing is set anew for every call: the instant of a time-triggered stage as a dict (planned_ns,
    estimate_ns, earliest_ns, latest_ns, status), or None.
    """

    __slots__ = ("args", "children", "firing", "node", "task")

    def __init__(
        self, task: str, node: str, args: tuple[str, ...], children: tuple[str, ...]
    ) -> None:
        self.task = task
        self.node = node
        self.args = args
        self.children = children
        self.firing: dict[str, int | str] | None = None


class ReturnError(TypeError):
    """process() returned something that is not in its contract."""


def as_outputs(returned: object, task: str, children: tuple[str, ...]) -> list[OutFile]:
    """What process() returned, as output files. Raises ReturnError.

    bytes: one file ``<task>.bin``. dict: ``{child: payload}``, a ``<task>.bin`` for that child
    alone. list: ``[(file name, payload), …]``. None: nothing.
    """
    name = f"{task}.bin"
    if type(returned) is bytes:
        return [OutFile(name, returned)]
    if returned is None:
        return []
    if isinstance(returned, dict):
        for child in returned:
            if child not in children:
                raise ReturnError(
                    f"process() returned a payload for {child!r}, which is no child of {task}; "
                    f"its children are {', '.join(children)}"
                )
        return [OutFile(name, _payload(data), None, child) for child, data in returned.items()]
    if isinstance(returned, list):
        return [_named(item) for item in returned]
    return [OutFile(name, _payload(returned))]


def _named(item: object) -> OutFile:
    if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
        raise ReturnError("a list returned by process() has (file name, bytes) pairs as its items")
    name, data = item
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ReturnError(
            f"process() returned the file name {name!r}; give a plain name without '/'"
        )
    return OutFile(name, _payload(data))


def _payload(data: object) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise ReturnError(
        f"process() returned {type(data).__name__}; return bytes, "
        "{child: bytes}, [(file name, bytes), …] or None"
    )


class StreamingWorker:
    """Calls the stage for each job and answers."""

    def __init__(self, node: Node, stage: Any, context: Context) -> None:
        self._node = node
        self._context = context
        self._process = stage.process
        self._task = node.start.task
        self._children = tuple(node.start.children)

    def serve(self) -> None:
        """Work until the node closes the connection."""
        progress = self._node.progress
        while (batch := self._node.receive()) is not None:
            results: list[Result] = []
            flushed_ns = monotonic_ns()
            for work in batch:
                started_ns = monotonic_ns()
                progress.enter(work.ident, started_ns)
                result = self._call(work, started_ns)
                results.append(result)
                if result.ended_ns - flushed_ns > PARTIAL_ANSWER_NS:
                    self._answer(results)
                    results = []
                    flushed_ns = result.ended_ns
            progress.leave()
            if results:
                self._answer(results)

    def _answer(self, results: list[Result]) -> None:
        results[-1].peak_memory_bytes = peak_memory_bytes()
        self._node.send(results)

    def _call(self, work: Work, started_ns: int) -> Result:
        try:
            self._context.firing = work.firing
            inputs = {file.name: content(file) for file in work.files}
            returned = self._process(work.job, inputs)
            ended_ns = monotonic_ns()
            outputs = as_outputs(returned, self._task, self._children)
        except Exception as error:
            return Result(
                work.ident,
                False,
                started_ns,
                monotonic_ns(),
                [],
                task_module.describe(error),
                None,
                traceback.format_exc()[-TAIL_BYTES:],
            )
        return Result(work.ident, True, started_ns, ended_ns, outputs)


def run_streaming(start: Start, connection: socket.socket, page: memoryview) -> None:
    """Be the worker of ``start.task``, in a fresh fork of the zygote; returns when it is over."""
    settle_resident(start)
    node = Node(start, connection, page)
    name = start.environment.get("NODE_NAME", "")
    context = Context(start.task, name, tuple(start.args), tuple(start.children))
    try:
        make = task_module.load(start, "Stage", "class Stage with process(job, inputs)")
        stage = task_module.construct(start, make, context)
    except task_module.LoadError as error:
        node.unready(error.reason, error.trace)
        return
    gc.freeze()
    node.ready()
    StreamingWorker(node, stage, context).serve()
    close = getattr(stage, "close", None)
    if close is not None:
        close()
