"""Why a time source can't be read: part of the tree of :mod:`qot.errors`.

    QotError
    └── SourceError                     a time source gives nothing that can be used now
        ├── SourceUnreachableError      nobody answers, or the program to ask with is missing
        ├── SourceReplyError            the answer is truncated, foreign or makes no sense
        ├── SourceVersionError          the answer is of another version of the protocol
        ├── SourceRefusedError          the source understood and declined
        ├── SourceUnsupportedError      the source steers a clock that can't be read from here
        └── SourceSteppedError          CLOCK_REALTIME was stepped during every question

None of them is a reason to stop: the page goes on with what is known and says what that is worth.
"""

from __future__ import annotations

from qot.errors import QotError


class SourceError(QotError):
    """A time source gives nothing that can be used now."""


class SourceUnreachableError(SourceError):
    """Nobody answers there."""


class SourceReplyError(SourceError):
    """The answer is no answer to our question."""


class SourceVersionError(SourceError):
    """The other side speaks another version."""


class SourceRefusedError(SourceError):
    """The source declined to answer."""


class SourceUnsupportedError(SourceError):
    """The source is set up in a way that this adapter can't turn into time."""


class SourceSteppedError(SourceError):
    """CLOCK_REALTIME would not stand still to be asked about."""
