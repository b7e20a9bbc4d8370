"""The environment variables that Jupiter's tasks may read, of every generation."""

from __future__ import annotations

from collections.abc import Mapping


def task_environment(
    *,
    task: str,
    node: str,
    home_address: str,
    own_address: str,
    addresses: Mapping[str, str],
    children: Mapping[str, str],
    broadcast: bool,
    files_per_call: int | None,
    services: Mapping[str, str] | None = None,
    tasks: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Jupiter's variables for one task on one node.

    addresses: node → address, home left out, in the order of nodes.txt. children: the task's
    children in config order ("home" included) → address of the node they are on. tasks and
    services: every task, every service → address, for v5's variables. Lists are joined by ':' as in
    Jupiter, so an IPv6 address can't be told from a list; give IPv4 addresses or host names.
    HOME_NODE is home's address, as Jupiter's own pods had it, not its name.
    """
    return {
        "TASK": task,
        "NODE_NAME": node,
        "HOME_NODE": home_address,
        "OWN_IP": own_address,
        "ALL_NODES": ":".join(addresses),
        "ALL_NODES_IPS": ":".join(addresses.values()),
        "FLAG": "true" if broadcast else "false",
        "INPUTNUM": str(files_per_call or 1),
        "CHILD_NODES": ":".join(children),
        "CHILD_NODES_IPS": ":".join(children.values()),
        # v5's names for the same things.
        "MY_TASK_NAME": task,
        "CIRCE_HOME_IP": home_address,
        "CIRCE_TASK_TO_IP": _pairs(tasks or {}),
        "CIRCE_NONDAG_TASK_TO_IP": _pairs(services or {}),
    }


def _pairs(addresses: Mapping[str, str]) -> str:
    return " ".join(f"{name}:{address}" for name, address in addresses.items())
