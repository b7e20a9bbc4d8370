"""The drawings: complete, reproducible, and lanes without overlap."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.app import HOME, App, Service, Task
from jupiter.run_folder import RunFolder
from jupiter.run_lock import LockedApp, LockedTask
from orchestrator.dag_picture import draw_app
from orchestrator.drawing import PALETTE, colours, text_width_points
from orchestrator.report_data import read_run
from orchestrator.timeline_load import calls_at_once, slices
from orchestrator.timeline_picture import draw_timeline, pack


def texts(svg: Path) -> list[str]:
    return [element.text or "" for element in ET.parse(svg).iter() if element.tag.endswith("text")]


def app_with(count: int) -> App:
    tasks = {f"$t_{i}": Task(f"$t_{i}", "m", (f"$t_{i + 1}",)) for i in range(count - 1)}
    last = f"$t_{count - 1}"
    tasks[last] = Task(last, "m", (HOME,))
    folder = Path("app")
    services = {"side$": Service("side$", ("x",))}
    return App("a_$b", folder, folder, folder, None, "yaml", tasks, ("$t_0",), services)


def test_dag_shows_every_name_as_it_is(tmp_path: Path) -> None:
    svg, png = draw_app(app_with(5), tmp_path / "new" / "folder")
    assert png.stat().st_size > 1000
    assert {"a_$b", "side$", HOME, *(f"$t_{i}" for i in range(5))} <= set(texts(svg))


def test_dag_is_coloured_by_node_when_placed(tmp_path: Path) -> None:
    app = app_with(3)
    svg, _ = draw_app(app, tmp_path, {"$t_0": "n1", "$t_1": "n2", "$t_2": "n1"})
    assert {"n1", "n2"} <= set(texts(svg))
    content = svg.read_text()
    assert PALETTE[0] in content
    assert PALETTE[1] in content


def test_dag_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in draw_app(app_with(4), tmp_path / "a")]
    assert [path.read_bytes() for path in draw_app(app_with(4), tmp_path / "b")] == first


def test_timeline_shows_nodes_tasks_and_jobs(make: Any) -> None:
    folder: RunFolder = make.good_run(3, timed=True)
    svg, png = draw_timeline(read_run(folder, make.truth), folder.report)
    shown = set(texts(svg))
    assert {"node1", "node2", "split", "left", "right", "join", "0", "1", "2"} <= shown
    assert png.stat().st_size > 1000


def test_timeline_of_nothing_is_no_picture(make: Any) -> None:
    folder = make.write(make.lock(), [])
    assert draw_timeline(read_run(folder), folder.report) == []


def test_timeline_of_many_bars_stays_small(make: Any) -> None:
    folder = make.good_run(250)
    svg, _ = draw_timeline(read_run(folder), folder.report)
    assert svg.stat().st_size < 1_000_000


def many_tasks(make: Any, tasks: int, jobs: int, nodes: int) -> RunFolder:
    """Every task runs 1 ms per job, task 0 twice as long, all on node1 and node2 in turn."""
    names = [f"task{index}" for index in range(tasks)]
    app = LockedApp(
        name="many",
        folder="apps/many",
        dialect="yaml",
        tasks={name: LockedTask(children=[HOME], parents=[HOME]) for name in names},
        ingress=names,
    )
    calls = [
        make.call(job, name, f"node{1 + index % 2}", job * tasks + index, 2 if index == 0 else 1)
        for job in range(jobs)
        for index, name in enumerate(names)
    ]
    lock = make.lock(
        app=app, placement={}, nodes=[HOME, *(f"node{index + 1}" for index in range(nodes))]
    )
    folder: RunFolder = make.write(lock, calls)
    return folder


def test_timeline_of_a_crowd_is_areas(make: Any) -> None:
    folder = many_tasks(make, tasks=60, jobs=80, nodes=3)
    svg, _ = draw_timeline(read_run(folder), folder.report)
    shown = texts(svg)
    assert svg.stat().st_size < 500_000
    assert {"task0", "37 tasks with less work"} <= set(shown)
    assert sum(text.startswith("task") for text in shown) == 23
    assert any("calls at once, at most 0.5" in text for text in shown)


def test_timeline_of_many_nodes_leaves_out_the_idle(make: Any) -> None:
    folder = many_tasks(make, tasks=4, jobs=2, nodes=30)
    svg, _ = draw_timeline(read_run(folder), folder.report)
    shown = texts(svg)
    assert {"node1", "node2"} <= set(shown)
    assert "node3" not in shown
    assert "many: 0 jobs on 2 nodes, 28 more had none" in shown


spans = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 30)).map(lambda s: (s[0], s[0] + s[1])),
    max_size=40,
)


@given(spans)
def test_lanes_never_overlap_and_none_is_wasted(times: list[tuple[int, int]]) -> None:
    bars = pack([None] * len(times), times)  # type: ignore[list-item]
    assert sorted((bar.start_ns, bar.end_ns) for bar in bars) == sorted(times)
    for index, first in enumerate(bars):
        for second in bars[index + 1 :]:
            if first.lane == second.lane:
                one, two = sorted((first, second), key=lambda bar: bar.start_ns)
                assert one.end_ns <= two.start_ns
                assert one.start_ns < two.start_ns
    lengthened = [(start, max(end, start + 1)) for start, end in times]
    most = max((sum(s <= t < e for s, e in lengthened) for t, _ in lengthened), default=0)
    assert max((bar.lane + 1 for bar in bars), default=0) == most


@given(spans.filter(bool))
def test_areas_hold_all_the_time_that_calls_took(times: list[tuple[int, int]]) -> None:
    edges = slices(max(end for _, end in times))
    load = calls_at_once(times, edges)
    assert (load >= -1e-9).all()
    took = float((load * (edges[1:] - edges[:-1])).sum())
    assert took == pytest.approx(sum(end - start for start, end in times))


def test_colours_differ() -> None:
    for count in (5, 20, 60):
        assert len(set(colours([str(i) for i in range(count)]).values())) == count


def test_text_width_is_enough() -> None:
    """Measured with matplotlib's own letters."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    for text in ("simpledetector0", "home", "WWW_mm", "ill-1", "edge site 12"):
        drawn = TextPath((0, 0), text, size=9, prop=FontProperties(family="DejaVu Sans"))
        width = drawn.get_extents().width
        assert width <= text_width_points(text, 9.0) <= width * 1.4 + 4
