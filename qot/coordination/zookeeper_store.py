"""A store on ZooKeeper, for coordinators that stand in for each other.

Documents are znodes below one root; a swap is a set with the znode's version, so an epoch is given
out by exactly one coordinator. Fleeting documents are ephemeral: they end with the session of the
coordinator that made them, and their nodes join again through the next one. Each coordinator keeps
an ephemeral sequential znode below ``coordinators``; the lowest leads.

Reads go through ``sync``, since a ZooKeeper server may lag behind the others. A call that gets no
answer within ``timeout_s`` raises UnavailableError; it may still be carried out later, which the
versions make harmless.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    KazooException,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
)
from kazoo.handlers.threading import KazooTimeoutError

from qot.coordination.errors import UnavailableError
from qot.coordination.store import ChangedError, Document, ExistsError, Leader, Store

DEFAULT_ROOT = "/qot"
DEFAULT_SESSION_S = 4.0
DEFAULT_TIMEOUT_S = 2.0


class ZookeeperStore(Store):
    """Raises UnavailableError when no server of ``hosts`` answers within ``timeout_s`` seconds."""

    def __init__(
        self,
        hosts: str,
        address: str,
        *,
        root: str = DEFAULT_ROOT,
        session_s: float = DEFAULT_SESSION_S,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._root, self._address, self._timeout_s = root, address, timeout_s
        self._hosts = hosts
        self._turn = threading.Lock()
        self._place = ""
        self._client = KazooClient(hosts=hosts, timeout=session_s)
        try:
            self._client.start(timeout=timeout_s)
        except KazooTimeoutError:
            self.close()
            raise UnavailableError(
                f"no ZooKeeper at {hosts} within {timeout_s:g} s; start it, or give its address"
            ) from None

    def get(self, path: str) -> Document | None:
        with self._talking(path):
            self._wait(self._client.sync_async(self._root))
            try:
                data, stat = self._wait(self._client.get_async(self._at(path)))
            except NoNodeError:
                return None
        return Document(data, stat.version) if data else None  # empty: a folder

    def children(self, path: str) -> list[str]:
        with self._talking(path):
            return self._names(path)

    def create(self, path: str, data: bytes, *, fleeting: bool = False) -> Document:
        with self._talking(path):
            try:
                self._wait(
                    self._client.create_async(
                        self._at(path), data, ephemeral=fleeting, makepath=True
                    )
                )
            except NodeExistsError:
                raise ExistsError(f"{path} exists already; read it and swap it") from None
        return Document(data, 0)

    def swap(self, path: str, data: bytes, version: int) -> Document:
        with self._talking(path):
            try:
                stat = self._wait(self._client.set_async(self._at(path), data, version))
            except (BadVersionError, NoNodeError):
                raise ChangedError(
                    f"{path} is not at version {version} any more; read it again"
                ) from None
        return Document(data, stat.version)

    def delete(self, path: str) -> bool:
        with self._talking(path):
            return self._delete(path)

    def leader(self) -> Leader:
        """The coordinator with the lowest number. Takes a place again when its session was lost."""
        with self._talking("/coordinators"), self._turn:
            names = self._names("/coordinators")
            if self._place not in names:
                self._place = self._take_place()
                names = self._names("/coordinators")
            first = self._at(f"/coordinators/{names[0]}" if names else "/coordinators")
            try:
                data, stat = self._wait(self._client.get_async(first))
            except NoNodeError:
                return Leader("", is_self=False)  # it has just gone; the next call knows better
            # By session, not by name: a place whose making was not answered in time is ours too.
            ours = stat.ephemeralOwner == self._client.client_id[0]
            return Leader(data.decode(), is_self=ours)

    def close(self) -> None:
        """Ends the session at once, and with it all that is ephemeral: the next one leads."""
        self._client.stop()
        self._client.close()

    def _take_place(self) -> str:
        path: str = self._wait(
            self._client.create_async(
                self._at("/coordinators/c-"),
                self._address.encode(),
                ephemeral=True,
                sequence=True,
                makepath=True,
            )
        )
        return path.rpartition("/")[2]

    def _names(self, path: str) -> list[str]:
        self._wait(self._client.sync_async(self._root))
        try:
            return sorted(self._wait(self._client.get_children_async(self._at(path))))
        except NoNodeError:
            return []

    def _delete(self, path: str) -> bool:
        while True:
            try:
                self._wait(self._client.delete_async(self._at(path)))
            except NoNodeError:
                return False
            except NotEmptyError:
                for name in self._names(path):
                    self._delete(f"{path}/{name}")
            else:
                return True

    def _at(self, path: str) -> str:
        return self._root + path

    def _wait(self, pending: Any) -> Any:
        return pending.get(timeout=self._timeout_s)

    @contextlib.contextmanager
    def _talking(self, path: str) -> Iterator[None]:
        try:
            yield
        except (KazooException, KazooTimeoutError) as error:
            raise UnavailableError(
                f"ZooKeeper at {self._hosts} does not answer about {path}: "
                f"{type(error).__name__} {error}; see that it runs and has a quorum"
            ) from error
