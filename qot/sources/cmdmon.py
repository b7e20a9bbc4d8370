"""chronyd's monitoring protocol, version 6: the tracking request and its reply. Pure.

All big endian. A request is as long as its reply, lest the daemon serve to amplify forged ones.

    ======= ====== ======================================================================
    request type   field
    ======= ====== ======================================================================
          0 u8 × 4 version 6, kind 1, two reserved
          4 u16    command: 33, tracking
          6 u16    attempt
          8 u32    sequence: comes back in the reply
         12        zeros up to 104 bytes
    reply
          0 u8 × 4 version 6, kind 2, two reserved
          4 u16    command, reply 5, status 0, three reserved
         16 u32    sequence, two reserved
         28 u32    reference id (IPv4 address, clock's name, or 127.127.1.1: its own clock)
         32 20     address of the source: 16 bytes, u16 family, u16 reserved
         52 u16    stratum
         54 u16    leap: 0 normal, 1 and 2 a second is coming, 3 not synchronised
         56 u32    reference time: seconds high, seconds low, nanoseconds
         68 f32    current correction, last offset, RMS offset (s); frequency, residual frequency,
                   skew (ppm); root delay, root dispersion, last update interval (s)
    ======= ====== ======================================================================

f32 is chrony's own float: 7 bits of exponent, 25 of coefficient, both two's complement; it stands
for coefficient × 2^(exponent - 25).

Why not a library: `pychrony` (2.0.3 was looked at) is current, a binding of libchrony. It gives
doubles, where a hard bound needs to know what the wire rounded away (60 µs in a correction of
1000 s); it has no time limit for a daemon that is there and does not answer; and it is one more
binary wheel for one request of 104 bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from qot.clock import SECOND_NS
from qot.sources.errors import SourceRefusedError, SourceReplyError, SourceVersionError

VERSION = 6
REQUEST, REPLY = 1, 2
TRACKING_REQUEST, TRACKING_REPLY = 33, 5
SUCCESS = 0
PACKET_BYTES = 104
LEAP_UNSYNCHRONISED = 3
LOCAL_REFERENCE = 0x7F7F0101
"""The daemon serves its own clock (the directive `local`)."""

_REQUEST = struct.Struct(">BBBBHHI92x")
_HEAD = struct.Struct(">BBBBHHHHHHIII")
_TRACKING = struct.Struct(">I16sHHHHIII9I")
_STATUS_VERSION, _STATUS_LENGTH = 18, 19
_STATUS_WORDS = {
    1: "it failed",
    2: "not authorised",
    3: "it takes the request for invalid",
    6: "it was built without that",
    _STATUS_VERSION: "it speaks another version of the protocol",
    _STATUS_LENGTH: "it takes the request for too short or too long",
}
_COEFFICIENT_BITS, _EXPONENT_BITS = 25, 7


@dataclass(frozen=True, slots=True)
class WireFloat:
    """A number as chronyd sends it, exactly: coefficient × 2^(exponent - 25)."""

    coefficient: int
    exponent: int

    @classmethod
    def from_bits(cls, bits: int) -> WireFloat:
        """From the 32 bits on the wire."""
        return cls(
            _signed(bits & ((1 << _COEFFICIENT_BITS) - 1), _COEFFICIENT_BITS),
            _signed(bits >> _COEFFICIENT_BITS, _EXPONENT_BITS),
        )

    def scaled(self, unit: int) -> tuple[int, int]:
        """Lowest and highest integer that unit × what the daemon meant may be.

        It meant what it sent, within one unit of the coefficient; a zero is a zero.
        """
        if self.coefficient == 0:
            return 0, 0
        power = self.exponent - _COEFFICIENT_BITS
        low, high = (self.coefficient - 1) * unit, (self.coefficient + 1) * unit
        if power >= 0:
            return low << power, high << power
        return low >> -power, -(-high >> -power)

    @property
    def nanoseconds(self) -> tuple[int, int]:
        """Lowest and highest, of a number in seconds."""
        return self.scaled(SECOND_NS)

    @property
    def most_ns(self) -> int:
        """The largest magnitude in ns, of a number in seconds."""
        low, high = self.nanoseconds
        return max(-low, high)


def _signed(bits: int, width: int) -> int:
    return bits - (1 << width) if bits >> (width - 1) else bits


@dataclass(frozen=True, slots=True)
class Tracking:
    """What chronyd says of its own clock; names as in the table above."""

    reference_id: int
    address: bytes
    family: int
    stratum: int
    leap: int
    reference_time_ns: int
    correction: WireFloat
    last_offset: WireFloat
    rms_offset: WireFloat
    frequency: WireFloat
    residual_frequency: WireFloat
    skew: WireFloat
    root_delay: WireFloat
    root_dispersion: WireFloat
    update_interval: WireFloat


def tracking_request(sequence: int) -> bytes:
    """The packet that asks for tracking."""
    return _REQUEST.pack(VERSION, REQUEST, 0, 0, TRACKING_REQUEST, 0, sequence)


def parse_tracking(data: bytes, sequence: int) -> Tracking | None:
    """The reply; None when it is one to another request (an earlier one, answered late).

    Raises SourceReplyError, SourceVersionError, SourceRefusedError.
    """
    if len(data) < _HEAD.size:
        raise SourceReplyError(
            f"a reply of {len(data)} bytes came, the head alone has {_HEAD.size}: "
            "check that chronyd's command port is behind this address"
        )
    version, kind, _, _, command, reply, status, _, _, _, answered, _, _ = _HEAD.unpack_from(data)
    if kind != REPLY or command != TRACKING_REQUEST:
        raise SourceReplyError(
            f"a packet of kind {kind} about command {command} came instead of a reply ({REPLY}) "
            f"to command {TRACKING_REQUEST}: check that chronyd is behind this address"
        )
    if version != VERSION or status == _STATUS_VERSION:
        raise SourceVersionError(
            f"chronyd speaks version {version} of its protocol, this program {VERSION}: "
            "use chrony 2.2 or later"
        )
    if answered != sequence:
        return None
    if status != SUCCESS:
        word = _STATUS_WORDS.get(status, "see chrony's candm.h")
        raise SourceRefusedError(
            f"chronyd refused to give its tracking, status {status} ({word}): "
            "allow this host with cmdallow, or ask on 127.0.0.1"
        )
    if reply != TRACKING_REPLY or len(data) != PACKET_BYTES:
        raise SourceReplyError(
            f"reply {reply} of {len(data)} bytes came, tracking is reply {TRACKING_REPLY} of "
            f"{PACKET_BYTES}: this chronyd is newer than what this program knows"
        )
    return _parse_body(data)


def _parse_body(data: bytes) -> Tracking:
    (
        reference_id,
        address,
        family,
        _,
        stratum,
        leap,
        seconds_high,
        seconds_low,
        nanoseconds,
        *floats,
    ) = _TRACKING.unpack_from(data, _HEAD.size)
    if leap > LEAP_UNSYNCHRONISED or nanoseconds >= SECOND_NS:
        raise SourceReplyError(
            f"the reply's leap status is {leap} and its nanoseconds {nanoseconds}: that is no "
            "tracking reply of chronyd"
        )
    # High seconds of 2^31 - 1 stand for a 32-bit time without high part.
    seconds = seconds_low if seconds_high == 0x7FFFFFFF else seconds_high << 32 | seconds_low
    return Tracking(
        reference_id,
        address,
        family,
        stratum,
        leap,
        seconds * SECOND_NS + nanoseconds,
        *(WireFloat.from_bits(bits) for bits in floats),
    )
