"""The node's time: its time service as a process beside it, the clock page, and the alarm."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupiter.errors import ClusterError
from jupiter.events import Stamp
from qot.alarm import Alarm
from qot.instant import Status
from qot.service_config import ServiceConfig
from qot.timeline import TimelineReader

_SYNCHRONIZE_TIMEOUT_S = 20.0
_LOOK_AGAIN_S = 0.005


class NodeClock:
    """Reads the run's timeline on this node. Restarts the time service if it dies.

    The service lets programs on this node bind at ``socket_path``, beside the page by default.
    """

    def __init__(self, config: ServiceConfig) -> None:
        page = Path(config.page_path).resolve()
        self.socket_path = config.socket_path or str(page.with_name("time.sock"))
        self._config = replace(config, socket_path=self.socket_path)
        self._service: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._reference: tuple[str, int] | None = config.reference
        self.udp_port = 0
        self.realtime = ""
        self.failures: list[str] = []

    async def start(self) -> None:
        """Start the service and the alarm. Raises ClusterError with the service's own words."""
        await self._start_service()
        self._reader = TimelineReader(Path(self._config.page_path), self._config.timeline)
        self.alarm = Alarm(self._reader)
        self.realtime = str(self.alarm.start())
        self._keeper = asyncio.create_task(self._keep_service(), name="time service keeper")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.alarm.stop()
        if self._service is not None and self._service.stdin is not None:
            self._service.stdin.close()
            await self._service.wait()
        self._reader.close()

    async def _start_service(self) -> None:
        self._service = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "qot.service_main",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._service.stdin is not None
        assert self._service.stdout is not None
        self._service.stdin.write(self._config.to_json().encode() + b"\n")
        line = await self._service.stdout.readline()
        answer: dict[str, Any] = (
            json.loads(line) if line else {"error": "the time service ended at its start"}
        )
        if not answer.get("ready"):
            raise ClusterError(f"{self._config.node}: {answer['error']}")
        self.udp_port = answer["udp_port"]
        self._config = replace(self._config, bind=(self._config.bind[0], self.udp_port))
        if self._reference is not None:
            self.set_reference(*self._reference)

    async def _keep_service(self) -> None:
        while True:
            assert self._service is not None
            code = await self._service.wait()
            self.failures.append(f"the time service ended with exit code {code}")
            await self._start_service()

    def set_reference(self, host: str, udp_port: int) -> None:
        """Tell the service where the reference answers."""
        self._reference = (host, udp_port)
        assert self._service is not None
        assert self._service.stdin is not None
        order = json.dumps({"reference": [host, udp_port]})
        self._service.stdin.write(order.encode() + b"\n")

    async def synchronized(self) -> None:
        """Return when the timeline is synchronized on this node.

        Raises ClusterError when it does not become so in time. The clock page tells nobody that it
        changed, so it is looked at.
        """
        try:
            async with asyncio.timeout(_SYNCHRONIZE_TIMEOUT_S):
                while self._reader.status() is not Status.SYNCHRONIZED:
                    await asyncio.sleep(_LOOK_AGAIN_S)
        except TimeoutError:
            raise ClusterError(
                f"{self._config.node} is {self._reader.status()} after "
                f"{_SYNCHRONIZE_TIMEOUT_S:.0f} s: the reference at {self._reference} can't be heard"
            ) from None

    def stamp(self) -> Stamp:
        """The present, for the event log."""
        return Stamp(*self._reader.stamp())

    def stamp_at(self, monotonic_ns: int) -> Stamp:
        """A moment of CLOCK_MONOTONIC a little while ago, for the event log."""
        return Stamp(*self._reader.stamp_at(monotonic_ns))

    def status(self) -> str:
        return str(self._reader.status())
