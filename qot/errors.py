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


class ServiceError(QotError):
    """The time service can't start."""
