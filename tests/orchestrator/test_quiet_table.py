"""Tables at every width: names whole, columns gone, the rest cut."""

from __future__ import annotations

from rich.console import Console

from orchestrator.quiet_table import QuietTable


def shown(width: int) -> list[str]:
    table = QuietTable("task", ">calls", ">median", "node", least=("calls", "median"))
    table.add_row("a_task_with_a_long_name", "120", "2.5 ms", "node[1]")
    table.add_row("b", "9999999", "12.5 ms", "n2")
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_what_fits_is_shown() -> None:
    assert shown(100) == [
        "task                       calls   median  node",
        "─" * 50,
        "a_task_with_a_long_name      120   2.5 ms  node[1]",
        "b                        9999999  12.5 ms  n2",
    ]


def test_least_columns_go_first_and_are_named() -> None:
    assert shown(49)[0] == "task                      median  node"
    assert shown(49)[-1] == "for a wider terminal: calls"
    assert shown(40)[2] == "a_task_with_a_long_name  node[1]"
    assert shown(40)[-1] == "for a wider terminal: calls, median"


def test_columns_of_dashes_go_before_all_and_are_not_missed() -> None:
    table = QuietTable("task", ">calls", ">failed", least=("calls", "failed"))
    table.add_row("a", "12", "–")
    console = Console(width=14, highlight=False)
    with console.capture() as capture:
        console.print(table)
    assert capture.get().splitlines()[0].rstrip() == "task  calls"
    assert "failed" not in capture.get()


def test_texts_are_cut_when_nothing_else_helps() -> None:
    assert shown(24)[2] == "a_task_with_a_…  node[1]"
    assert all(len(line) <= 24 for line in shown(24)[:-2])
