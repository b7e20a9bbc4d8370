"""The clock page: a small file, shared by mmap, that tells a node the time.

It holds the parameters of one timeline on one node, the node's core clock, and the parameters of
the last minutes (:mod:`qot.page_history`); the bytes are in :mod:`qot.page_layout`.

One writer, any number of readers, no locks: a seqlock. A reader takes the generation, the body, and
the generation again; equal and even means the body is whole. Pure Python can't issue memory
barriers; where stores may be reordered the checksum sees what the generation did not. It costs
nothing in the end, since a reader decodes a generation once and keeps it.
"""

from __future__ import annotations

import binascii
import mmap
import os
import time
from pathlib import Path

from qot.clock import DEFAULT_MAX_DRIFT_PPB, Clock, ClockModel, core_clock
from qot.errors import (
    PageForeignError,
    PageHistoryError,
    PageMissingError,
    PageNeverWrittenError,
    PageTornError,
    PageTruncatedError,
    PageVersionError,
)
from qot.instant import Instant
from qot.page_history import History, HistoryWriter
from qot.page_layout import (
    BODY,
    BODY_AT,
    COUNTERS,
    COUNTS,
    COUNTS_AT,
    CRC,
    CRC_AT,
    EMULATED,
    GENERATION_AT,
    HEAD,
    HISTORY_AT,
    MAGIC,
    MONOTONIC,
    ORIGIN,
    ORIGIN_AT,
    ORIGIN_CRC_AT,
    SIZE_BYTES,
    TIMELINE_AT,
    VERSION,
    WORD,
    boot_id,
    make_params,
    origin_crc,
    pack_head,
    pack_params,
    timeline_id,
)
from qot.params import ClockParams

_TRIES = 200
_PAUSE_S = 50e-6
_QUICK_TRIES = 20


def _check(path: Path, page: bytes, size_bytes: int) -> None:
    """Raise the PageError that fits, unless this is a page of our version and of this boot."""
    if size_bytes < HEAD.size or len(page) < HEAD.size:
        raise PageTruncatedError(
            f"{path} has {size_bytes} bytes, a clock page {SIZE_BYTES}: restart the time service"
        )
    magic, version, size = HEAD.unpack_from(page)
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
    boot, kind, *_ = ORIGIN.unpack_from(page, ORIGIN_AT)
    if origin_crc(page) != CRC.unpack_from(page, ORIGIN_CRC_AT)[0]:
        raise PageForeignError(
            f"{path} says of its core clock what does not fit its checksum: remove it and restart "
            "the time service"
        )
    if boot != boot_id():
        raise PageForeignError(
            f"{path} was written before this machine was restarted: start the time service again"
        )
    if kind not in (MONOTONIC, EMULATED):
        raise PageVersionError(
            f"{path} stands on a core clock of kind {kind}, this program knows 0 and 1: run the "
            "same release on both sides"
        )


def _clock(page: bytes) -> Clock:
    """The core clock that a page stands on."""
    _, kind, epoch, offset, drift, wander, seed, limit = ORIGIN.unpack_from(page, ORIGIN_AT)
    if kind == MONOTONIC:
        return core_clock(None, limit)
    return core_clock(ClockModel(epoch, offset, drift, wander, seed, limit))


class PageWriter:
    """Writes a clock page; one per page, in the time service. Not thread-safe.

    model: the emulated core clock that the numbers refer to, or None for CLOCK_MONOTONIC, whose
    stated limit is ``max_drift_ppb``. A page that is there already for this timeline and this clock
    is continued, so that readers keep their mapping over a restart of the service; anything else at
    ``path`` is replaced. Raises OSError when that fails.
    """

    def __init__(
        self,
        path: Path,
        timeline: str,
        model: ClockModel | None = None,
        max_drift_ppb: int = DEFAULT_MAX_DRIFT_PPB,
    ) -> None:
        self.path = path
        fresh = pack_head(timeline_id(timeline), model, max_drift_ppb)
        if not self._can_continue(fresh):
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            draft.write_bytes(fresh)
            draft.replace(path)  # whole from the moment it is seen
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE_BYTES)
        self._words = memoryview(self._map).cast("Q")
        self._history = HistoryWriter(self._map, self._words)
        left = max(self._words[GENERATION_AT // 8], self._history.last_generation)
        self._generation = left + left % 2  # odd: our predecessor died while writing
        self._timeline = fresh[TIMELINE_AT:COUNTS_AT]
        self.params: ClockParams | None = None

    def _can_continue(self, fresh: bytes) -> bool:
        """Is there a page with the head of this one?"""
        try:
            found = self.path.read_bytes()
        except FileNotFoundError:
            return False
        return len(found) == SIZE_BYTES and all(
            found[part] == fresh[part]
            for part in (
                slice(GENERATION_AT),
                slice(TIMELINE_AT, COUNTS_AT),
                slice(ORIGIN_AT, ORIGIN_CRC_AT + CRC.size),
            )
        )

    def write(self, params: ClockParams, counters: tuple[int, ...] = (0,) * COUNTERS) -> None:
        """Publish new parameters. Readers see the old ones or the new ones, never a mixture.

        Raises ValueError for parameters that a page can't hold; the page stays as it was.
        """
        generation = self._generation + 2
        packed = pack_params(params)
        body = packed + self._timeline
        crc = binascii.crc32(WORD.pack(generation) + body)
        self._history.add(generation, params, packed)
        word = GENERATION_AT // 8
        self._words[word] = generation - 1
        self._map[BODY_AT : BODY_AT + len(body)] = body
        COUNTS.pack_into(self._map, COUNTS_AT, *counters)
        CRC.pack_into(self._map, CRC_AT, crc)
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
                page = file.read(HISTORY_AT)
                _check(path, page, size_bytes)
                self.mapping = mmap.mmap(file.fileno(), SIZE_BYTES, access=mmap.ACCESS_READ)
                """The page itself, read-only."""
        except FileNotFoundError:
            raise PageMissingError(
                f"there is no clock page at {path}: start the time service of this node first"
            ) from None
        self.clock = _clock(page)
        """The node's core clock, which every number on the page refers to."""
        self._words = memoryview(self.mapping).cast("Q")
        self._now_ns = self.clock.now_ns
        self._kept: tuple[int, ClockParams] | None = None
        self._history: tuple[int, History] | None = None

    @property
    def generation(self) -> int:
        """Changes whenever the parameters do; odd while they are being written."""
        return self._words[2]

    @property
    def timeline_id(self) -> int:
        """The timeline that this page is of."""
        return self._words[TIMELINE_AT // 8]

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

    def now(self) -> Instant:
        """The present, by this node's core clock. Raises as :meth:`read` does."""
        kept = self._kept
        if kept is None or kept[0] != self._words[2]:
            kept = self.read()
        return kept[1].instant_at(self._now_ns())

    def stamp(self) -> tuple[int, int, int, int]:
        """(estimate, earliest, latest, CLOCK_MONOTONIC) of one and the same moment."""
        params = self.read()[1]
        monotonic_ns = time.monotonic_ns()
        return *params.interval_at(self.clock.from_monotonic_ns(monotonic_ns)), monotonic_ns

    def read_at(self, core_ns: int) -> ClockParams:
        """The parameters that were valid at a core time: the present ones, or of the history.

        Raises as :meth:`read` does, and PageHistoryError for a time before all that is remembered.
        """
        generation, params = self.read()
        if core_ns >= params.as_of_ns:
            return params
        kept = self._history
        if kept is None or kept[0] != generation:
            self._history = kept = generation, History(self.mapping[:SIZE_BYTES], generation)
        history = kept[1]
        found = history.at(core_ns)
        if found is not None:
            return found
        oldest_ns = params.as_of_ns if history.oldest_ns is None else history.oldest_ns
        raise PageHistoryError(
            f"{self.path} remembers parameters from core time {oldest_ns} on, {core_ns} is "
            f"{oldest_ns - core_ns} ns before that: convert stamps within minutes"
        )

    def counters(self) -> tuple[int, ...]:
        """The exchange counters, for people; may mix two generations."""
        return COUNTS.unpack_from(self.mapping, COUNTS_AT)

    def close(self) -> None:
        self._words.release()
        self.mapping.close()

    def _try_read(self) -> tuple[int, ClockParams] | None:
        generation = self._words[2]
        if generation == 0:
            raise PageNeverWrittenError(
                f"nothing is on the clock page {self.path} yet: wait for the time service"
            )
        body = self.mapping[BODY_AT:COUNTS_AT]
        (crc,) = CRC.unpack_from(self.mapping, CRC_AT)
        if generation & 1 or self._words[2] != generation:
            return None
        if binascii.crc32(WORD.pack(generation) + body) != crc:
            return None
        return generation, make_params(BODY.unpack_from(body))
