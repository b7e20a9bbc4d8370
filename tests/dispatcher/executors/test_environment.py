"""The variables that Jupiter's tasks read."""

from __future__ import annotations

from dispatcher.executors.environment import task_environment


def test_lists_are_joined_by_colons_in_the_order_given():
    variables = task_environment(
        task="stitch",
        node="node2",
        home_address="10.0.0.1",
        own_address="10.0.0.3",
        addresses={"node1": "10.0.0.2", "node2": "10.0.0.3"},
        children={"car": "10.0.0.2", "home": "10.0.0.1"},
        broadcast=True,
        files_per_call=2,
        tasks={"stitch": "10.0.0.3", "car": "10.0.0.2"},
    )
    assert variables == {
        "TASK": "stitch",
        "NODE_NAME": "node2",
        "HOME_NODE": "10.0.0.1",
        "OWN_IP": "10.0.0.3",
        "ALL_NODES": "node1:node2",
        "ALL_NODES_IPS": "10.0.0.2:10.0.0.3",
        "FLAG": "true",
        "INPUTNUM": "2",
        "CHILD_NODES": "car:home",
        "CHILD_NODES_IPS": "10.0.0.2:10.0.0.1",
        "MY_TASK_NAME": "stitch",
        "CIRCE_HOME_IP": "10.0.0.1",
        "CIRCE_TASK_TO_IP": "stitch:10.0.0.3 car:10.0.0.2",
        "CIRCE_NONDAG_TASK_TO_IP": "",
    }


def test_a_scattering_task_without_a_stated_number_of_inputs():
    variables = task_environment(
        task="a",
        node="n",
        home_address="h",
        own_address="o",
        addresses={},
        children={},
        broadcast=False,
        files_per_call=None,
    )
    assert (variables["FLAG"], variables["INPUTNUM"]) == ("false", "1")
    assert variables["ALL_NODES"] == ""
