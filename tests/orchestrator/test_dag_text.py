"""The DAG as a text tree."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jupiter.app import HOME, App, Service, Task, Trigger
from orchestrator.dag_text import dag_text


def app_of(children: dict[str, tuple[str, ...]], *ingress: str, timed: str = "") -> App:
    tasks = {
        name: Task(name, name, kids, trigger=Trigger.TIME if name == timed else Trigger.EVENT)
        for name, kids in children.items()
    }
    folder = Path("app")
    return App("a", folder, folder, folder, None, "yaml", tasks, ingress or (next(iter(tasks)),))


def test_diamond() -> None:
    app = app_of({"s": ("l", "r"), "l": ("j",), "r": ("j",), "j": (HOME,)}, timed="r")
    assert dag_text(app) == (
        "home\n"
        "└─ s\n"
        "   ├─ l → j [1] → home\n"
        "   └─ r @ → ↑[1] j"
    )  # fmt: skip


def test_several_ingress_tasks_and_services() -> None:
    app = app_of({"a": ("c",), "b": ("c",), "c": (HOME,)}, "a", "b")
    services = {"watch": Service("watch", ("watch.py",))}
    app = App(app.name, app.folder, app.scripts, app.config, None, "x", app.tasks, app.ingress,
              services)  # fmt: skip
    assert dag_text(app).splitlines() == [
        "home",
        "├─ a → c [1] → home",
        "└─ b → ↑[1] c",
        "service watch",
    ]


def test_long_chain_is_folded_not_nested() -> None:
    names = [f"stage{index}" for index in range(3000)]
    children = {name: (kid,) for name, kid in zip(names, [*names[1:], HOME], strict=True)}
    lines = dag_text(app_of(children), lines=None).splitlines()
    assert max(len(line) for line in lines) <= 100
    assert sum(line.count("stage") for line in lines) == 3000


def test_narrow_tree_keeps_names_whole() -> None:
    names = [f"a_long_name_{index}" for index in range(9)]
    children = {name: (kid,) for name, kid in zip(names, [*names[1:], HOME], strict=True)}
    lines = dag_text(app_of(children), width=40).splitlines()
    assert max(len(line) for line in lines) <= 42
    assert all(name in "\n".join(lines) for name in names)


def test_deep_branches_go_on_at_the_left() -> None:
    """A ladder of 40 rungs: every task has two children."""
    children = {f"<{i}>": (f"<{i + 1}>", f"<{i + 2}>") for i in range(40)}
    app = app_of(children | {"<40>": (HOME,), "<41>": (HOME,)})
    text = dag_text(app, lines=None)
    assert max(len(line) for line in text.splitlines()) <= 100
    for name in app.tasks:
        references = text.count(f"] {name}")
        assert text.count(name) - references == 1
    assert "↓[" in text


def test_cut_says_what_is_left_out() -> None:
    app = app_of({"r": tuple(f"t{i}" for i in range(50)), **{f"t{i}": (HOME,) for i in range(50)}})
    lines = dag_text(app, lines=10).splitlines()
    assert len(lines) == 11
    assert "42 lines more" in lines[-1]


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=40))
def test_every_task_is_written_out_once_and_every_edge_shown(pairs: list[tuple[int, int]]) -> None:
    kids: dict[str, list[str]] = {f"<{index}>": [] for index in range(15)}
    for pair in pairs:
        first, second = f"<{min(pair)}>", f"<{max(pair)}>"
        if first != second and second not in kids[first]:
            kids[first].append(second)
    targets = {kid for children in kids.values() for kid in children}
    app = app_of(
        {name: tuple(children) or (HOME,) for name, children in kids.items()},
        *(name for name in kids if name not in targets),
    )
    text = dag_text(app, lines=None)
    again = {name: text.count(f"] {name}") for name in kids}
    for name in kids:
        parents = sum(name in children for children in kids.values())
        assert text.count(name) == max(parents, 1)
        assert text.count(name) - again[name] == 1
