"""Durations: advice that is rounded up can be written into a file as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.units import duration_at_least, parse_duration_ns


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0ns"),
        (1, "1ns"),
        (999, "999ns"),
        (1_654, "1.66us"),
        (69_523_746, "69.6ms"),
        (69_600_000, "69.6ms"),
        (999_900_000, "1s"),
        (3_600_000_000_001, "3610s"),
    ],
)
def test_rounded_up_to_three_digits(duration_ns, text):
    assert duration_at_least(duration_ns) == text


@given(st.integers(0, 10**15))
def test_advice_is_enough_and_little_more(duration_ns):
    advised = parse_duration_ns(duration_at_least(duration_ns))
    assert duration_ns <= advised <= duration_ns * 1.01
