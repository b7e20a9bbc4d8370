"""Where the coordination service keeps what must outlive it: small documents with versions.

One interface, and one set of contract tests for all that implement it
(tests/qot/coordination/test_store_contract.py): :mod:`qot.coordination.sqlite_store`, the default,
and :mod:`qot.coordination.zookeeper_store`. A path is ``/timelines/wall/nodes/a``; parents need not
be made first. A document is never empty. Every change is durable when the call returns, and the
calls of all coordinators on one store have one order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from qot.coordination.errors import CoordinationError


class ExistsError(CoordinationError):
    """There is a document at that path already."""


class ChangedError(CoordinationError):
    """The document is not at that version any more, or is gone."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a path holds. The version grows with each swap, and means nothing across a delete."""

    data: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Leader:
    """The coordinator that answers: one at a time, for one store."""

    address: str
    """Where it is reached, ``http://host:port``; empty when nobody leads now."""
    is_self: bool


class Store(ABC):
    """Thread-safe. Every call may raise UnavailableError; then it is not known whether a change was
    made, which a caller must treat as "perhaps": nothing may be given out, and it must read again.
    """

    @abstractmethod
    def get(self, path: str) -> Document | None:
        """The document, None if there is none."""

    @abstractmethod
    def children(self, path: str) -> list[str]:
        """The names of what lies directly below, sorted; empty when there is nothing."""

    @abstractmethod
    def create(self, path: str, data: bytes, *, fleeting: bool = False) -> Document:
        """Make it. Raises ExistsError.

        fleeting: it may go by itself when the coordinator that made it is gone, where the store
        can tell. Nothing may be made below it.
        """

    @abstractmethod
    def swap(self, path: str, data: bytes, version: int) -> Document:
        """Replace the document of that version. Raises ChangedError."""

    @abstractmethod
    def delete(self, path: str) -> bool:
        """Remove it and all below it; False when there was nothing."""

    @abstractmethod
    def leader(self) -> Leader:
        """Who answers now. Leading is for order alone: what must be safe is safe by swap."""

    @abstractmethod
    def close(self) -> None:
        """Let go. May be called twice."""
