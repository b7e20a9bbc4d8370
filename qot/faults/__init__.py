"""Faults on purpose: bad networks, bad clocks, and the scenarios that the bounds are audited in."""
