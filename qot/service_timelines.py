"""Who is the reference of which timeline, as seen from this node, and the shares that follow."""

from __future__ import annotations

from collections.abc import Sequence

from jupiter.errors import InputError
from qot.binding_events import Refusal, Refused
from qot.bindings import GLOBAL_PREFIX
from qot.clock import core_clock
from qot.errors import ServiceError
from qot.exchange import GLOBAL, LOCAL, No
from qot.page import PageWriter
from qot.page_layout import timeline_id
from qot.service_config import SELF, Role, ServiceConfig
from qot.service_share import FollowerShare, ReferenceShare, Share, SharePlan
from qot.sync_server import Desk, SyncServer, Utc


def scope_of(name: str) -> int:
    """GLOBAL for a timeline that is UTC."""
    return GLOBAL if name.startswith(GLOBAL_PREFIX) else LOCAL


class Timelines:
    """Makes the shares of one node. Raises ServiceError when its UDP address can't be had."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._clock = core_clock(config.clock, config.max_drift_ppb)
        self._reference = config.reference
        self._utc = None if config.utc_error_ns is None else Utc(config.utc_error_ns)
        self._mine = {timeline_id(n) for n, each in config.references.items() if each == SELF}
        self._others = {timeline_id(n) for n in config.references} - self._mine
        self._desk = Desk(config.key, config.epoch, self._clock, self._is_reference, self._utc)
        self._plan = SharePlan(
            clock=self._clock,
            key=config.key,
            host=config.bind[0],
            epoch=config.epoch,
            period_ns=config.period_ns,
            void_after_ns=config.void_after_ns,
            reference_max_drift_ppb=config.reference_max_drift_ppb,
            shortest_ns=config.shortest_period_ns,
        )
        self.server: SyncServer | None = None
        if config.role is not Role.FOLLOWER or self._mine:
            try:
                self.server = SyncServer.bind(config.bind, self._clock, self._desk)
            except OSError as error:
                raise ServiceError(
                    f"the time service of {config.node} can't bind UDP {config.bind}: {error}; "
                    "free that address or give another one"
                ) from None

    @property
    def udp_port(self) -> int:
        return 0 if self.server is None else self.server.port

    def close(self) -> None:
        if self.server is not None:
            self.server.close()

    def make(self, name: str) -> Share | Refused:
        """This node's share in a timeline. Raises OSError when its page can't be made."""
        config, scope = self._config, scope_of(name)
        if name in config.sources:
            return self._from_source(name, scope)
        reference = config.references.get(name) or self._reference
        if self._is_reference(timeline_id(name)):
            if scope == GLOBAL and self._utc is None:
                return Refused(name, Refusal.NO_UTC, self._no_utc(name, config.node))
            return ReferenceShare(name, scope, self._plan, self._page(name), self._desk, self._utc)
        if config.role is Role.ELECTED and scope == LOCAL and name not in config.references:
            return self._elected(name)
        if reference is None and name != config.timeline:
            return Refused(
                name,
                Refusal.UNKNOWN_TIMELINE,
                f"{config.node} does not know where the reference of timeline {name!r} is: give its"
                " time service a reference, or an entry in references",
            )
        page = self._page(name)
        share = FollowerShare(name, scope, self._plan, page)
        if isinstance(reference, tuple):
            self._aim(share, reference)
        return share

    def _from_source(self, name: str, scope: int) -> Share | Refused:
        """A share that another daemon on this machine keeps true."""
        from qot.sources.errors import SourceError
        from qot.sources.role import SourceConfig
        from qot.sources.settings import make_source, parse_source
        from qot.sources.share import SourceShare

        config = self._config
        try:
            source = make_source(parse_source(config.sources[name], f"sources.{name}"))
        except SourceError as error:
            return Refused(name, Refusal.FAILED, f"timeline {name!r} can't be had: {error}")
        rhythm = SourceConfig(
            period_ns=config.period_ns,
            void_after_ns=config.void_after_ns,
            # UTC has no drift.
            reference_max_drift_ppb=0 if scope == GLOBAL else config.reference_max_drift_ppb,
        )
        return SourceShare(name, scope, self._clock, self._page(name), rhythm, source)

    def _elected(self, name: str) -> Share:
        """A share that may become the reference's. Raises ServiceError without the extra."""
        assert self.server is not None
        try:
            from qot.coordination.agent import ASK_TIMEOUT_S, CoordinationAgent
            from qot.coordination.client import Client
            from qot.elected_share import ElectedShare
        except ImportError as error:
            raise ServiceError(
                f"electing references needs {error.name}: "
                "pip install 'jupiter-dispersed[coordination]'"
            ) from error
        config = self._config
        page = self._page(name)
        agent = CoordinationAgent(
            Client(config.coordinators, config.coordination_key, timeout_s=ASK_TIMEOUT_S),
            name,
            config.node,
            (config.bind[0], self.udp_port),
            self._clock.now_ns,
        )
        return ElectedShare(name, self._plan, page, self._desk, agent)

    def refused(self, share: FollowerShare) -> Refused:
        """What the reference's No means for those who want to bind."""
        if share.refused is No.NO_UTC:
            node = f"its reference at {share.reference}"
            return Refused(share.name, Refusal.NO_UTC, self._no_utc(share.name, node))
        return Refused(
            share.name,
            Refusal.UNKNOWN_TIMELINE,
            f"{share.reference} is not the reference of timeline {share.name!r}: correct the "
            "references of the time service",
        )

    def failed(self, name: str, error: Exception) -> Refused:
        """The share could not be made, for want of a page or a socket."""
        return Refused(
            name,
            Refusal.FAILED,
            f"the time service can't make timeline {name!r}: {error}; see that "
            f"{self._config.folder} exists and has room",
        )

    def aim(self, reference: tuple[str, int], shares: Sequence[Share]) -> None:
        """Follow this node wherever no other is configured. Raises InputError."""
        if self._config.role is not Role.FOLLOWER:
            raise InputError(
                f"this node's role is {self._config.role}, it can't be told to follow {reference}",
                "send the reference's address to followers only",
                field="reference",
            )
        self._reference = reference
        for share in shares:
            if isinstance(share, FollowerShare) and share.name not in self._config.references:
                self._aim(share, reference)

    def _is_reference(self, number: int) -> bool:
        if number in self._mine:
            return True
        return self._config.role is Role.REFERENCE and number not in self._others

    def _page(self, name: str) -> PageWriter:
        config = self._config
        path = config.page
        if name != config.timeline:
            # Nodes of one machine may share the folder.
            path = config.folder / f"{timeline_id(f'{config.node}/{name}'):016x}.page"
        page = PageWriter(path, name, config.clock, config.max_drift_ppb)
        path.chmod(0o640 if config.socket_mode & 0o060 else 0o600)
        return page

    @staticmethod
    def _aim(share: FollowerShare, reference: tuple[str, int]) -> None:
        try:
            share.aim(reference)
        except OSError as error:
            raise InputError(
                f"the reference's address {reference} can't be used: {error}",
                "give an address of the same family as bind",
                field="reference",
            ) from None

    @staticmethod
    def _no_utc(name: str, node: str) -> str:
        return (
            f"timeline {name!r} is global, which means UTC, and {node} has no source of UTC: set "
            "utc_error_ns there to what its CLOCK_REALTIME keeps (chronyc tracking tells), or use "
            f"a name without {GLOBAL_PREFIX}"
        )
