"""The peer of the chain benchmark: a pipeline of Python processes over plain TCP.

source → t1 → … → t5 → sink, one process per task, one connection per edge, length-prefixed frames,
each task copies its payload once. Nothing is durable, encrypted or acknowledged: the least that can
be done in Python, and so the limit that a real data plane is held against.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import threading
import time
from collections import deque

_HEAD = struct.Struct(">IIqq")
"""payload length, number, sent_ns, spare."""


def _receive_exactly(connection: socket.socket, count: int) -> bytearray | None:
    buffer = bytearray(count)
    view = memoryview(buffer)
    got = 0
    while got < count:
        more = connection.recv_into(view[got:])
        if more == 0:
            return None
        got += more
    return buffer


def _send(connection: socket.socket, number: int, payload: bytes) -> None:
    head = _HEAD.pack(len(payload), number, time.monotonic_ns(), 0)
    sent = connection.sendmsg([head, payload])
    if sent < len(head) + len(payload):
        connection.sendall((head + payload)[sent:])


def _listen() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    return server


def _dial(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _task(server: socket.socket, port: int, hops: multiprocessing.SimpleQueue[list[int]]) -> None:
    onward = _dial(port)
    source, _ = server.accept()
    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    taken = []
    while (head := _receive_exactly(source, _HEAD.size)) is not None:
        length, number, sent_ns, _ = _HEAD.unpack(head)
        payload = _receive_exactly(source, length)
        assert payload is not None
        taken.append(time.monotonic_ns() - sent_ns)
        _send(onward, number, bytes(bytearray(payload)))
    onward.close()
    hops.put(taken)


def run_pipeline(stages: int, jobs: int, payload: bytes, window: int) -> tuple[float, list[int]]:
    """(seconds for all jobs, every hop's time in ns between two tasks)."""
    sink = _listen()
    servers = [_listen() for _ in range(stages)]
    ports = [server.getsockname()[1] for server in (*servers[1:], sink)]
    queues = [multiprocessing.SimpleQueue() for _ in range(stages)]
    workers = [
        multiprocessing.Process(target=_task, args=(server, port, queue), daemon=True)
        for server, port, queue in zip(servers, ports, queues, strict=True)
    ]
    for worker in workers:
        worker.start()
    first = _dial(servers[0].getsockname()[1])
    last, _ = sink.accept()
    credit = threading.Semaphore(window)

    def send_all() -> None:
        for number in range(jobs):
            credit.acquire()
            _send(first, number, payload)
        first.shutdown(socket.SHUT_WR)

    begun = time.perf_counter()
    sender = threading.Thread(target=send_all)
    sender.start()
    for _ in range(jobs):
        head = _receive_exactly(last, _HEAD.size)
        assert head is not None
        assert _receive_exactly(last, _HEAD.unpack(head)[0]) is not None
        credit.release()
    seconds = time.perf_counter() - begun
    sender.join()
    taken: deque[int] = deque()
    for queue, worker in zip(queues, workers, strict=True):
        taken.extend(queue.get())
        worker.join()
    for opened in (first, last, sink, *servers):
        opened.close()
    return seconds, list(taken)
