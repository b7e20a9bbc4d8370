"""The figures of time-triggered stages, from clocks whose errors are known."""

from __future__ import annotations

from typing import Any

import pytest

from jupiter.errors import JupiterError
from jupiter.events import Firing
from orchestrator.report_data import read_run, truth_of
from orchestrator.report_timing import timing_figures

MS = 1_000_000


def timing(make: Any, folder: Any) -> dict[str, Any]:
    figures = timing_figures(read_run(folder, make.truth))
    assert figures is not None
    return figures


def test_errors_bounds_and_lateness(make: Any) -> None:
    make.errors = {"node1": 200, "node2": -700}
    figures = timing(make, make.good_run(5, timed=True))
    assert figures["stages"]["right"] == {
        "firings": 5,
        "inside": 5,
        "inside_share": 1.0,
        "true_error": {"p50_ns": 700, "p99_ns": 700, "max_ns": 700},
        "bound": {"p50_ns": 1000, "max_ns": 1000},
        "lateness": {"p50_ns": 300, "p99_ns": 300, "max_ns": 300},
        "verdicts": {"on_time": 5},
        "statuses": {"synchronized": 5},
    }
    total = figures["total"]
    assert total["firings"] == 10
    assert total["true_error"] == {"p50_ns": 200, "p99_ns": 700, "max_ns": 700}
    assert figures["demanded_accuracy_ns"] == MS


def test_skew_of_stages_at_one_instant(make: Any) -> None:
    """left woke 100 ns late, right 300 ns; their clocks are 900 ns apart."""
    make.errors = {"node1": 200, "node2": -700}
    (group,) = timing(make, make.good_run(4, timed=True))["co_firing"]
    assert group == {
        "tasks": ["left", "right"],
        "instants": 4,
        "inside_share": 1.0,
        "true_skew": {"p50_ns": 200, "p99_ns": 200, "max_ns": 200},
        "measured_skew": {"p50_ns": 700, "p99_ns": 700, "max_ns": 700},
        "bound": {"p50_ns": 2700, "max_ns": 2700},
    }


def test_reading_outside_its_bound_is_counted(make: Any) -> None:
    make.errors = {"node2": 1_001}
    figures = timing(make, make.good_run(4, timed=True))
    assert figures["stages"]["left"]["inside_share"] == 1.0
    assert figures["stages"]["right"]["inside_share"] == 0.0
    assert figures["total"]["inside"] == 4


def test_late_stage_does_not_count_as_skew(make: Any) -> None:
    events = make.job(0, timed=True)
    late = Firing(make.truth(3 * MS), make.stamp(5 * MS, "node2"), 0, "late", "synchronized")
    events[3] = make.call(0, "right", "node2", 5, 1, firing=late)
    folder = make.write(make.lock(timed=True), events)
    figures = timing(make, folder)
    assert figures["co_firing"] == []
    assert figures["total"]["verdicts"] == {"late": 1, "on_time": 1}


def test_from_instant_to_end(make: Any) -> None:
    make.errors = {"node1": 50}
    figures = timing(make, make.good_run(2, timed=True))
    assert figures["release_to_end"]["max_ns"] == 5_500_050


def test_without_timed_stages_there_is_none(make: Any) -> None:
    assert timing_figures(read_run(make.good_run(2), make.truth)) is None


def test_unknown_truth_leaves_its_figures_out(make: Any) -> None:
    lock = make.lock(timed=True, one_machine=False)
    figures = timing_figures(read_run(make.write(lock, make.job(0, timed=True))))
    assert figures is not None
    assert figures["total"]["inside_share"] is None
    assert figures["total"]["true_error"] is None
    assert figures["co_firing"][0]["true_skew"] is None
    assert figures["co_firing"][0]["measured_skew"] is not None


def test_truth_follows_the_reference_clock(make: Any) -> None:
    model = {"epoch_ns": 0, "offset_ns": 5 * MS, "drift_ppb": 20_000}
    truth = truth_of(make.lock(timed=True, clock_models={"home": model, "node1": {}}))
    assert truth is not None
    assert truth(1_000 * MS) == 1_005 * MS + 20_000
    real = truth_of(make.lock(timed=True))
    assert real is not None
    assert real(77) == 77
    assert truth_of(make.lock(timed=False)) is None


@pytest.mark.parametrize("models", [{}, {"home": {"nonsense": 1}}])
def test_unusable_clock_model_is_an_error(make: Any, models: dict[str, Any]) -> None:
    with pytest.raises(JupiterError, match="clock model"):
        truth_of(make.lock(timed=True, clock_models=models))
