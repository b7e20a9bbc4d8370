import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.profile import TaskProfile
from profilers.task_model import node_speeds, predict_missing, summarise


def measured(task, node, median, **fields):
    return TaskProfile(task, node, median, median * 1.5, fields or {"next": 100.0}, samples=3)


def by_key(*profiles):
    return {(profile.task, profile.node): profile for profile in profiles}


def test_summary_of_calls():
    sizes = [{"x": 10, "y": 1}, {"x": 20}, {"x": 30}]
    profile = summarise("t", "n", [30, 10, 20], sizes, 99)
    assert (profile.median_ns, profile.p95_ns, profile.samples) == (20, 30, 3)
    assert profile.output_bytes == {"x": 20, "y": 0}
    assert (profile.predicted, profile.measured_at_ns) == (False, 99)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_p95_is_a_value_that_few_exceed(durations):
    profile = summarise("t", "n", durations, [], 0)
    assert profile.p95_ns in durations
    assert profile.median_ns <= profile.p95_ns
    assert sum(duration > profile.p95_ns for duration in durations) <= 0.05 * len(durations)


@pytest.mark.parametrize("durations", [[], [-1], [1, float("nan")]])
def test_impossible_calls_are_refused(durations):
    with pytest.raises(ValueError, match=r"t on n"):
        summarise("t", "n", durations, [], 0)


@given(
    st.lists(st.floats(0.05, 1), min_size=2, max_size=5),
    st.lists(st.floats(1e3, 1e9), min_size=1, max_size=5),
)
def test_speeds_of_nodes_that_differ_only_in_speed(speeds, works):
    profiles = [
        measured(f"t{t}", f"n{n}", work / speed)
        for t, work in enumerate(works)
        for n, speed in enumerate(speeds)
    ]
    found = node_speeds(profiles)
    assert max(found.values()) == 1
    for n, speed in enumerate(speeds):
        assert found[f"n{n}"] == pytest.approx(speed / max(speeds), rel=1e-6)


def test_speeds_reach_over_shared_tasks():
    found = node_speeds(
        [
            measured("a", "n1", 10.0),
            measured("a", "n2", 20.0),
            measured("b", "n2", 30.0),
            measured("b", "n3", 60.0),
        ]
    )
    assert found == pytest.approx({"n1": 1.0, "n2": 0.5, "n3": 0.25})


def test_one_odd_task_does_not_decide():
    times = [("a", 10, 20), ("b", 7, 14), ("c", 5, 5000)]
    profiles = [measured(t, n, d) for t, *d2 in times for n, d in zip("xy", d2, strict=True)]
    assert node_speeds(profiles)["y"] == pytest.approx(0.5)


def test_nodes_without_a_common_task_are_not_compared():
    groups = [measured("a", "n1", 10.0), measured("a", "n2", 20.0), measured("b", "n9", 1.0)]
    assert node_speeds(groups) == {"n1": 1.0, "n2": pytest.approx(0.5)}
    assert node_speeds([]) == {}


def test_a_missing_profile_is_predicted_from_the_speeds():
    known = by_key(measured("a", "n1", 10.0, next=8.0), measured("b", "n2", 4.0))
    speeds = {"n1": 1.0, "n2": 0.5}
    found = predict_missing(known, ["a", "b", "c"], ["n1", "n2", "n3"], speeds)
    predicted = found["a", "n2"]
    assert (predicted.median_ns, predicted.p95_ns) == (20, 30)
    assert (predicted.predicted, predicted.samples) == (True, 0)
    assert predicted.output_bytes == {"next": 8}
    assert found["b", "n1"].median_ns == 2
    assert found["a", "n3"].median_ns == pytest.approx(10 / 0.75)
    assert found["a", "n1"] is known["a", "n1"]
    assert not any(task == "c" for task, _ in found)


def test_predictions_are_not_predicted_from():
    guess = TaskProfile("a", "n1", 1.0, 1.0, {}, predicted=True)
    found = predict_missing(by_key(guess), ["a"], ["n1", "n2"], {"n1": 1.0})
    assert set(found) == {("a", "n1")}
    assert node_speeds([guess, measured("a", "n2", 5.0)]) == {"n2": 1.0}


def test_without_speeds_all_nodes_are_alike():
    found = predict_missing(by_key(measured("a", "n1", 6.0)), ["a"], ["n2"], {})
    assert found["a", "n2"].median_ns == 6
