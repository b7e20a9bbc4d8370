"""Cycles are found if and only if there are any, and no walk is too deep."""

from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from jupiter.app_checks.graph import find_cycles

graphs = st.integers(1, 8).flatmap(
    lambda size: st.lists(
        st.sets(st.integers(0, size - 1)).map(lambda found: tuple(map(str, sorted(found)))),
        min_size=size,
        max_size=size,
    )
)


@given(graphs)
def test_agrees_with_networkx_and_names_real_cycles(children):
    edges = {str(name): others for name, others in enumerate(children)}
    found = find_cycles(edges)
    graph = nx.DiGraph([(name, child) for name in edges for child in edges[name]])
    assert bool(found) != nx.is_directed_acyclic_graph(graph)
    for cycle in found:
        for name, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert after in edges[name]


def test_long_chains_are_no_problem():
    edges = {str(number): (str(number + 1),) for number in range(20_000)}
    assert find_cycles(edges) == []
    assert len(find_cycles(edges | {"20000": ("0",)})[0]) == 20_001
