"""``python -m dispatcher.node_main``: one node of a cluster, as a process of its own.

stdin: one JSON line, a :class:`dispatcher.node_config.NodeConfig`. stdout: one JSON line,
``{"ready": true, "port": N}`` or ``{"ready": false, "seen": "...", "fix": "..."}``. After that the
roof speaks to it over TLS.
SIGTERM ends it tidily. It does not outlive the process that started it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import msgspec

from dispatcher.inbound import InboundData
from dispatcher.messages import ROOF
from dispatcher.node import Node
from dispatcher.node_clock import NodeClock
from dispatcher.node_config import NodeConfig
from dispatcher.node_control import NodeControl
from jupiter.errors import JupiterError
from jupiter.events import NodeStarted
from qot.realtime import die_with_parent
from qot.service_config import SOCKET_VARIABLE, ServiceConfig
from transport.connection import Connection
from transport.listener import Listener
from transport.tls import Credentials, client_context, server_context

THREAD_SWITCH_S = 0.0005
"""Python's own 5 ms would let a busy event loop delay the alarm and the spool that much."""


class Visitor:
    """Receives for one connection: from the roof as control, from a node as data."""

    def __init__(self, node: Node, stopped: asyncio.Event) -> None:
        self._node = node
        self._stopped = stopped
        self._receiver: NodeControl | InboundData | None = None

    def received(self, connection: Connection, frames: list[tuple[bytes, bytes]]) -> None:
        self._for(connection).received(connection, frames)

    def closed(self, connection: Connection, reason: str) -> None:
        self._for(connection).closed(connection, reason)

    def _for(self, connection: Connection) -> NodeControl | InboundData:
        if self._receiver is None:
            if connection.peer == ROOF:
                self._receiver = NodeControl(self._node, self._stopped)
            else:
                self._receiver = self._node.inbound()
        return self._receiver


def _say(message: dict[str, object]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


async def run_node(config: NodeConfig) -> int:
    """Serve until told to stop; gives the exit code."""
    folder = Path(config.folder)
    credentials = Credentials.in_folder(Path(config.credentials))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    clock = NodeClock(ServiceConfig.from_json(config.time))
    try:
        await clock.start()
        os.environ[SOCKET_VARIABLE] = clock.socket_path  # for Timeline.bind in this node's tasks
    except JupiterError as error:
        _say({"ready": False, "seen": str(error), "fix": "see the node's log"})
        return 1
    node = Node(config.name, folder, clock, client_context(credentials))
    try:
        listener = Listener(
            config.host,
            config.port,
            server_context(credentials),
            lambda: Visitor(node, stopped),
            lambda _: None,
        )
    except OSError as error:
        _say(
            {
                "ready": False,
                "seen": f"{config.name} can't listen on {config.host}:{config.port}: "
                f"{error.strerror}",
                "fix": "choose a free port, or stop the program that has this one",
            }
        )
        await clock.stop()
        return 2
    node.log.add(NodeStarted(node=config.name, pid=os.getpid(), restarts=config.restarts))
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    _say({"ready": True, "port": listener.port})
    await stopped.wait()
    listener.close()
    await node.stop()
    await clock.stop()
    node.log.close()
    return 0


def main() -> int:
    die_with_parent()
    sys.setswitchinterval(THREAD_SWITCH_S)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=NodeConfig)
    return asyncio.run(run_node(config))


if __name__ == "__main__":
    sys.exit(main())
