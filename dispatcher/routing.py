"""Which output file goes to which child: the three output policies, purely."""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.executors.base import File
from jupiter.app import OutputPolicy


class RoutingError(Exception):
    """The outputs do not fit the policy; the call counts as failed, with this reason."""


def route_outputs(
    task: str, policy: str, children: Sequence[str], outputs: Sequence[File]
) -> list[tuple[str, list[File]]]:
    """(child, its files) for every child, in the order of the config.

    outputs are in close order; one that names its child goes to that child alone. Every child gets at least an empty list, so that a join downstream is
    never left waiting. Raises RoutingError.
    """
    if policy == OutputPolicy.SCATTER:
        if len(outputs) != len(children):
            raise RoutingError(
                f"{task} wrote {len(outputs)} files for its {len(children)} children "
                f"({', '.join(children)}); with the flag false it must write one file per child, "
                "in their order"
            )
        return [(child, [file]) for child, file in zip(children, outputs, strict=True)]
    if policy == OutputPolicy.BY_NAME:
        return _by_name(task, children, outputs)
    if not outputs:
        raise RoutingError(f"{task} ended without writing any file into pathout")
    return [
        (child, [file for file in outputs if file.child in (None, child)]) for child in children
    ]


def _by_name(
    task: str, children: Sequence[str], outputs: Sequence[File]
) -> list[tuple[str, list[File]]]:
    routed: dict[str, list[File]] = {child: [] for child in children}
    prefixes = sorted(
        ((f"{task}_{child}_", child) for child in children), key=lambda pair: -len(pair[0])
    )
    for file in outputs:
        for prefix, child in prefixes:
            if file.name.startswith(prefix):
                routed[child].append(file)
                break
        else:
            raise RoutingError(
                f"{task} wrote {file.name!r}, whose name matches no child: it must begin with "
                + " or ".join(repr(prefix) for prefix, _ in prefixes)
            )
    return list(routed.items())
