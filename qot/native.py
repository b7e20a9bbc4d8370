"""The native reader of the present, where it was built; without it pure Python does the same.

``qot/_native.c`` is compiled at installation if there is a compiler. It is only faster: the numbers
are the same bit for bit, and what it can't answer at once it leaves to Python.
"""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap

from qot.instant import Instant
from qot.page_layout import STATUSES, VERSION

try:
    import qot._native as _native
except ModuleNotFoundError:
    _native = None  # type: ignore[assignment]
else:
    if _native.PAGE_VERSION != VERSION:
        raise ImportError(
            f"qot._native was built for clock pages of version {_native.PAGE_VERSION}, this is "
            f"{VERSION}: install this checkout again (pip install -e .)"
        )

Now = Callable[[], Instant]
Stamp = Callable[[], tuple[int, int, int, int]]


def available() -> bool:
    """True where the native reader was built."""
    return _native is not None


def native_reader(page: mmap, now: Now, stamp: Stamp) -> _native.Reader:
    """A reader of a mapped page that was found good; ``now`` and ``stamp`` do what it can't."""
    return _native.Reader(page, Instant, STATUSES, now, stamp)
