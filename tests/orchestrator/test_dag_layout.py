"""What must hold for every drawing of a DAG."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.dag_layout import Layout, Spacing, layered_layout, layers

Graph = tuple[dict[str, float], list[tuple[str, str]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 25))
    names = [f"t{index}" for index in range(count)]
    widths = {name: draw(st.floats(20, 200)) for name in names}
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    drawn = draw(st.lists(pairs, max_size=60))
    edges = [(names[min(pair)], names[max(pair)]) for pair in drawn if pair[0] != pair[1]]
    order = draw(st.permutations(names))
    return {name: widths[name] for name in order}, edges


@settings(max_examples=60)
@given(graphs())
def test_edges_go_right_and_boxes_keep_apart(graph: Graph) -> None:
    widths, edges = graph
    spacing = Spacing()
    layout = layered_layout(widths, edges, spacing)
    assert list(layout.boxes) == list(widths)
    for source, target in edges:
        left, right = layout.boxes[source], layout.boxes[target]
        assert left.x + left.width / 2 < right.x - right.width / 2
        _check_path(layout, (source, target))
    boxes = list(layout.boxes.values())
    for index, first in enumerate(boxes):
        assert first.x - first.width / 2 >= -1e-6
        assert first.y - first.height / 2 >= -1e-6
        assert first.x + first.width / 2 <= layout.width + 1e-6
        assert first.y + first.height / 2 <= layout.height + 1e-6
        for second in boxes[index + 1 :]:
            beside = abs(first.x - second.x) >= (first.width + second.width) / 2
            above = abs(first.y - second.y) >= spacing.box_height + spacing.between_boxes - 1e-6
            assert beside or above


def _check_path(layout: Layout, edge: tuple[str, str]) -> None:
    """Waypoints go right, one for each layer passed, and never through a box."""
    left, right = layout.boxes[edge[0]], layout.boxes[edge[1]]
    waypoints = layout.edges[edge]
    assert len(waypoints) == right.layer - left.layer - 1
    x = left.x + left.width / 2
    for begin, end, y in waypoints:
        assert x < begin <= end
        x = end
        for box in layout.boxes.values():
            if begin <= box.x <= end:
                assert abs(box.y - y) >= box.height / 2
    assert x < right.x - right.width / 2


def test_layers_are_longest_paths_and_sources_sit_by_their_children() -> None:
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("late", "c")]
    assert layers(["a", "b", "c", "late"], edges) == {"a": 0, "b": 1, "c": 2, "late": 1}


def test_cycle_and_unknown_box_are_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        layers(["a", "b"], [("a", "b"), ("b", "a")])
    with pytest.raises(ValueError, match="does not exist"):
        layers(["a"], [("a", "b")])


def test_planar_graph_has_no_crossing() -> None:
    """Two ladders, given in an order that crosses."""
    edges = [("r", "a2"), ("r", "a1"), ("a1", "b1"), ("a2", "b2"), ("b2", "s"), ("b1", "s")]
    names = ["r", "a1", "a2", "b2", "b1", "s"]
    boxes = layered_layout(dict.fromkeys(names, 50.0), edges).boxes
    assert (boxes["a1"].y < boxes["a2"].y) == (boxes["b1"].y < boxes["b2"].y)


def test_chain_is_straight() -> None:
    names = [f"t{index}" for index in range(1200)]
    edges = list(pairwise(names))
    layout = layered_layout(dict.fromkeys(names, 30.0), edges)
    assert len({round(box.y, 6) for box in layout.boxes.values()}) == 1


def test_empty_graph() -> None:
    assert layered_layout({}, []).boxes == {}
