"""The native reader gives what pure Python gives, leaves hard cases to it, and can be missing."""

from __future__ import annotations

import gc
import importlib.machinery
import importlib.util
import shutil
import struct
import subprocess
import sys
import sysconfig
from bisect import bisect, bisect_left
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qot.native
from qot.clock import ClockModel
from qot.errors import PageNeverWrittenError, PageTornError
from qot.instant import Instant, Status
from qot.page import PageReader, PageWriter
from qot.params import ClockParams
from qot.timeline import TimelineReader

QOT = Path(qot.native.__file__).parent
FAR = 10**18


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """qot/_native.c, built here: what is installed may be older, or nothing."""
    python = Path(sysconfig.get_path("include"))
    if shutil.which("cc") is None or not (python / "Python.h").exists():
        pytest.skip("there is no C compiler, or Python's headers are not installed")
    made = tmp_path_factory.mktemp("native") / "_native.so"
    command = ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers"]
    command += ["-Werror", "-shared", "-fPIC", f"-I{python}", f"-I{QOT / 'include'}"]
    subprocess.run([*command, str(QOT / "_native.c"), "-o", str(made)], check=True)
    loader = importlib.machinery.ExtensionFileLoader("qot._native", str(made))
    spec = importlib.util.spec_from_loader("qot._native", loader)
    assert spec is not None
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded


@pytest.fixture
def native(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qot.native, "_native", module)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageWriter]:
    writer = PageWriter(tmp_path / "clock.page", "wall")
    yield writer
    writer.close()


STATUSES = st.sampled_from(list(Status))
PARAMS = st.builds(
    ClockParams,
    status=STATUSES,
    as_of_ns=st.integers(0, 2**55),
    timeline_ns=st.integers(-(2**61), 2**61),
    rate_ppb=st.integers(-400_000_000, 400_000_000),
    early_ns=st.integers(0, 2**60),
    late_ns=st.integers(0, 2**60),
    early_growth_ppb=st.integers(0, 400_000_000),
    late_growth_ppb=st.integers(0, 10**9),
    fresh_until_ns=st.sampled_from([0, FAR]),
    void_after_ns=st.sampled_from([0, FAR]),
)
MODELS = st.none() | st.builds(
    ClockModel,
    epoch_ns=st.integers(0, 10**13),
    offset_ns=st.integers(-(10**16), 10**16),
    drift_ppb=st.integers(-50_000, 50_000),
    wander_ppb=st.integers(0, 10_000),
    seed=st.integers(0, 2**64 - 1),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(params=PARAMS, model=MODELS)
def test_the_same_numbers(
    native: None, tmp_path: Path, params: ClockParams, model: ClockModel | None
) -> None:
    path = tmp_path / "clock.page"
    writer = PageWriter(path, "wall", model)
    writer.write(params)
    with TimelineReader(path) as quick:
        *interval, monotonic = quick.stamp()
        core = quick.clock.from_monotonic_ns(monotonic)
        assert tuple(interval) == params.interval_at(core)
        before, now, after = quick.stamp(), quick.now(), quick.stamp()
        assert before[0] <= now.estimate_ns <= after[0]
        assert type(now) is Instant

        def shown(moment: int) -> int:
            return params.estimate_at(quick.clock.from_monotonic_ns(moment))

        # Of the moments that show the estimate of now(), one has its bounds and its status.
        moments = range(before[3], after[3] + 1)
        first, last = (cut(moments, now.estimate_ns, key=shown) for cut in (bisect_left, bisect))
        cores = map(quick.clock.from_monotonic_ns, moments[first:last])
        assert now in map(params.instant_at, cores)
    writer.close()


def test_it_is_an_instant_like_any_other(native: None, own_page: Any) -> None:
    own_page.write(5, error_ns=7)
    with TimelineReader(own_page.writer.path, "wall") as reader:
        now = reader.now()
    assert now == Instant(now.estimate_ns, now.estimate_ns - 7, now.estimate_ns + 7, now.status)
    assert hash(now) == hash(Instant(*(getattr(now, name) for name in Instant.__slots__)))
    assert now.status is Status.SYNCHRONIZED
    with pytest.raises(FrozenInstanceError):
        now.estimate_ns = 1  # type: ignore[misc]
    assert repr(now).startswith("Instant(estimate_ns=")


def test_what_was_kept_never_changes(native: None, own_page: Any) -> None:
    with TimelineReader(own_page.writer.path, "wall") as reader:
        kept, copies = [], []
        for number in range(3000):
            instant = reader.now()
            if number % 3:
                kept.append(instant)
                copies.append(replace(instant))
            del instant
    assert kept == copies
    assert len({id(instant) for instant in kept}) == len(kept)
    assert all(a.estimate_ns < b.estimate_ns for a, b in pairwise(kept))


def test_new_parameters_are_seen(native: None, own_page: Any) -> None:
    own_page.write(0)
    with TimelineReader(own_page.writer.path) as reader:
        own_page.write(10**15)
        assert reader.now().estimate_ns >= 10**15
        assert reader.stamp()[0] >= 10**15


def test_errors_are_those_of_python(native: None, page: PageWriter) -> None:
    with TimelineReader(page.path) as reader:
        for read in (reader.now, reader.stamp):
            with pytest.raises(PageNeverWrittenError):
                read()
        page.write(ClockParams(Status.SYNCHRONIZED, 0, 0))
        with page.path.open("r+b") as file:
            file.seek(16)
            file.write(struct.pack("<Q", 1))
        with pytest.raises(PageTornError):
            reader.now()


def test_a_time_out_of_its_range_is_left_to_python(native: None, page: PageWriter) -> None:
    page.write(ClockParams(Status.SYNCHRONIZED, 2**60, 0, early_ns=5, late_ns=5))
    with TimelineReader(page.path) as quick, TimelineReader(page.path, native=False) as slow:
        first, now, last = slow.now(), quick.now(), slow.now()
        assert first.estimate_ns <= now.estimate_ns <= last.estimate_ns
        estimate, earliest, _, monotonic = quick.stamp()
        assert (estimate - monotonic, estimate - earliest) == (-(2**60), 5)


def test_closing(native: None, own_page: Any) -> None:
    reader = TimelineReader(own_page.writer.path)
    reader.now()
    reader.close()
    with pytest.raises(ValueError, match="released"):
        reader.now()


def test_nothing_leaks(native: None, own_page: Any) -> None:
    with TimelineReader(own_page.writer.path) as reader:
        for _ in range(1000):
            reader.now()
            reader.stamp()
        gc.collect()
        blocks = sys.getallocatedblocks()
        for _ in range(20_000):
            reader.now()
            reader.stamp()
        gc.collect()
        assert sys.getallocatedblocks() - blocks < 1000


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"page": b"x" * 20}, ValueError),
        ({"statuses": ()}, ValueError),
        ({"instant": int}, AttributeError),
        ({"instant": type("Loose", (), dict.fromkeys(Instant.__slots__))}, TypeError),
    ],
    ids=str,
)
def test_what_it_can_not_work_with(
    module: ModuleType, page: PageWriter, change: dict[str, Any], error: type[Exception]
) -> None:
    reader = PageReader(page.path)
    good = {
        "page": reader.mapping,
        "instant": Instant,
        "statuses": tuple(Status),
        "now": reader.now,
        "stamp": reader.stamp,
    }
    with pytest.raises(error):
        module.Reader(**(good | change))
    reader.close()


def test_without_it_pure_python_reads(own_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qot.native, "_native", None)
    own_page.write(3, error_ns=4)
    with TimelineReader(own_page.writer.path) as reader:
        assert reader._native is None
        now = reader.now()
        assert (now.early_ns, now.late_ns) == (4, 4)
        assert reader.stamp()[0] >= now.estimate_ns


def test_an_extension_of_another_release_is_refused() -> None:
    code = (
        "import sys, types, qot\n"
        "fake = types.ModuleType('qot._native')\n"
        "fake.PAGE_VERSION = 1\n"
        "sys.modules['qot._native'] = qot._native = fake\n"
        "import qot.native\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "install this checkout again" in done.stderr
