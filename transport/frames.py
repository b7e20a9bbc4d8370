"""Frames: how bytes between nodes are cut.

    4 bytes  header length, big endian
    4 bytes  payload length, big endian
    header   msgpack, decoded by the owner of the connection
    payload  opaque bytes

Both lengths are limited, and memory grows with what has arrived, not with what was announced.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_LENGTHS = struct.Struct(">II")

MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 30
"""All files of one delivery together; they are held in memory while they travel."""


class FrameError(Exception):
    """The peer sent something that is not a frame; the connection can't be used any more."""


def frame_head(header_bytes: bytes, payload_length: int) -> bytes:
    """The bytes that go before the payload."""
    return _LENGTHS.pack(len(header_bytes), payload_length) + header_bytes


class FrameDecoder:
    """Cuts a byte stream into frames, whatever pieces it arrives in.

    Decided without I/O: ``feed`` bytes, take complete frames. Payloads are copies, safe to keep.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[tuple[bytes, bytes]]:
        """Yield every (header, payload) completed by ``data``. Raises FrameError on nonsense."""
        buffer = self._buffer
        buffer += data
        start, end = 0, len(buffer)
        view = memoryview(buffer)
        try:
            while end - start >= 8:
                header_length, payload_length = _LENGTHS.unpack_from(buffer, start)
                if header_length > MAX_HEADER_BYTES or payload_length > MAX_PAYLOAD_BYTES:
                    raise FrameError(
                        f"a frame of {header_length} + {payload_length} bytes is beyond the limit "
                        f"of {MAX_HEADER_BYTES} + {MAX_PAYLOAD_BYTES}"
                    )
                body = start + 8
                stop = body + header_length + payload_length
                if stop > end:
                    break
                header_end = body + header_length
                yield bytes(view[body:header_end]), bytes(view[header_end:stop])
                start = stop
        finally:
            view.release()
            del buffer[:start]
