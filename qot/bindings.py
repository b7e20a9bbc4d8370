"""Who is bound to which timeline, with which demand, and what follows from that. Pure.

``handle(event, now) -> commands``: the brain of a time service. It reads no clock and opens
nothing; :mod:`qot.service` carries out what it says. The life of a timeline::

              first Bind              first Measured               last binding gone
    (none) ──────────────▶ measuring ───────────────▶ running ──────────────────────▶ (none)
                               │ Refused, or no exchange in time: every waiting Bind is rejected
                               └───────────────────────────────────────────────────▶ (none)

A Bind of a timeline that is being measured waits, since only a measurement tells what can be met.
A *standing* timeline, the one of the service's configuration, lives without bindings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jupiter.units import duration_at_least
from qot.binding_events import (
    Accept,
    Bind,
    Binding,
    ClientGone,
    Command,
    Create,
    Demand,
    Destroy,
    Event,
    Left,
    Measured,
    Passed,
    Refusal,
    Refused,
    Reject,
    SetPace,
    Unbind,
    Update,
)
from qot.demand import Delivered, Pace, PaceLimits, best_accuracy_ns, next_pace

GLOBAL_PREFIX = "gl_"
LONGEST_NAME = 64


@dataclass(slots=True)
class _Timeline:
    limits: PaceLimits
    standing: bool = False
    bindings: dict[int, Binding] = field(default_factory=dict)
    waiting: list[tuple[int, Bind]] = field(default_factory=list)
    """(until when, who)"""
    delivered: Delivered | None = None
    pace: Pace | None = None
    accuracy_ns: int | None = None


class Bindings:
    """The bindings of one node. standing: timelines that live without bindings, with their limits.

    limits: of all others. timeout_ns: how long a Bind may wait for the first exchanges.
    """

    def __init__(
        self,
        limits: PaceLimits,
        timeout_ns: int,
        standing: Iterable[tuple[str, PaceLimits]] = (),
    ) -> None:
        self._limits = limits
        self._timeout_ns = timeout_ns
        self._timelines = {
            name: _Timeline(own_limits, standing=True) for name, own_limits in standing
        }
        self._last = 0

    @property
    def deadline_ns(self) -> int | None:
        """When to come back with Passed; None: no Bind is waiting."""
        return min(
            (until for each in self._timelines.values() for until, _ in each.waiting),
            default=None,
        )

    @property
    def names(self) -> list[str]:
        """The timelines that exist."""
        return list(self._timelines)

    def of(self, timeline: str) -> list[Binding]:
        """The bindings of a timeline, oldest first."""
        return list(self._timelines[timeline].bindings.values())

    def best_ns(self, timeline: str) -> int | None:
        """The tightest accuracy that could be held there now; None while unmeasured."""
        found = self._timelines[timeline]
        return None if found.delivered is None else best_accuracy_ns(found.delivered, found.limits)

    def pace(self, timeline: str) -> Pace | None:
        """How often it is exchanged; None before that was decided."""
        return self._timelines[timeline].pace

    def handle(self, event: Event, now_ns: int) -> list[Command]:
        """What has to be done now that this happened."""
        match event:
            case Bind():
                return self._bind(event, now_ns)
            case Update():
                return self._update(event)
            case Unbind():
                return self._unbind(event)
            case ClientGone():
                return self._client_gone(event.client)
            case Measured():
                return self._measured(event)
            case Refused():
                return self._reject_waiting(event.timeline, event.why, event.message)
            case Passed():
                return self._passed(now_ns)

    def _bind(self, event: Bind, now_ns: int) -> list[Command]:
        refused = _nonsense(event.timeline, event.demand)
        if refused is not None:
            return [Reject(event.client, event.request, *refused)]
        commands: list[Command] = []
        found = self._timelines.get(event.timeline)
        if found is None:
            found = self._timelines[event.timeline] = _Timeline(self._limits)
            commands.append(Create(event.timeline))
        if found.delivered is None:
            found.waiting.append((now_ns + self._timeout_ns, event))
            return commands
        return commands + self._admit(found, event) + self._settle(event.timeline)

    def _admit(self, found: _Timeline, event: Bind) -> list[Command]:
        """Accept a Bind, if what was measured allows it."""
        assert found.delivered is not None
        best_ns = best_accuracy_ns(found.delivered, found.limits)
        if event.demand.accuracy_ns < best_ns:
            return [_unmeetable(event, event.timeline, event.demand.accuracy_ns, best_ns)]
        self._last += 1
        binding = Binding(self._last, event.client, event.timeline, event.app, event.demand)
        found.bindings[binding.number] = binding
        return [Accept(event.client, event.request, binding, best_ns)]

    def _update(self, event: Update) -> list[Command]:
        binding = self._find(event.client, event.binding)
        if binding is None:
            return [_not_bound(event)]
        demand = Demand(
            binding.demand.accuracy_ns if event.accuracy_ns is None else event.accuracy_ns,
            binding.demand.resolution_ns if event.resolution_ns is None else event.resolution_ns,
        )
        refused = _nonsense(binding.timeline, demand)
        if refused is not None:
            return [Reject(event.client, event.request, *refused)]
        found = self._timelines[binding.timeline]
        assert found.delivered is not None
        best_ns = best_accuracy_ns(found.delivered, found.limits)
        tighter = demand.accuracy_ns < binding.demand.accuracy_ns
        if tighter and demand.accuracy_ns < best_ns:
            return [_unmeetable(event, binding.timeline, demand.accuracy_ns, best_ns)]
        binding = replace(binding, demand=demand)
        found.bindings[binding.number] = binding
        accept = Accept(event.client, event.request, binding, best_ns)
        return [accept, *self._settle(binding.timeline)]

    def _unbind(self, event: Unbind) -> list[Command]:
        binding = self._find(event.client, event.binding)
        if binding is None:
            return [_not_bound(event)]
        del self._timelines[binding.timeline].bindings[binding.number]
        return [Left(event.client, event.request), *self._settle(binding.timeline)]

    def _client_gone(self, client: int) -> list[Command]:
        commands: list[Command] = []
        for name, found in list(self._timelines.items()):
            kept = {n: each for n, each in found.bindings.items() if each.client != client}
            waiting = [each for each in found.waiting if each[1].client != client]
            if len(kept) < len(found.bindings) or len(waiting) < len(found.waiting):
                found.bindings, found.waiting = kept, waiting
                commands += self._settle(name)
        return commands

    def _measured(self, event: Measured) -> list[Command]:
        found = self._timelines.get(event.timeline)
        if found is None:
            return []
        found.delivered = event.delivered
        waiting, found.waiting = found.waiting, []
        commands: list[Command] = []
        for _, bind in waiting:
            commands += self._admit(found, bind)
        return commands + self._settle(event.timeline)

    def _passed(self, now_ns: int) -> list[Command]:
        commands: list[Command] = []
        for name, found in list(self._timelines.items()):
            late = [bind for until, bind in found.waiting if until <= now_ns]
            found.waiting = [each for each in found.waiting if each[0] > now_ns]
            for bind in late:
                message = (
                    f"the reference of timeline {name!r} did not answer within "
                    f"{duration_at_least(self._timeout_ns)}: see that its time service runs, that "
                    "UDP reaches it and that both have the same key"
                )
                commands.append(Reject(bind.client, bind.request, Refusal.SILENT, message))
            if late:
                commands += self._settle(name)
        return commands

    def _reject_waiting(self, name: str, why: Refusal, message: str) -> list[Command]:
        found = self._timelines.get(name)
        if found is None:
            return []
        waiting, found.waiting = found.waiting, []
        rejects: list[Command] = [
            Reject(bind.client, bind.request, why, message) for _, bind in waiting
        ]
        return rejects + (self._settle(name) if waiting else [])

    def _settle(self, name: str) -> list[Command]:
        """Destroy what nobody wants any more; else bring the pace into line with the demand."""
        found = self._timelines[name]
        if not found.bindings and not found.waiting and not found.standing:
            del self._timelines[name]
            return [Destroy(name)]
        if found.delivered is None:
            return []
        tightest = min((b.demand.accuracy_ns for b in found.bindings.values()), default=None)
        present = found.pace if tightest == found.accuracy_ns else None
        pace = next_pace(present, tightest, found.delivered, found.limits)
        if (pace, tightest) == (found.pace, found.accuracy_ns):
            return []
        found.pace, found.accuracy_ns = pace, tightest
        return [SetPace(name, pace, tightest)]

    def _find(self, client: int, number: int) -> Binding | None:
        """The binding, if it is this client's own."""
        for found in self._timelines.values():
            binding = found.bindings.get(number)
            if binding is not None and binding.client == client:
                return binding
        return None


def _nonsense(timeline: str, demand: Demand) -> tuple[Refusal, str] | None:
    if not timeline or len(timeline) > LONGEST_NAME or not timeline.isprintable():
        return Refusal.UNKNOWN_TIMELINE, (
            f"{timeline[:80]!r} can't be a timeline's name: use 1 to {LONGEST_NAME} printable "
            f"characters; {GLOBAL_PREFIX} at the beginning means UTC"
        )
    for what, value in (
        ("accuracy", demand.accuracy_ns),
        ("resolution", demand.resolution_ns),
    ):
        if value <= 0:
            return Refusal.DEMAND, (
                f"the {what} is {value} ns: give more than 0, for example '1ms'"
            )
    return None


def _unmeetable(event: Bind | Update, timeline: str, asked_ns: int, best_ns: int) -> Reject:
    message = (
        f"an accuracy of {duration_at_least(asked_ns)} can't be held on timeline {timeline!r}: the "
        f"best that can be had here now is {duration_at_least(best_ns)}; ask for that or more, or "
        "shorten the way to the reference"
    )
    return Reject(event.client, event.request, Refusal.UNMEETABLE, message, best_ns)


def _not_bound(event: Update | Unbind) -> Reject:
    message = f"there is no binding {event.binding} of yours: bind first"
    return Reject(event.client, event.request, Refusal.NOT_BOUND, message)
