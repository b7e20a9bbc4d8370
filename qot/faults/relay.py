"""A UDP relay that makes a good link bad: between a follower and its reference, or anything else.

    with Relay(("10.0.0.5", 4242), *both_ways(20_000_000, asymmetry=1, loss=0.3)) as relay:
        follow(relay.address)

    python -m qot.faults.relay --to 10.0.0.5:4242 --round-trip 20ms --asymmetry 100% --loss 30%

User space, no privilege. The command prints one JSON line with the address to use instead of the
true one, and one with what it did to the packets when it ends (Ctrl-C, SIGTERM).
What a packet suffers is seeded; when it arrives is up to the machine, to some 100 µs.
"""

from __future__ import annotations

import heapq
import json
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from random import Random
from types import FrameType, TracebackType

from qot.faults.link import Carrier, Way, both_ways
from qot.faults.relay_options import make_parser

LARGEST_BYTES = 65_535
WAITING_MOST = 100_000
CLIENTS_MOST = 256
_IDLE_MS = 100.0
Address = tuple[str, int]


@dataclass(slots=True)
class _Client:
    """One sender on the near side: the far side sees it as a socket of its own."""

    address: Address
    socket: socket.socket


class Relay:
    """Carries UDP between anybody who sends to :attr:`address` and ``target``.

    ``forward`` is the way to the target, ``backward`` the way back; both may be replaced at any
    time. Raises OSError from the constructor when it can't bind. Use as a context manager, or
    call :meth:`start` and :meth:`stop`. One thread of its own; not to be started twice.
    """

    def __init__(
        self,
        target: Address,
        forward: Way,
        backward: Way,
        *,
        bind: Address = ("127.0.0.1", 0),
        seed: int = 0,
    ) -> None:
        self.target = target
        self.forward, self.backward = forward, backward
        self._carriers = Carrier(Random(seed)), Carrier(Random(seed + 1))
        self._near = self._open()
        try:
            self._near.bind(bind)
        except OSError:
            self._near.close()
            raise
        self._wake, self._wakened = socket.socketpair()
        self._clients: dict[Address, _Client] = {}
        self._by_descriptor: dict[int, _Client] = {}
        self._waiting: list[tuple[int, int, _Client, bool, bytes]] = []
        self._order = count()
        self._poll = select.poll()
        for each in (self._near, self._wakened):
            self._poll.register(each, select.POLLIN)
        self.refused = 0
        """Packets that nobody took: no target there, too many waiting, too many senders."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    @property
    def address(self) -> Address:
        """Where to send instead of to the target."""
        host, port = self._near.getsockname()[:2]
        return str(host), int(port)

    def figures(self) -> dict[str, dict[str, int]]:
        """What happened to the packets of each direction so far."""
        there, back = (asdict(carrier.carried) for carrier in self._carriers)
        return {"forward": there, "backward": back, "both": {"refused": self.refused}}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; packets on their way are lost."""
        self._stopping = True
        self._wake.send(b"!")
        if self._thread.ident is not None:
            self._thread.join()
        for each in (self._near, self._wake, self._wakened):
            each.close()
        for client in self._clients.values():
            client.socket.close()

    def __enter__(self) -> Relay:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        return made

    def _run(self) -> None:
        while not self._stopping:
            for descriptor, _ in self._poll.poll(self._left_ms()):
                if descriptor == self._near.fileno():
                    self._from_near()
                elif descriptor in self._by_descriptor:
                    self._from_far(self._by_descriptor[descriptor])
            self._deliver()

    def _left_ms(self) -> float:
        """Until the next packet is due."""
        if not self._waiting:
            return _IDLE_MS
        return min(_IDLE_MS, max(0.0, (self._waiting[0][0] - time.monotonic_ns()) / 1e6))

    def _from_near(self) -> None:
        while True:
            try:
                data, sender = self._near.recvfrom(LARGEST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self.refused += 1
                continue
            client = self._clients.get(sender[:2]) or self._new_client(sender[:2])
            if client is not None:
                self._carry(client, True, data)

    def _new_client(self, sender: Address) -> _Client | None:
        if len(self._clients) >= CLIENTS_MOST:
            self.refused += 1
            return None
        far = self._open()
        far.connect(self.target)
        client = _Client(sender, far)
        self._clients[sender] = client
        self._by_descriptor[far.fileno()] = client
        self._poll.register(far, select.POLLIN)
        return client

    def _from_far(self, client: _Client) -> None:
        while True:
            try:
                data = client.socket.recv(LARGEST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self.refused += 1
                continue
            self._carry(client, False, data)

    def _carry(self, client: _Client, forward: bool, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        way = self.forward if forward else self.backward
        for delay_ns, packet in self._carriers[0 if forward else 1].carry(way, data):
            if len(self._waiting) >= WAITING_MOST:
                self.refused += 1
                continue
            due = (now_ns + delay_ns, next(self._order), client, forward, packet)
            heapq.heappush(self._waiting, due)

    def _deliver(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic_ns():
            _, _, client, forward, packet = heapq.heappop(self._waiting)
            try:
                if forward:
                    client.socket.send(packet)
                else:
                    self._near.sendto(packet, client.address)
            except OSError:
                self.refused += 1


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted; gives the exit code: 0, 1 when it can't listen, 2 for bad options."""
    parser = make_parser()
    given = parser.parse_args(arguments)
    try:
        forward, backward = both_ways(
            given.round_trip,
            given.asymmetry,
            jitter_ns=given.jitter_ns,
            jitter=given.distribution,
            loss=given.loss,
            duplicate=given.duplicate,
            reorder=given.reorder,
            reorder_ns=given.reorder_by,
            replay=given.replay,
            bit_flip=given.bit_flip,
            wrong_key=given.wrong_key,
        )
    except ValueError as error:
        parser.error(str(error))
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
    try:
        relay = Relay(given.to, forward, backward, bind=given.listen, seed=given.seed)
    except OSError as error:
        sys.stderr.write(f"can't listen on {given.listen}: {error}; give a free --listen\n")
        return 1
    with relay:
        _say({"listen": list(relay.address), "to": list(given.to)})
        ended.wait()
    _say(dict(relay.figures()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
