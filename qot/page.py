"""The clock page: a small file, shared by mmap, that tells a node the time.

Layout, version 1, 256 bytes, little endian, naturally aligned (docs/quality_of_time.md):

    ====== ===== ========================================================================
    offset type  field
    ====== ===== ========================================================================
         0 8s    magic "QOTPAGE\\0"
         8 u32   version
        12 u32   size
        16 u64   generation: odd while being written, 0 never written
        24 i64   status: 0 unsynchronized, 1 synchronized, 2 holdover, 3 disrupted
        32 i64   as_of, timeline, rate_ppb, early, late, early_growth_ppb, late_growth_ppb,
                 sigma, sigma_growth_ppb, fresh_until, void_after
       120 u64   epoch, step_marker
       136 u64   timeline id (first 8 bytes of the SHA-256 of its name)
       144 u64   exchange counters, 8 of them, in the order of exchange.Counters
       208 u32   CRC-32 of the generation (as it ends up, even) and bytes 24..143
    ====== ===== ========================================================================

One writer, any number of readers, no locks: a seqlock. A reader takes the generation, the body, and
the generation again; equal and even means the body is whole. Pure Python can't issue memory
barriers; where stores may be reordered the checksum sees what the generation did not. It costs
nothing in the end, since a reader decodes a generation once and keeps it.
"""

from __future__ import annotations

import binascii
import hashlib
import mmap
import os
import struct
import time
from pathlib import Path

from qot.errors import (
    PageForeignError,
    PageMissingError,
    PageNeverWrittenError,
    PageTornError,
    PageTruncatedError,
    PageVersionError,
)
from qot.instant import Status
from qot.params import ClockParams

MAGIC = b"QOTPAGE\0"
VERSION = 1
SIZE_BYTES = 256
COUNTERS = 8

_HEAD = struct.Struct("<8sII")
_GENERATION_AT = 16
_BODY = struct.Struct("<12q2Q")
_BODY_AT = 24
_ID = struct.Struct("<Q")
_ID_AT = 136
_COUNTERS = struct.Struct(f"<{COUNTERS}Q")
_COUNTERS_AT = 144
_CRC = struct.Struct("<I")
_CRC_AT = 208
_STATUSES = (Status.UNSYNCHRONIZED, Status.SYNCHRONIZED, Status.HOLDOVER, Status.DISRUPTED)
_TRIES = 200
_PAUSE_S = 50e-6
_QUICK_TRIES = 20
_STATUS_NUMBER = {status: number for number, status in enumerate(_STATUSES)}


def timeline_id(name: str) -> int:
    """The number that a timeline's name has on pages and in packets."""
    return _ID.unpack(hashlib.sha256(name.encode()).digest()[:8])[0]  # type: ignore[no-any-return]


def _check(path: Path, head: bytes, size_bytes: int) -> None:
    """Raise the PageError that fits, unless this begins a page of our version."""
    if size_bytes < _HEAD.size or len(head) < _HEAD.size:
        raise PageTruncatedError(
            f"{path} has {size_bytes} bytes, a clock page {SIZE_BYTES}: restart the time service"
        )
    magic, version, size = _HEAD.unpack(head)
    if magic != MAGIC:
        raise PageForeignError(
            f"{path} is not a clock page: give the path that the time service uses"
        )
    if version != VERSION:
        raise PageVersionError(
            f"{path} is a clock page of version {version}, this program reads version {VERSION}: "
            "run the same release on both sides"
        )
    if size_bytes < max(size, SIZE_BYTES):
        raise PageTruncatedError(
            f"{path} has {size_bytes} bytes, a clock page has {max(size, SIZE_BYTES)}: "
            "restart the time service"
        )


class PageWriter:
    """Writes a clock page; one per page, in the time service. Not thread-safe.

    A page that is there already is continued, so that readers keep their mapping over a restart of
    the service; anything else at ``path`` is replaced. Raises OSError when that fails.
    """

    def __init__(self, path: Path, timeline: str) -> None:
        self.path = path
        self._timeline_id = timeline_id(timeline)
        try:
            with path.open("rb") as file:
                _check(path, file.read(_HEAD.size), os.fstat(file.fileno()).st_size)
        except (FileNotFoundError, PageTruncatedError, PageForeignError, PageVersionError):
            self._make()
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE_BYTES)
        self._words = memoryview(self._map).cast("Q")
        left = self._words[_GENERATION_AT // 8]
        self._generation = left + left % 2  # odd: our predecessor died while writing
        self.params: ClockParams | None = None

    def _make(self) -> None:
        """Put an empty page at the path, whole from the moment it is seen."""
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        draft.write_bytes(_HEAD.pack(MAGIC, VERSION, SIZE_BYTES).ljust(SIZE_BYTES, b"\0"))
        draft.replace(self.path)

    def write(self, params: ClockParams, counters: tuple[int, ...] = (0,) * COUNTERS) -> None:
        """Publish new parameters. Readers see the old ones or the new ones, never a mixture."""
        generation = self._generation + 2
        body = _pack(params) + _ID.pack(self._timeline_id)
        crc = binascii.crc32(_ID.pack(generation) + body)
        word = _GENERATION_AT // 8
        self._words[word] = generation - 1
        self._map[_BODY_AT : _BODY_AT + len(body)] = body
        _COUNTERS.pack_into(self._map, _COUNTERS_AT, *counters)
        _CRC.pack_into(self._map, _CRC_AT, crc)
        self._words[word] = generation
        self._generation = generation
        self.params = params

    def close(self) -> None:
        """Unmap the page; the file stays, for those who still read it."""
        self._words.release()
        self._map.close()


class PageReader:
    """Reads a clock page, which it can't alter. Thread-safe; every read is wait-free or bounded.

    Raises at once: PageMissingError, PageTruncatedError, PageForeignError, PageVersionError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
                _check(path, file.read(_HEAD.size), size_bytes)
                self._map = mmap.mmap(file.fileno(), SIZE_BYTES, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise PageMissingError(
                f"there is no clock page at {path}: start the time service of this node first"
            ) from None
        self._words = memoryview(self._map).cast("Q")
        self._kept: tuple[int, ClockParams] | None = None

    @property
    def generation(self) -> int:
        """Changes whenever the parameters do; odd while they are being written."""
        return self._words[2]

    @property
    def timeline_id(self) -> int:
        """The timeline that this page is of."""
        return self._words[_ID_AT // 8]

    def read(self) -> tuple[int, ClockParams]:
        """The generation, and the parameters that it stands for.

        While a write is under way the last parameters are as true as ever and are given again, so
        only the first read of a reader can wait (10 ms at most). Raises PageNeverWrittenError, and
        PageTornError when that first read finds a write that does not end.
        """
        kept = self._kept
        generation = self._words[2]
        if kept is not None and (kept[0] == generation or generation & 1):
            return kept
        for attempt in range(_TRIES):
            fresh = self._try_read()
            if fresh is not None:
                self._kept = fresh
                return fresh
            if kept is not None:
                return kept
            if attempt >= _QUICK_TRIES:
                time.sleep(_PAUSE_S)
        raise PageTornError(
            f"{self.path} has been in the middle of a write for {_TRIES} tries: its time service "
            "died or is stopped; restart it"
        )

    def counters(self) -> tuple[int, ...]:
        """The exchange counters, for people; may mix two generations."""
        return _COUNTERS.unpack_from(self._map, _COUNTERS_AT)

    def close(self) -> None:
        self._words.release()
        self._map.close()

    def _try_read(self) -> tuple[int, ClockParams] | None:
        generation = self._words[2]
        if generation == 0:
            raise PageNeverWrittenError(
                f"nothing is on the clock page {self.path} yet: wait for the time service"
            )
        body = self._map[_BODY_AT:_COUNTERS_AT]
        (crc,) = _CRC.unpack_from(self._map, _CRC_AT)
        if generation & 1 or self._words[2] != generation:
            return None
        if binascii.crc32(_ID.pack(generation) + body) != crc:
            return None
        return generation, _unpack(body)


def _pack(params: ClockParams) -> bytes:
    return _BODY.pack(
        _STATUS_NUMBER[params.status],
        params.as_of_ns,
        params.timeline_ns,
        params.rate_ppb,
        params.early_ns,
        params.late_ns,
        params.early_growth_ppb,
        params.late_growth_ppb,
        params.sigma_ns,
        params.sigma_growth_ppb,
        params.fresh_until_ns,
        params.void_after_ns,
        params.epoch,
        params.step_marker,
    )


def _unpack(body: bytes) -> ClockParams:
    status, *rest = _BODY.unpack_from(body)
    return ClockParams(_STATUSES[status], *rest)
