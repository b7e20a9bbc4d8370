"""Which output file goes to which child: the three output policies, purely."""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.executors.base import File
from dispatcher.file_names import MAX_NAME_BYTES, is_plain_name
from jupiter.app import OutputPolicy


class RoutingError(Exception):
    """The outputs do not fit the policy; the call counts as failed, with this reason."""


def route_outputs(
    task: str,
    policy: str,
    children: Sequence[str],
    outputs: Sequence[File],
    *,
    may_be_empty: bool = False,
) -> list[tuple[str, list[File]]]:
    """(child, its files) for every child, in the order of the config.

    outputs are in close order. When one names the child that it is for, the policy is not asked:
    it goes to that child alone, and those that name none go to all. Every child gets at least an
    empty list, so that a join downstream is never left waiting. Raises RoutingError.
    """
    for file in outputs:
        _check_name(task, file.name)
    if any(file.child is not None for file in outputs):
        return _by_child(task, children, outputs)
    if not outputs and may_be_empty:
        return [(child, []) for child in children]
    if policy == OutputPolicy.SCATTER:
        if len(outputs) != len(children):
            raise RoutingError(
                f"{task} wrote {len(outputs)} file{'s' if len(outputs) != 1 else ''} for its "
                f"{len(children)} children "
                f"({', '.join(children)}); with the flag false it must write one file per child, "
                "in their order"
            )
        return [(child, [file]) for child, file in zip(children, outputs, strict=True)]
    if policy == OutputPolicy.BY_NAME:
        return _by_name(task, children, outputs)
    if not outputs:
        raise RoutingError(f"{task} ended without writing any file into pathout")
    return [(child, list(outputs)) for child in children]


def _check_name(task: str, name: str) -> None:
    """Only a name that every node can write again may travel."""
    if not is_plain_name(name):
        raise RoutingError(
            f"{task} gave an output the name {name!r}; give it a plain file name of at most "
            f"{MAX_NAME_BYTES} bytes of UTF-8"
        )


def _by_child(
    task: str, children: Sequence[str], outputs: Sequence[File]
) -> list[tuple[str, list[File]]]:
    for file in outputs:
        if file.child is not None and file.child not in children:
            raise RoutingError(
                f"{task} made an output for {file.child!r}, which is no child of it; "
                f"its children are {', '.join(children)}"
            )
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
