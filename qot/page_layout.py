"""The bytes of a clock page, layout version 2: what lies where, and nothing else.

Little endian, naturally aligned; ``qot/include/qot.h`` reads the same bytes, and
docs/quality_of_time.md has the rules of reading:

    ====== ===== ========================================================================
    offset type  field
    ====== ===== ========================================================================
         0 8s    magic "QOTPAGE\\0"
         8 u32   version (2)
        12 u32   size of the page
        16 u64   generation: odd while being written, 0 never written
        24 i64   status: 0 unsynchronized, 1 synchronized, 2 holdover, 3 disrupted
        32 i64   as_of, timeline, rate_ppb, early, late, early_growth_ppb, late_growth_ppb,
                 sigma, sigma_growth_ppb, fresh_until, void_after
       120 u64   epoch, step_marker
       136 i64   likely_early, likely_late
       152 u64   timeline id (first 8 bytes of the SHA-256 of its name)
       160 u64   exchange counters, 8 of them, in the order of exchange.Counters
       224 u32   CRC-32 of the generation (as it ends up, even) and bytes 24..159
       232 u64   boot id (first 8 bytes of the kernel's; 0: not known)
       240 i64   core clock: 0 CLOCK_MONOTONIC, 1 emulated
       248 i64   of an emulated clock: epoch, offset, drift_ppb, wander_ppb
       280 u64   its seed
       288 i64   max_drift_ppb of either
       296 u32   CRC-32 of bytes 152..159 and 232..295
       512 144s  history, 256 entries: u64 generation (0: unused or being written),
                 128 bytes as 24..151, u32 CRC-32 of these 136, u32 nothing
    ====== ===== ========================================================================

Bytes 0..15, 152..159 and 232..303 are written once, before the page has its name.
"""

from __future__ import annotations

import binascii
import hashlib
import struct
from pathlib import Path

from qot.clock import ClockModel
from qot.instant import UNBOUNDED_NS, Status
from qot.params import ClockParams

MAGIC = b"QOTPAGE\0"
VERSION = 2
COUNTERS = 8
HEAD = struct.Struct("<8sII")
GENERATION_AT = 16
BODY = struct.Struct("<12q2Q2q")
BODY_AT = 24
WORD = struct.Struct("<Q")
TIMELINE_AT = 152
COUNTS = struct.Struct(f"<{COUNTERS}Q")
COUNTS_AT = 160
CRC = struct.Struct("<I")
CRC_AT = 224
ORIGIN = struct.Struct("<Q5qQq")
ORIGIN_AT = 232
ORIGIN_CRC_AT = 296
HISTORY_AT = 512
ENTRY = struct.Struct("<Q12q2Q2qI4x")
ENTRIES = 256
SIZE_BYTES = HISTORY_AT + ENTRIES * ENTRY.size

MONOTONIC, EMULATED = 0, 1
STATUSES = (Status.UNSYNCHRONIZED, Status.SYNCHRONIZED, Status.HOLDOVER, Status.DISRUPTED)
_STATUS_NUMBER = {status: number for number, status in enumerate(STATUSES)}
_FARTHEST_CORE_NS = 1 << 60
_FARTHEST_TIMELINE_NS = 1 << 62
_SECOND_NS = 1_000_000_000


def timeline_id(name: str) -> int:
    """The number that a timeline's name has on pages and in packets."""
    return WORD.unpack(hashlib.sha256(name.encode()).digest()[:8])[0]  # type: ignore[no-any-return]


def boot_id() -> int:
    """A number that changes when the machine restarts, and CLOCK_MONOTONIC with it; 0: unknown."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except OSError:
        return 0
    return int(text.replace("-", "")[:16], 16)


def pack_head(timeline: int, model: ClockModel | None, max_drift_ppb: int) -> bytes:
    """A whole page that was never written, of one timeline on one core clock.

    Raises ValueError for a clock whose readings a page can't hold.
    """
    if model is None:
        clock = (MONOTONIC, 0, 0, 0, 0, 0, max_drift_ppb)
    elif max(abs(model.epoch_ns), abs(model.offset_ns)) > _FARTHEST_CORE_NS // 2:
        raise ValueError(f"{model} is beyond what a clock page holds: give 2^59 ns at most")
    else:
        clock = (
            EMULATED,
            model.epoch_ns,
            model.offset_ns,
            model.drift_ppb,
            model.wander_ppb,
            model.seed,
            model.max_drift_ppb,
        )
    page = bytearray(SIZE_BYTES)
    HEAD.pack_into(page, 0, MAGIC, VERSION, SIZE_BYTES)
    WORD.pack_into(page, TIMELINE_AT, timeline)
    ORIGIN.pack_into(page, ORIGIN_AT, boot_id(), *clock)
    CRC.pack_into(page, ORIGIN_CRC_AT, origin_crc(page))
    return bytes(page)


def origin_crc(page: bytes | bytearray) -> int:
    """The checksum of what a page says of its timeline and its core clock."""
    return binascii.crc32(
        page[ORIGIN_AT:ORIGIN_CRC_AT], binascii.crc32(page[TIMELINE_AT:COUNTS_AT])
    )


def pack_params(params: ClockParams) -> bytes:
    """Bytes 24..151. Raises ValueError for numbers with which a reader's sums could overflow."""
    rate, early, late = params.rate_ppb, params.early_growth_ppb, params.late_growth_ppb
    if not (
        abs(params.as_of_ns) <= _FARTHEST_CORE_NS
        and abs(params.timeline_ns) <= _FARTHEST_TIMELINE_NS
        and abs(rate) <= _SECOND_NS // 2
        and 0 <= params.early_ns <= UNBOUNDED_NS
        and 0 <= params.late_ns <= UNBOUNDED_NS
        and 0 <= early <= _SECOND_NS
        and 0 <= late <= _SECOND_NS
        and _SECOND_NS + rate - early >= _SECOND_NS // 10
        and 0 <= params.sigma_ns <= UNBOUNDED_NS
        and 0 <= params.sigma_growth_ppb <= _SECOND_NS
        and 0 <= params.likely_early_ns <= UNBOUNDED_NS
        and 0 <= params.likely_late_ns <= UNBOUNDED_NS
    ):
        raise ValueError(
            f"{params} is beyond what a clock page holds: |as_of| <= 2^60, |timeline| <= 2^62, "
            "bounds and sigma 0..2^60, rates within half of 1e9 ppb; state a smaller drift limit"
        )
    return BODY.pack(
        _STATUS_NUMBER[params.status],
        params.as_of_ns,
        params.timeline_ns,
        rate,
        params.early_ns,
        params.late_ns,
        early,
        late,
        params.sigma_ns,
        params.sigma_growth_ppb,
        params.fresh_until_ns,
        params.void_after_ns,
        params.epoch,
        params.step_marker,
        params.likely_early_ns,
        params.likely_late_ns,
    )


def make_params(numbers: tuple[int, ...]) -> ClockParams:
    """The inverse of :func:`pack_params`, from the unpacked numbers."""
    return ClockParams(STATUSES[numbers[0]], *numbers[1:])
