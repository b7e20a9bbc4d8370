"""Figures for people never have an exponent; advice that is rounded up can be written as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.units import (
    duration_at_least,
    format_duration,
    format_number,
    format_rate,
    format_size,
    parse_duration_ns,
)


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


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (format_number(999.6), "1000"),
        (format_number(999.4), "999"),
        (format_number(2430.7), "2431"),
        (format_number(0.0000123), "0.0000123"),
        (format_number(0), "0"),
        (format_duration(999_600), "1 ms"),
        (format_duration(999_400), "999 µs"),
        (format_duration(999_600_000_000), "1000 s"),
        (format_duration(0), "0 ns"),
        (format_size(1023.9), "1 KiB"),
        (format_size(1023), "1023 B"),
        (format_rate(999_700), "1 Mbit/s"),
        (format_rate(0.5), "0.5 bit/s"),
    ],
)
def test_figures_carry_to_the_next_unit(text, wanted):
    assert text == wanted


@given(st.floats(0, 1e30) | st.integers(0, 10**18))
def test_figures_have_no_exponent(value):
    for text in (format_number(value), *(f(value) for f in (format_duration, format_size))):
        assert set(text.split(" ")[0]) <= set("0123456789.")
