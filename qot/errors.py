"""Every error of the time floor, one small tree.

    JupiterError
    └── QotError
        ├── PageError                   a clock page can't be read
        │   ├── PageMissingError        no such file: the time service has not started
        │   ├── PageTruncatedError      the file is shorter than its layout
        │   ├── PageForeignError        something else, another timeline's, or of another boot
        │   ├── PageVersionError        the file has another version of the layout
        │   ├── PageNeverWrittenError   the service made it and has not published yet
        │   ├── PageHistoryError        a stamp is older than what the page remembers
        │   └── PageTornError           a write began and did not end: its writer died or is stopped
        ├── BindingError                a binding to a timeline can't be had or used
        │   ├── DemandError             the demand itself is nonsense: no unit, 0 or less
        │   ├── UnmeetableError         no exchange rate holds that accuracy or resolution here
        │   ├── UnknownTimelineError    a name that can't be one, or nobody is its reference
        │   ├── NoUtcError              a gl_ timeline whose reference has no source of UTC
        │   ├── ReferenceSilentError    the reference did not answer in time
        │   ├── UnsynchronizedError     no moment of this node stands for that time: never synced
        │   ├── AlreadyBoundError       bound twice with one object
        │   ├── NotBoundError           used before the bind or after the unbind
        │   ├── ServiceGoneError        no time service at that socket, or it does not answer
        │   └── ProtocolError           the two sides don't understand each other
        └── ServiceError                the time service can't start

A message says what was seen, what was expected and what to do. Time that is merely bad is never an
exception: it is a :class:`qot.instant.Status`.
"""

from __future__ import annotations

from jupiter.errors import JupiterError


class QotError(JupiterError):
    """Something about time can't be had."""


class PageError(QotError):
    """A clock page can't be read."""


class PageMissingError(PageError):
    """There is no such file."""


class PageTruncatedError(PageError):
    """The file is shorter than its layout."""


class PageForeignError(PageError):
    """The file is not a clock page, or one of another timeline or of an earlier boot."""


class PageVersionError(PageError):
    """The file is a clock page of another version."""


class PageNeverWrittenError(PageError):
    """The page exists and nothing was published on it yet."""


class PageHistoryError(PageError):
    """A stamp is older than the parameters that the page remembers."""


class PageTornError(PageError):
    """A write to the page began and did not end."""


class BindingError(QotError):
    """A binding to a timeline can't be had or used."""


class DemandError(BindingError):
    """The demand is nonsense: without a unit, 0 or less."""


class UnmeetableError(BindingError):
    """No exchange rate holds that demand here. ``best_ns`` is the best that can be had."""

    def __init__(self, message: str, best_ns: int = 0) -> None:
        self.best_ns = best_ns
        super().__init__(message)


class UnknownTimelineError(BindingError):
    """A name that can't be a timeline's, or one that nobody is the reference of."""


class NoUtcError(BindingError):
    """The timeline is global and its reference has no source of UTC."""


class ReferenceSilentError(BindingError):
    """The reference of the timeline did not answer in time."""


class UnsynchronizedError(BindingError):
    """No moment of this node stands for a time of the timeline: it was never synchronised."""


class AlreadyBoundError(BindingError):
    """The object is bound already."""


class NotBoundError(BindingError):
    """The object is not bound: not yet, or no more."""


class ServiceGoneError(BindingError):
    """There is no time service at the socket, or it does not answer."""


class ProtocolError(BindingError):
    """Client and time service don't understand each other."""


class ServiceError(QotError):
    """The time service can't start."""
