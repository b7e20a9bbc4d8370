"""The statistics of the network_monitoring app, one by one."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

APP = "network_monitoring"
FLOW = {"src": "a", "dst": "b", "sport": "1", "dport": "2", "proto": "6"}


@pytest.fixture
def astute(app_modules):
    return app_modules("astute_test")


def test_the_value_is_the_mean_in_units_of_its_standard_error(astute):
    changes = [1.0, 3.0] * 20
    deviation = math.sqrt(40 / 39)
    assert astute.assessment_value(changes) == pytest.approx(2 / (deviation / math.sqrt(40)))


def test_independent_flows_stay_near_a_standard_normal(astute):
    rng = random.Random(5)
    values = [
        astute.assessment_value([rng.expovariate(1) - rng.expovariate(1) for _ in range(100)])
        for _ in range(400)
    ]
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    assert abs(mean) < 0.2
    assert 0.8 < variance < 1.2


def test_one_huge_flow_is_not_seen(astute):
    rng = random.Random(6)
    changes = [rng.gauss(0, 3) for _ in range(100)]
    assert astute.assessment_value([*changes, 1e6]) == pytest.approx(1, abs=0.01)


def test_many_small_changes_together_are_seen(astute):
    rng = random.Random(7)
    changes = [rng.gauss(0, 3) for _ in range(100)]
    assert astute.assessment_value([*changes, *[5.0] * 60]) > 5


def test_too_few_flows_give_no_verdict(astute):
    assert astute.assessment_value([9.0] * (astute.MIN_FLOWS - 1)) == 0


def test_flows_that_all_change_alike_are_infinitely_unlikely(astute):
    assert astute.assessment_value([2.0] * 50) == math.inf
    assert astute.assessment_value([-2.0] * 50) == -math.inf
    assert astute.assessment_value([0.0] * 50) == 0


def test_a_flow_that_comes_or_goes_counts_with_its_whole_volume(astute):
    assert astute.volume_changes({1: 4, 2: 5}, {2: 7, 3: 6}) == {1: -4, 2: 2, 3: 6}


def test_the_value_turns_with_the_sign_and_not_with_the_unit(astute):
    @given(st.lists(st.integers(-1000, 1000), min_size=30, max_size=80), st.integers(1, 50))
    def holds(changes: list[int], unit: int) -> None:
        value = astute.assessment_value(changes)
        assert astute.assessment_value([-change for change in changes]) == -value
        assert astute.assessment_value([change * unit for change in changes]) == pytest.approx(
            value
        )

    holds()


def test_robust_scores_are_not_pulled_by_what_they_look_for(app_modules):
    scores = app_modules("simpledetector").robust_scores([10, 11, 9, 10, 12, 8, 10, 500, 600])
    assert scores[7] > 100
    assert max(abs(score) for score in scores[:7]) < 3


def test_robust_scores_of_a_constant_series_are_zero(app_modules):
    assert app_modules("simpledetector").robust_scores([0.0] * 5) == [0] * 5
    assert app_modules("simpledetector").robust_scores([7.0] * 5) == [0] * 5


def alarm(index, value, key):
    return (index, value, key)


def test_a_rise_and_the_fall_of_the_same_traffic_are_one_anomaly(app_modules):
    intervals = app_modules("astutedetector").intervals
    key, other = {"dst": "x"}, {"dst": "y"}
    found = intervals([alarm(4, 9.0, key), alarm(5, 8.0, other), alarm(7, -4.0, key)], 20)
    spans = [(item["key"], item["first_bin"], item["last_bin"]) for item in found]
    assert spans == [(key, 4, 6), (other, 5, 19)]


def test_a_fall_without_a_rise_began_before_the_window(app_modules):
    intervals = app_modules("astutedetector").intervals
    (found,) = intervals([alarm(3, -9.0, {"dst": "x"})], 20)
    assert (found["first_bin"], found["last_bin"], found["score"]) == (0, 2, 9.0)
    assert intervals([alarm(3, -4.0, {"dst": "x"})], 20) == []


def test_consecutive_bins_join_and_others_do_not(app_modules):
    report = app_modules("anomaly_report")
    found = [report.finding("k", index, {"dst": "x"}, index) for index in (5, 2, 3, 9)]
    found.append(report.finding("k", 4, {"dst": "y"}, 1))
    spans = [(f["key"]["dst"], f["first_bin"], f["last_bin"]) for f in report.join_bins(found)]
    assert spans == [("x", 2, 3), ("y", 4, 4), ("x", 5, 5), ("x", 9, 9)]


def found(kind, key, first=3, last=4, detectors=("simple",)):
    return {
        "kind": kind,
        "key": key,
        "first_bin": first,
        "last_bin": last,
        "score": 6.0,
        "detectors": list(detectors),
    }


def test_a_correlated_change_supports_what_the_simple_detector_found(app_modules):
    fuse = app_modules("fusioncenter").fuse
    change = found("correlated_change", {"dst": "x"})
    (one,) = fuse([found("volume_ddos", {"dst": "x"})], [change])
    assert (one["kind"], one["detectors"]) == ("volume_ddos", ["astute", "simple"])
    two = fuse([found("volume_ddos", {"dst": "y"})], [change])
    assert [item["kind"] for item in two] == ["volume_ddos", "flash_crowd"]


def branches(*findings):
    return [{"slice": index, "findings": list(group)} for index, group in enumerate(findings)]


def judge(app_modules, *findings):
    module = app_modules("globalfusion")
    given_branches = branches(*findings)
    verdicts = [module.verdict(g, len(given_branches)) for g in module.group(given_branches)]
    return [verdict for verdict in verdicts if verdict]


def test_what_many_flows_do_needs_a_majority(app_modules):
    crowd = found("flash_crowd", {"dst": "x"}, detectors=["astute"])
    assert judge(app_modules, [crowd], [], []) == []
    (verdict,) = judge(app_modules, [crowd], [], [crowd])
    assert verdict["branches"] == [0, 2]


def test_what_one_flow_does_needs_one_branch(app_modules):
    (verdict,) = judge(app_modules, [], [found("alpha_flow", FLOW)], [])
    assert verdict["key"] == FLOW


def test_branches_that_differ_are_outvoted(app_modules):
    crowd = found("flash_crowd", {"dst": "x"})
    ddos = found("volume_ddos", {"dst": "x"})
    assert judge(app_modules, [crowd], [ddos], [crowd])[0]["kind"] == "flash_crowd"
    assert judge(app_modules, [crowd], [ddos], [])[0]["kind"] == "volume_ddos"


def test_the_same_traffic_at_another_time_is_another_anomaly(app_modules):
    early, later = found("flash_crowd", {"dst": "x"}), found("flash_crowd", {"dst": "x"}, 10, 11)
    both = [early, later]
    assert [v["first_bin"] for v in judge(app_modules, both, both, both)] == [3, 10]


def test_every_flow_has_one_slice_and_slices_are_even(app_modules):
    slice_of = app_modules("localpro").slice_of
    sizes = [0, 0, 0]
    for port in range(3000):
        sizes[slice_of(f"10.1.0.1,192.0.2.1,{port},443,6")] += 1
    assert min(sizes) > 850
