"""``jupiter timeline``: the nodes' time while a run goes on, and the audit of what it promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gate import Gate
from jupiter_command import Jupiter
from tiny_apps import numbered_inputs, write_app


def gated_app(folder: Path, gate: Gate) -> Path:
    """One task, which stops at the gate with the second job."""
    return write_app(
        folder,
        {
            "app.yaml": "tasks: {work: {outputs: home}}\n",
            "scripts/gate.py": gate.module,
            "scripts/work.py": """
                from pathlib import Path

                from gate import hold

                def task(name, pathin, pathout):
                    if name == "2.txt":
                        hold(name)
                    (Path(pathout) / name).write_text("done")
                """,
        },
        inputs=numbered_inputs(2),
    )


def test_a_run_that_goes_on_is_shown_and_audited(jupiter: Jupiter, gate: Gate):
    running = jupiter.start_run(gated_app(jupiter.folder / "app", gate))
    running.arrival_at(gate)
    shown = jupiter("timeline", "show", "--json").expect(0).json
    assert shown["timeline"] == "run"
    assert shown["reference"] == "home"
    assert [node["node"] for node in shown["nodes"]] == ["home", "node1", "node2"]
    for node in shown["nodes"]:
        assert node["status"] == "synchronized"
        assert node["bound_ns"] <= shown["demanded_ns"]
        assert node["exchanges_per_s"] > 0
    page = jupiter("timeline").expect(0).stdout
    assert "exchange with home" in page
    assert page.count("met") == 3
    audited = jupiter("timeline", "audit", "latest", "--for", "200ms", "--json").expect(0).json
    assert [node["name"] for node in audited["nodes"]] == ["node1", "node2"]
    for node in audited["nodes"]:
        assert node["promised"] > 0
        assert node["hard_containment"] == 1
    gate.open()
    running.end().expect(0)

    ended = jupiter("timeline", "audit", "latest", "--for", "200ms")
    assert "has ended" in ended.expect(2).stderr


def test_an_audit_without_a_run_starts_nodes_and_stops_them(jupiter: Jupiter):
    ended = jupiter("timeline", "audit", "--nodes", jupiter.nodes(3), "--for", "300ms", "--json")
    assert [node["name"] for node in ended.expect(0).json["nodes"]] == ["node1", "node2"]
    assert all(node["hard_outside"] == 0 for node in ended.json["nodes"])
    assert jupiter.left_over() == {}
    assert not jupiter.runs.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["timeline", "show"], "there are no runs"),
        (["timeline", "show", "nosuch"], "there are no runs"),
        (["timeline", "audit", "--for", "3"], "units"),
        (["timeline", "audit", "--for", "0s"], "no time"),
    ],
)
def test_bad_words_are_refused(jupiter: Jupiter, words: list[str], said: str):
    ended = jupiter(*words, "--json").expect(2)
    assert said in json.dumps(ended.json)


def test_home_alone_can_not_be_audited(jupiter: Jupiter):
    ended = jupiter("timeline", "audit", "--nodes", jupiter.nodes(1)).expect(2)
    assert "home alone" in ended.stderr
