"""Both calendars against the plainest model: an array of free millicores per ns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.node_calendar import NodeCalendar
from scheduler.period_calendar import PeriodCalendar

HORIZON = 200
requests = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 3)), max_size=12
)


@given(requests)
def test_node_calendar_finds_the_first_fit(asked):
    calendar, free = NodeCalendar(3), [3] * HORIZON
    for ready, duration, demand in asked:
        start = calendar.earliest_ns(ready, duration, demand)
        expected = next(
            s for s in range(ready, HORIZON) if min(free[s : s + duration], default=9) >= demand
        )
        assert start == expected
        calendar.reserve(start, duration, demand)
        for at in range(start, start + duration):
            free[at] -= demand


def test_node_calendar_refuses_what_is_taken():
    calendar = NodeCalendar(1000)
    calendar.reserve(5, 5, 1000)
    with pytest.raises(ValueError, match="not free from 8 ns"):
        calendar.reserve(8, 5, 1)
    assert calendar.horizon_ns == 10


@given(st.integers(5, 30), requests)
def test_period_calendar_finds_the_first_fit_on_the_circle(period, asked):
    calendar, free = PeriodCalendar(period, 3), [3] * period
    for ready, wanted, demand in asked:
        duration = min(wanted, period)

        def fits(at, duration=duration, demand=demand):
            return all(free[(at + i) % period] >= demand for i in range(duration))

        start = calendar.earliest_ns(ready, duration, demand)
        assert start == next((s for s in range(ready, ready + period) if fits(s)), None)
        snug = calendar.snug_ns(ready, duration, demand)
        assert (snug is None) == (start is None)
        if start is not None:
            assert fits(snug)
            assert snug >= start
            assert calendar.fits(start, duration, demand)
            calendar.reserve(start, duration, demand)
            for i in range(duration):
                free[(start + i) % period] -= demand


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 9)), min_size=1, max_size=12))
def test_snug_places_fill_a_single_core_to_the_brim(asked):
    calendar = PeriodCalendar(sum(duration for _, duration in asked), 1)
    for ready, duration in asked:
        start = calendar.snug_ns(ready, duration, 1)
        assert start is not None
        calendar.reserve(start, duration, 1)
