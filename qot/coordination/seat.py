"""The seat: the stored record of who is a timeline's reference."""

from __future__ import annotations

import msgspec

from qot.coordination.terms import DEFAULT_TERMS, Terms


class Seat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may be the reference, under which epoch and terms. Changed by compare-and-swap alone.

    epoch: 0 while nobody ever was. renewals: counts every grant, renewal and release of all
    epochs; while it stands still, nobody has renewed. released: the holder gave it up, and has
    stopped answering. bound_ns: what the holder's bound was when it claimed; None for the first,
    whose clock *is* the timeline. The terms are the epoch's own, whatever a coordinator is
    configured with later; handover_ns may fall.
    """

    epoch: int = 0
    renewals: int = 0
    node: str = ""
    session: str = ""
    address: str = ""
    bound_ns: int | None = None
    released: bool = False
    lease_ns: int = DEFAULT_TERMS.lease_ns
    silence_ns: int = DEFAULT_TERMS.silence_ns
    handover_ns: int = DEFAULT_TERMS.handover_ns

    @property
    def terms(self) -> Terms:
        return Terms(self.lease_ns, self.silence_ns, self.handover_ns)

    @property
    def vacancy_ns(self) -> int:
        """How long it must stand still before another node may have it."""
        return self.silence_ns if self.released else self.terms.vacancy_ns

    def is_held_by(self, node: str, session: str) -> bool:
        """Whether this very process holds it, under this epoch, without having given it up."""
        return self.epoch > 0 and not self.released and (self.node, self.session) == (node, session)

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Seat:
        """Raises msgspec.ValidationError when it is something else."""
        return msgspec.json.decode(data, type=cls)
