"""How long a reference may serve, how long others wait, and what a silent reference costs. Pure.

A new reference takes over when nobody has renewed for ``lease + silence``. Every follower heard the
old one last before its lease ended, and widens after ``silence``; so when somebody else's clock
becomes the timeline, each follower that does not know yet has made room for it. The picture is in
docs/decisions/0008-epochs-by-compare-and-swap.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from qot.clock import DEFAULT_MAX_DRIFT_PPB, SECOND_NS
from qot.hard_bound import READ_GRANULARITY_NS, relative_drift_ppb

LEAST_HANDOVER_NS = 100_000
"""A demand that is tighter than twice this does not narrow the field of candidates further:
fail-over then exceeds the demand for a while, which is seen, instead of being impossible."""

_ERA = 1 << 32

DEFAULT_ACCURACY_NS = SECOND_NS
"""What a node demands that demands nothing (Quartz's default)."""
DEFAULT_RESOLUTION_NS = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """What the reference and its followers agree on, in ns of each one's own clock.

    lease_ns: how long a reference may answer, from sending its last granted renewal.
    silence_ns: how long a follower waits before it takes its reference for gone; longer than
    the lease. handover_ns: the largest bound with which a node may become the reference, and what
    a follower widens by.
    """

    lease_ns: int
    silence_ns: int
    handover_ns: int

    def __post_init__(self) -> None:
        if not 0 < self.lease_ns < self.silence_ns:
            raise ValueError(
                f"lease {self.lease_ns} ns, silence {self.silence_ns} ns: a lease must be more "
                "than 0 and shorter than what followers wait"
            )
        if self.handover_ns < 0:
            raise ValueError(f"handover_ns is {self.handover_ns}: it must be 0 or more")

    @property
    def vacancy_ns(self) -> int:
        """How long a seat stays unrenewed before another node may have it."""
        return self.lease_ns + self.silence_ns


def certain_ns(duration_ns: int, own_ppb: int, other_ppb: int) -> int:
    """What the own clock must count for ``duration_ns`` to have passed on another one, certainly.

    Each keeps its drift limit. A few ns more, for what readings as integers leave out.
    """
    drift_ppb = relative_drift_ppb(other_ppb, own_ppb)
    return duration_ns - (-duration_ns * drift_ppb // SECOND_NS) + READ_GRANULARITY_NS


def possible_handovers(silent_ns: int, terms: Terms) -> int:
    """How many new references there may have been since the last word of the known one.

    silent_ns: since then, by the follower's own clock. The first is possible when silence_ns is
    over, each other after its predecessor has had and lost a lease.
    """
    if silent_ns < terms.silence_ns:
        return 0
    return 1 + (silent_ns - terms.silence_ns) // terms.vacancy_ns


def widened_by(silent_ns: int, terms: Terms) -> int:
    """How much a follower adds to both sides of its interval, in ns: the hand-over rule.

    A follower that has not heard its reference for longer than the lease (for silence_ns) widens
    its interval by handover_ns once, so that whatever candidate takes over is inside; and once more
    for each further change that it may have missed. Growth by drift goes on beside it, unchanged.
    When the follower hears the epoch that it knows, nothing has changed hands and the widening
    goes; when it hears a newer one, it stays under the exchanges with the new reference.
    """
    return possible_handovers(silent_ns, terms) * terms.handover_ns


def next_era(epoch: int) -> int:
    """The epoch after nobody is left who knew the timeline's time: it begins anew."""
    return (epoch // _ERA + 1) * _ERA


def same_era(epoch: int, other: int) -> bool:
    """Whether the time went on from the one to the other."""
    return epoch // _ERA == other // _ERA


def handover_for(accuracies_ns: list[int]) -> int:
    """The largest bound that a candidate may have, from what nodes demand.

    Half of the tightest demand: a follower's own bound needs the other half.
    """
    return max(LEAST_HANDOVER_NS, min(accuracies_ns, default=DEFAULT_ACCURACY_NS) // 2)


@dataclass(frozen=True, slots=True)
class Held:
    """The reference's own view of its lease, on its own clock.

    sent_ns: when it *sent* the claim or renewal that was granted. Use a clock that goes on while
    the machine sleeps (CLOCK_BOOTTIME), or a resumed machine believes in a lease that has gone.
    """

    epoch: int
    sent_ns: int
    lease_ns: int

    def may_serve(self, now_ns: int) -> bool:
        """Whether it may still answer as the reference."""
        return now_ns < self.sent_ns + self.lease_ns


class Fence:
    """Refuses whatever an older epoch says. Not thread-safe."""

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch

    def admit(self, epoch: int) -> bool:
        """Whether to believe it; a newer epoch shuts the older ones out from now on."""
        if epoch < self.epoch:
            return False
        self.epoch = epoch
        return True


DEFAULT_TERMS = Terms(
    lease_ns=800_000_000,
    silence_ns=1_000_000_000,
    handover_ns=handover_for([]),
)
"""A fail-over takes 1.8 s. Renew every third of a lease."""

DEFAULT_DRIFT_PPB = DEFAULT_MAX_DRIFT_PPB
