"""The brain of a follower: exchanges in, clock parameters out. Pure; reads no clock.

It joins two things that are never mixed: the hard bound (:mod:`qot.hard_bound`), a promise, and the
estimate (:mod:`qot.offset_fit`), a best guess that is kept inside the bound.

A correction of the estimate is not a jump: the new line begins where the old one is, and its rate
leans towards the fit so as to meet it after ``slew_ns``. The rate never leaves ±drift limit, hence

* the estimate stays inside the bound however long nobody renews it, and
* readers see it rise without a step (to a nanosecond), with three exceptions, each counted by
  ``step_marker``: the first ``settling`` exchanges after a start, a restart after a contradiction
  or a new reference epoch, and a bound that no longer holds the old line.

An exchange that contradicts the others proves that a clock stepped or that one breaks its stated
drift limit. A small contradiction is taken for the latter, and then the limit in use is doubled for
good: the excess would hide in the delays again and again, and the promise be broken in between.

Where references are elected (:mod:`qot.coordination`), the reference that is known may have been
replaced by one whose clock is off by up to ``handover_ns``. Who has heard nothing for long widens
by that; and what was known under the old epoch goes on, widened, under the new one. So the bound is
continuous over a change of the reference, and the estimate does not jump.
"""

from __future__ import annotations

from dataclasses import dataclass

from qot.clock import SECOND_NS
from qot.coordination.terms import Terms, possible_handovers, same_era, widened_by
from qot.hard_bound import READ_GRANULARITY_NS, HardBound, Sample
from qot.instant import Status
from qot.offset_fit import OffsetFit
from qot.params import ClockParams
from qot.statistical import LikelyLimits, Wander, likely_limits

_ROUNDING_NS = 1
_MOST_DRIFT_PPB = 100_000_000
"""The limit in use is never doubled beyond 10 %: what drifts more is no clock."""
_EVIDENCE = 6
"""Standard deviations by which a skew must be inside the limit in use to end a disruption."""


@dataclass(frozen=True, slots=True)
class FilterConfig:
    """drift_ppb: how fast local clock and reference may part (see relative_drift_ppb).

    missed: exchanges in a row that may fail before holdover. settling: exchanges after a start
    whose corrections are taken at once. quarantine, quarantine_ns: a disruption ends after so many
    consistent exchanges over at least that time, lest a broken drift limit hides between two; the
    time doubles, up to 32-fold, with each contradiction that follows soon on the last.
    step_ppb: a contradiction by more than that, per second since the last exchange (and more than
    a period's worth), is a step; by less, a clock that drifts beyond its limit.
    """

    drift_ppb: int
    period_ns: int = 250_000_000
    missed: int = 4
    void_after_ns: int = 300 * SECOND_NS
    slew_ns: int = 500_000_000
    settling: int = 8
    quarantine: int = 8
    quarantine_ns: int = 2 * SECOND_NS
    step_ppb: int = 1_000_000
    granularity_ns: int = READ_GRANULARITY_NS


@dataclass(frozen=True, slots=True)
class Tick:
    """An exchange is due or failed: publish again with what is known."""


class ClockFilter:
    """``handle(event, now) -> parameters`` of one timeline on one node."""

    def __init__(self, config: FilterConfig) -> None:
        self.config = config
        self._bound = HardBound(config.drift_ppb, config.granularity_ns)
        self._fit = OffsetFit(config.drift_ppb)
        self._newest: HardBound | None = None
        self._newest_at_ns = 0
        self._quarantine = 0
        self._quarantined_at_ns = 0
        self._quarantine_ns = config.quarantine_ns
        self._settling = config.settling
        self._step_marker = 0
        self._params: ClockParams | None = None
        self._epoch = 0
        self._heard_ns = 0
        self._likely: LikelyLimits | None = None
        self.terms: Terms | None = None
        """Of the election, where references are elected."""
        self._wander = Wander()
        self._drifting = False
        self.drift_ppb = config.drift_ppb
        """The drift limit in use: the stated one, doubled each time it proved to be broken."""
        self.contradictions = 0
        """How often an exchange contradicted the drift limit in use."""

    def handle(self, event: Sample | Tick, now_ns: int) -> ClockParams:
        """Take in what happened; ``now_ns`` is the local core time, not before any stamp of it."""
        if isinstance(event, Sample) and event.epoch >= self._epoch:
            if event.epoch > self._epoch:
                self._follow(event.epoch)
            self.still_held(event.t1_ns)
            self._take(event)
        self._params = self._publish(now_ns)
        return self._params

    @property
    def epoch(self) -> int:
        """Of the reference whose exchanges are taken in; 0 before the first."""
        return self._epoch

    def still_held(self, core_ns: int) -> None:
        """Until this core time the reference was certainly not replaced."""
        self._heard_ns = max(self._heard_ns, core_ns)

    def bound_at(self, core_ns: int) -> int | None:
        """The hard bound in ns against the reference that is known, had it not been replaced.

        None when nothing is promised. ``core_ns`` must not be before the newest stamp taken in.
        """
        limits = None if self._quarantine or self._params is None else self._bound.at(core_ns)
        if limits is None or self._params is None:
            return None
        offset_ns = self._params.estimate_at(core_ns) - core_ns
        return max(offset_ns - limits[0], limits[1] - offset_ns) + _ROUNDING_NS

    def _follow(self, epoch: int) -> None:
        """The timeline is another reference's clock from now on."""
        before, self._epoch = self._epoch, epoch
        if self.terms is None or not before or not same_era(before, epoch) or self._quarantine:
            self._restart()
            self._quarantine = 0
            return
        self._bound.widen((epoch - before) * self.terms.handover_ns)
        self._fit.clear()
        self._wander.clear()

    def _take(self, sample: Sample) -> None:
        if not self._bound.add(sample):
            self._contradicted(sample)
            if not self._bound.add(sample):
                return  # It contradicts itself: the reference's own stamps make no sense.
        elif self._quarantine:
            self._serve(sample)
        self._fit.add(sample)
        self._settling = max(0, self._settling - 1)
        self._newest = self._empty_bound()
        self._newest.add(sample)
        self._newest_at_ns = sample.t4_ns
        line = self._fit.at(sample.t4_ns)
        if line is not None:
            self._wander.add(sample.t4_ns, line)
            self._likely = likely_limits(self._fit.samples, line, self._wander.ppb)

    def _contradicted(self, sample: Sample) -> None:
        """Believe nothing older, promise nothing for a while, and doubt the limit or a step."""
        self.contradictions += 1
        since_ns = max(sample.t4_ns - self._newest_at_ns, self.config.period_ns)
        small = self._bound.gap_ns * SECOND_NS < self.config.step_ppb * since_ns
        self._drifting = small and self._empty_bound().add(sample)
        self._restart()
        if self._drifting:
            self._widen()
        self._put_in_quarantine(sample.t4_ns)

    def _serve(self, sample: Sample) -> None:
        """One consistent exchange less until the disruption ends.

        After a drift beyond the limit it ends only when the measured skew is well inside the limit
        in use: a small excess would take long to contradict, and be wrong meanwhile.
        """
        served = sample.t4_ns - self._quarantined_at_ns >= self._quarantine_ns
        if self._quarantine > 1:
            self._quarantine -= 1
        elif served:
            line = self._fit.at(sample.t4_ns)
            if self._drifting and line is not None:
                seen_ppb = abs(self._fit.raw_skew_ppb) + _EVIDENCE * line.skew_sigma_ppb
                while seen_ppb > self.drift_ppb < _MOST_DRIFT_PPB:
                    self._widen()
                    self._bound.add(sample)
            self._quarantine = 0

    def _widen(self) -> None:
        """Double the drift limit in use. The limits kept so far were made with the old one."""
        self.drift_ppb = min(2 * self.drift_ppb, _MOST_DRIFT_PPB)
        self._bound = self._empty_bound()
        for sample in list(self._fit.samples):
            self._bound.add(sample)
        self._fit.drift_ppb = self.drift_ppb

    def _empty_bound(self) -> HardBound:
        return HardBound(self.drift_ppb, self.config.granularity_ns)

    def _put_in_quarantine(self, now_ns: int) -> None:
        """Promise nothing for a while; for longer, if that did not help lately."""
        shortest, last = self.config.quarantine_ns, self._quarantine_ns
        soon = self.contradictions > 1 and now_ns - self._quarantined_at_ns < 4 * last
        self._quarantine_ns = min(2 * last, 32 * shortest) if soon else shortest
        self._quarantine = self.config.quarantine
        self._quarantined_at_ns = now_ns

    def _restart(self) -> None:
        """Believe nothing from before."""
        self._bound.clear()
        self._fit.clear()
        self._wander.clear()
        self._newest = self._likely = None
        self._settling = self.config.settling
        self._params = None
        self._step_marker += 1

    def _publish(self, now_ns: int) -> ClockParams:
        # While disrupted the drift limit is in doubt: trust the newest exchange alone.
        bound = self._newest if self._quarantine else self._bound
        limits = None if bound is None else bound.at(now_ns)
        line = self._fit.at(now_ns)
        config = self.config
        if limits is None or line is None or self._likely is None:
            status = Status.DISRUPTED if self._quarantine else Status.UNSYNCHRONIZED
            return ClockParams(
                status,
                now_ns,
                now_ns,
                fresh_until_ns=now_ns + config.missed * config.period_ns,
                void_after_ns=now_ns + config.void_after_ns,
                epoch=self._epoch,
                step_marker=self._step_marker,
            )
        lowest, highest = limits
        widening = self._widening_ns(now_ns)
        wanted = max(lowest, min(highest, line.offset_ns))
        offset, rate = self._lean(now_ns, wanted, line.skew_ppb, lowest, highest)
        likely = self._likely.bound_at(now_ns, offset, rate, line.skew_ppb)
        return ClockParams(
            status=self._status(now_ns),
            as_of_ns=now_ns,
            timeline_ns=now_ns + offset,
            rate_ppb=rate,
            early_ns=offset - lowest + widening,
            late_ns=highest - offset + widening + _ROUNDING_NS,
            early_growth_ppb=self.drift_ppb + rate,
            late_growth_ppb=self.drift_ppb - rate,
            sigma_ns=likely.sigma_ns,
            sigma_growth_ppb=likely.sigma_growth_ppb,
            likely_early_ns=likely.likely_early_ns + widening,
            likely_late_ns=likely.likely_late_ns + widening,
            fresh_until_ns=self._fresh_until_ns,
            void_after_ns=min(self._void_after_ns, self._next_handover_ns(now_ns)),
            epoch=self._epoch,
            step_marker=self._step_marker,
        )

    def _lean(
        self, now_ns: int, wanted: int, skew_ppb: int, lowest: int, highest: int
    ) -> tuple[int, int]:
        """(offset, rate): go on from where readers are, leaning towards the wanted line."""
        limit = self.drift_ppb
        if self._params is None or not self._params.bounded:
            return wanted, skew_ppb
        offset = self._params.estimate_at(now_ns) - now_ns
        if self._settling:
            self._step_marker += offset != wanted
            return wanted, skew_ppb
        if not lowest <= offset <= highest:
            self._step_marker += 1
            offset = max(lowest, min(highest, offset))
        rate = skew_ppb + (wanted - offset) * SECOND_NS // self.config.slew_ns
        return offset, max(-limit, min(limit, rate))

    def _status(self, now_ns: int) -> Status:
        if now_ns > self._void_after_ns:
            return Status.UNSYNCHRONIZED
        if self._quarantine:
            return Status.DISRUPTED
        return Status.HOLDOVER if now_ns > self._fresh_until_ns else Status.SYNCHRONIZED

    def _widening_ns(self, now_ns: int) -> int:
        """For the references that may have come since the known one was last heard of."""
        return 0 if self.terms is None else widened_by(now_ns - self._heard_ns, self.terms)

    def _next_handover_ns(self, now_ns: int) -> int:
        """When the widening grows next: what nobody renews until then promises nothing."""
        if self.terms is None:
            return self._void_after_ns
        terms = self.terms
        steps = possible_handovers(now_ns - self._heard_ns, terms)
        return self._heard_ns + terms.silence_ns + steps * terms.vacancy_ns - 1

    @property
    def _fresh_until_ns(self) -> int:
        """One period of grace beyond the allowed misses covers the jitter of the exchange."""
        return self._newest_at_ns + (self.config.missed + 1) * self.config.period_ns

    @property
    def _void_after_ns(self) -> int:
        return self._newest_at_ns + self.config.void_after_ns


def reference_params(now_ns: int, epoch: int, period_ns: int, missed: int = 4) -> ClockParams:
    """What the reference itself publishes: the timeline *is* its core clock, without error.

    Renewed every period, so that readers notice when its service is gone.
    """
    return ClockParams(
        status=Status.SYNCHRONIZED,
        as_of_ns=now_ns,
        timeline_ns=now_ns,
        early_ns=0,
        late_ns=0,
        sigma_ns=0,
        fresh_until_ns=now_ns + (missed + 1) * period_ns,
        void_after_ns=now_ns + 300 * SECOND_NS,
        epoch=epoch,
    )
