"""What a node is told at its start; a module of its own, so that starting one imports little."""

from __future__ import annotations

import msgspec


class NodeConfig(msgspec.Struct, frozen=True):
    """What a node is told at its start.

    folder is its own; credentials the folder of its keys; port 0 takes a free one; time is the
    configuration of its time service as JSON; restarts counts how often it was started before.
    """

    name: str
    folder: str
    host: str
    port: int
    credentials: str
    time: str
    restarts: int = 0
