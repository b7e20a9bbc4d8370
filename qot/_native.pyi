from collections.abc import Callable
from mmap import mmap

from qot.instant import Instant, Status

PAGE_VERSION: int

class Reader:
    def __new__(
        cls,
        page: mmap,
        instant: type[Instant],
        statuses: tuple[Status, ...],
        now: Callable[[], Instant],
        stamp: Callable[[], tuple[int, int, int, int]],
    ) -> Reader: ...
    def now(self) -> Instant: ...
    def stamp(self) -> tuple[int, int, int, int]: ...
    def close(self) -> None: ...
