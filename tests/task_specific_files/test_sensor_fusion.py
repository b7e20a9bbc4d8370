"""The sensor_fusion app: what skew does to a position, and what the app says about it."""

from __future__ import annotations

import json
import math
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

APP = "sensor_fusion"
MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


def instant(estimate_ns, early_ns=100_000, late_ns=100_000, status="synchronized"):
    return {
        "planned_ns": estimate_ns,
        "estimate_ns": estimate_ns,
        "earliest_ns": estimate_ns - early_ns,
        "latest_ns": estimate_ns + late_ns,
        "status": status,
    }


@pytest.fixture
def fuse_at(app_modules):
    """Runs one job: each sensor fires at its own instant; returns what home gets."""

    def stage(module, task, args=(), firing=None):
        context = SimpleNamespace(task=task, node="n", args=args, children=(), firing=firing)
        return app_modules(module).Stage(context)

    def run(left, right, imu, fused=None, job="job0"):
        samples = {
            "camera_left": stage("camera", "camera_left", ("left",), left).process(job, {}),
            "camera_right": stage("camera", "camera_right", ("right",), right).process(job, {}),
            "imu": stage("imu", "imu", (), imu).process(job, {}),
        }
        aligned = stage("align", "align").process(job, samples)
        firing = fused or instant(max(i["estimate_ns"] for i in (left, right, imu)) + 20 * MS)
        ((name, data),) = stage("fuse", "fuse", (), firing).process(job, {"align": aligned})
        assert name == "position.json"
        return json.loads(data)

    return run


def mean_errors(fuse_at, scene, skew_ns):
    """Mean position errors (with, without making up for the skew) over one path of the target."""
    corrected = naive = 0.0
    count = 120
    for k in range(count):
        t_ns = START_NS + k * 100 * MS
        result = fuse_at(instant(t_ns), instant(t_ns + skew_ns), instant(t_ns))
        truth = scene.position_at(result["reference_ns"])
        corrected += math.dist(result["position_m"], truth) / count
        naive += math.dist(result["position_if_simultaneous_m"], truth) / count
    return corrected, naive


def test_without_skew_the_position_is_as_good_as_the_pixels(fuse_at, app_modules):
    corrected, naive = mean_errors(fuse_at, app_modules("scene"), 0)
    assert corrected == naive
    assert corrected < 0.05


def test_the_error_grows_with_skew_unless_it_is_known_and_made_up_for(fuse_at, app_modules):
    scene = app_modules("scene")
    errors = [mean_errors(fuse_at, scene, skew * MS) for skew in (0, 1, 2, 5, 10, 20)]
    naive = [error for _, error in errors]
    assert naive == sorted(naive)
    assert naive[-1] > 10 * naive[0]
    assert naive[-1] == pytest.approx(2 * naive[-2], rel=0.15)
    assert all(corrected < 0.06 for corrected, _ in errors)


def test_skew_and_bound_are_told_with_the_instants(fuse_at):
    t_ns = START_NS
    left = instant(t_ns, early_ns=10, late_ns=300)
    right = instant(t_ns + 700, early_ns=200, late_ns=50)
    imu = instant(t_ns + 200, early_ns=40, late_ns=40)
    result = fuse_at(left, right, imu)
    assert (result["skew_ns"], result["skew_bound_ns"]) == (700, 500)
    assert result["reference_ns"] == t_ns + 300
    assert result["instants"] == {"camera_left": left, "camera_right": right, "imu": imu}
    assert result["synchronized"] is True
    assert result["job"] == "job0"


def test_a_sensor_that_is_not_synchronized_shows(fuse_at):
    lost = instant(START_NS, status="holdover")
    assert fuse_at(instant(START_NS), lost, instant(START_NS))["synchronized"] is False


def test_the_bound_holds_for_every_truth_inside_the_intervals(app_modules):
    instants = app_modules("instants")
    width = st.integers(0, 10**6)
    sample = st.tuples(st.integers(0, 10**9), width, width, st.floats(0, 1))

    @given(st.lists(sample, min_size=1, max_size=5))
    def holds(samples):
        stamped = [instant(estimate, early, late) for estimate, early, late, _ in samples]
        truth = [
            stamp["earliest_ns"] + round(share * (early + late))
            for stamp, (_, early, late, share) in zip(stamped, samples, strict=True)
        ]
        true_skew = max(truth) - min(truth)
        error = abs(true_skew - instants.skew_ns(stamped))
        assert error <= instants.skew_bound_ns(stamped)

    holds()


def test_equal_instants_give_equal_results(fuse_at):
    stamps = [instant(START_NS), instant(START_NS + 5), instant(START_NS + 9)]
    assert fuse_at(*stamps) == fuse_at(*stamps)


def test_a_firing_may_be_an_object_or_a_mapping(app_modules):
    instant_of = app_modules("instants").instant_of
    assert instant_of(SimpleNamespace(**instant(5))) == instant_of(instant(5)) == instant(5)


def test_a_sensor_without_an_instant_refuses_to_sample(fuse_at):
    with pytest.raises(RuntimeError, match="trigger: time"):
        fuse_at(None, instant(START_NS), instant(START_NS), fused=instant(START_NS))


def test_an_unknown_camera_is_refused_at_start(app_modules):
    with pytest.raises(ValueError, match="no camera 'top'"):
        app_modules("camera").Stage(SimpleNamespace(args=("top",)))


def test_velocity_is_the_slope_of_the_path(app_modules):
    scene = app_modules("scene")
    for k in range(50):
        t_ns = START_NS + k * 77 * MS
        before, after = scene.position_at(t_ns - 1000), scene.position_at(t_ns + 1000)
        slope = [(b - a) / 2e-6 for a, b in zip(before, after, strict=True)]
        assert slope == pytest.approx(scene.velocity_at(t_ns), abs=0.01)


def test_rays_to_a_point_meet_in_it(app_modules):
    scene, triangulate = app_modules("scene"), app_modules("triangulate")
    for k in range(20):
        point = scene.position_at(k * 321 * MS)
        rays = [scene.ray(name, scene.project(name, point)) for name in scene.CAMERAS]
        assert triangulate.nearest_point(list(scene.CAMERAS.values()), rays) == pytest.approx(point)


def test_parallel_rays_are_refused(app_modules):
    with pytest.raises(ValueError, match="parallel"):
        app_modules("triangulate").nearest_point([(0, 0, 0), (1, 0, 0)], [(0, 0, 1), (0, 0, 1)])


@pytest.fixture
def outputs(fuse_at, tmp_path):
    """Twenty jobs with 1 ms of skew, as a run leaves them."""
    for k in range(20):
        t_ns = START_NS + k * 100 * MS
        job = tmp_path / "outputs" / f"job{k}"
        job.mkdir(parents=True)
        result = fuse_at(instant(t_ns), instant(t_ns + MS), instant(t_ns))
        (job / "position.json").write_text(json.dumps(result), encoding="utf-8")
    return tmp_path / "outputs"


def summarise(app_modules, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["summarise_outputs.py", *map(str, arguments)])
    code = app_modules("summarise_outputs").main()
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_summary_tells_skew_against_bound(outputs, app_modules, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    code, told, _ = summarise(app_modules, monkeypatch, capsys, outputs, "--json")
    summary = json.loads(told)
    assert code == 0
    assert summary["jobs"] == summary["synchronized"] == 20
    assert set(summary["skew_ns"].values()) == {MS}
    assert set(summary["skew_bound_ns"].values()) == {200_000}
    assert summary["error_m"]["p50"] < summary["error_if_simultaneous_m"]["max"]
    code, told, _ = summarise(app_modules, monkeypatch, capsys, outputs)
    assert code == 0
    assert "sampling skew" in told
    assert "1.000 ms" in told


def test_the_summary_says_what_it_can_not_read(outputs, app_modules, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    next(outputs.glob("job3/*")).write_bytes(b"{}")
    code, _, told = summarise(app_modules, monkeypatch, capsys, outputs)
    assert code == 1
    assert "job3" in told
    code, _, told = summarise(app_modules, monkeypatch, capsys, outputs / "job3")
    assert code == 2
    assert "no outputs there" in told
