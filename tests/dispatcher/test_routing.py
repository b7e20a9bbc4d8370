"""Which output goes to which child, by every policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.executors.base import File
from dispatcher.routing import RoutingError, route_outputs


def route(policy: str, children: list[str], *outputs: str, **options: bool) -> dict[str, list[str]]:
    """outputs are names, or name>child."""
    files = []
    for output in outputs:
        name, _, child = output.partition(">")
        files.append(File(name, b"", child=child or None))
    routed = route_outputs("t", policy, children, files, **options)
    assert [child for child, _ in routed] == children
    return {child: [file.name for file in found] for child, found in routed}


def test_broadcast_gives_all_to_all() -> None:
    assert route("broadcast", ["x", "y"], "1", "2") == {"x": ["1", "2"], "y": ["1", "2"]}


def test_scatter_gives_each_child_the_file_closed_in_its_turn() -> None:
    assert route("scatter", ["y", "x"], "1", "2") == {"y": ["1"], "x": ["2"]}


@pytest.mark.parametrize("outputs", [(), ("1",), ("1", "2", "3")])
def test_scatter_counts(outputs: tuple[str, ...]) -> None:
    with pytest.raises(RoutingError, match=f"wrote {len(outputs)} files? for its 2 children"):
        route("scatter", ["x", "y"], *outputs)


def test_by_name_goes_by_the_longest_prefix_that_fits() -> None:
    found = route("by_name", ["a", "a_b", "c"], "t_a_1", "t_a_b_1", "t_a_b_2")
    assert found == {"a": ["t_a_1"], "a_b": ["t_a_b_1", "t_a_b_2"], "c": []}


def test_by_name_refuses_a_name_that_fits_no_child() -> None:
    with pytest.raises(RoutingError, match="'t_x_1', whose name matches no child"):
        route("by_name", ["a"], "t_x_1")


def test_nothing_at_all_is_a_failure_of_a_task_with_files() -> None:
    with pytest.raises(RoutingError, match="without writing any file"):
        route("broadcast", ["x"])


@pytest.mark.parametrize("policy", ["broadcast", "scatter", "by_name"])
def test_a_streaming_stage_may_have_nothing_to_say(policy: str) -> None:
    assert route(policy, ["x", "y"], may_be_empty=True) == {"x": [], "y": []}


@pytest.mark.parametrize("policy", ["broadcast", "scatter", "by_name"])
def test_an_output_that_names_its_child_goes_there_whatever_the_policy(policy: str) -> None:
    found = route(policy, ["x", "y", "z"], "1>y", "2>x", "3>y")
    assert found == {"x": ["2"], "y": ["1", "3"], "z": []}


def test_an_output_for_a_stranger_is_refused() -> None:
    with pytest.raises(RoutingError, match="'w', which is no child"):
        route("broadcast", ["x"], "1>w")


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "\udcff", "n" * 256])
@pytest.mark.parametrize("policy", ["broadcast", "scatter"])
def test_names_that_lead_elsewhere_are_refused(policy: str, name: str) -> None:
    """Deliveries on one node never meet the checks of the wire."""
    with pytest.raises(RoutingError, match="plain file name"):
        route(policy, ["x"], name)


@given(
    children=st.lists(st.sampled_from("uvwxyz"), min_size=1, unique=True),
    policy=st.sampled_from(("broadcast", "scatter", "by_name")),
    outputs=st.lists(st.sampled_from(("1", "t_x_1", "2>x", "3>y")), max_size=5),
)
def test_every_child_is_served_or_the_call_failed(
    children: list[str], policy: str, outputs: list[str]
) -> None:
    try:
        found = route(policy, children, *outputs)
    except RoutingError:
        return
    names = {output.partition(">")[0] for output in outputs}
    assert {name for served in found.values() for name in served} == names
