"""The history on a clock page: which parameters were valid when.

Every published set is kept, with ``as_of`` as the moment from which it was valid. The entries are
four rings of 64. The first takes all; the others only take a set that is some time later than
their last: so the page reaches back ten minutes, exactly for the last seconds and with bounds that
are somewhat wider, never wrong, before that. A change of status, of epoch or of the step marker
goes into all rings: nobody may go on with a promise past the moment when it was withdrawn.

An entry is written before the set is published and stays untouched until its ring comes round;
readers need no retry, the checksum tells them an entry that is just being replaced.
"""

from __future__ import annotations

import binascii
from bisect import bisect_right
from mmap import mmap

from qot.page_layout import CRC, ENTRIES, ENTRY, HISTORY_AT, SIZE_BYTES, WORD, make_params
from qot.params import ClockParams

GAPS_NS = (0, 250_000_000, 2_000_000_000, 10_000_000_000)
"""How far apart the sets of each ring are at least."""
RING_ENTRIES = ENTRIES // len(GAPS_NS)

_Entry = tuple[int, ...]


def _entries(page: bytes) -> list[tuple[int, _Entry]]:
    """(place, numbers) of the whole entries, in no order."""
    found = []
    for place in range(ENTRIES):
        at = HISTORY_AT + place * ENTRY.size
        numbers = ENTRY.unpack_from(page, at)
        if numbers[0] and binascii.crc32(page[at : at + ENTRY.size - 8]) == numbers[-1]:
            found.append((place, numbers))
    return found


class _Ring:
    """Where the next entry of one ring goes, and the ``as_of`` of its last."""

    def __init__(self, first: int, gap_ns: int, left: list[tuple[int, _Entry]]) -> None:
        self.first, self.gap_ns = first, gap_ns
        self.next = 0
        self.last_ns: int | None = None
        mine = [each for each in left if first <= each[0] < first + RING_ENTRIES]
        if mine:
            place, numbers = max(mine, key=lambda each: each[1][0])
            self.next = (place - first + 1) % RING_ENTRIES
            self.last_ns = numbers[2]

    def takes(self, as_of_ns: int) -> bool:
        return self.last_ns is None or as_of_ns - self.last_ns >= self.gap_ns

    def take(self, as_of_ns: int) -> int:
        """The place for a set of that moment."""
        place = self.first + self.next
        self.next = (self.next + 1) % RING_ENTRIES
        self.last_ns = as_of_ns
        return place


class HistoryWriter:
    """Puts parameter sets on a page; continues what a former writer left there."""

    def __init__(self, page: mmap, words: memoryview) -> None:
        """words: the same page as 64-bit words, each of which is stored at once."""
        self._page, self._words = page, words
        left = _entries(page[:SIZE_BYTES])
        self.last_generation = max((numbers[0] for _, numbers in left), default=0)
        self._rings = [
            _Ring(index * RING_ENTRIES, gap_ns, left) for index, gap_ns in enumerate(GAPS_NS)
        ]
        self._kind: tuple[object, ...] | None = None

    def add(self, generation: int, params: ClockParams, body: bytes) -> None:
        """Keep a set; ``body`` is its packed form."""
        kind = (params.status, params.epoch, params.step_marker)
        changed, self._kind = kind != self._kind, kind
        entry = WORD.pack(generation) + body
        rest = entry[8:] + CRC.pack(binascii.crc32(entry))
        for ring in self._rings:
            if changed or ring.takes(params.as_of_ns):
                at = HISTORY_AT + ring.take(params.as_of_ns) * ENTRY.size
                self._words[at // 8] = 0
                self._page[at + 8 : at + 8 + len(rest)] = rest
                self._words[at // 8] = generation


class History:
    """What a page remembered when it was read, ready to be asked often. Immutable."""

    def __init__(self, page: bytes, generation: int) -> None:
        """generation: of the present parameters; what is newer is not published yet."""
        chain: list[_Entry] = []
        ordered = sorted((numbers for _, numbers in _entries(page)), reverse=True)
        for numbers in ordered:
            # A set that begins no earlier than a newer one was never the last word.
            if numbers[0] <= generation and (not chain or numbers[2] < chain[-1][2]):
                chain.append(numbers)
        chain.reverse()
        self._sets = [make_params(numbers[1:-1]) for numbers in chain]
        self._begins = [params.as_of_ns for params in self._sets]

    @property
    def oldest_ns(self) -> int | None:
        """The core time to which it reaches back."""
        return self._begins[0] if self._begins else None

    def at(self, core_ns: int) -> ClockParams | None:
        """The parameters valid at a core time; None: it is older than all that is remembered."""
        place = bisect_right(self._begins, core_ns)
        return self._sets[place - 1] if place else None
