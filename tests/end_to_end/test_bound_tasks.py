"""A task binds to timelines at its node's time service, which it finds by itself."""

from __future__ import annotations

import json
from pathlib import Path

from jupiter_command import Jupiter
from tiny_apps import numbered_inputs, write_app

APP = {
    "app.yaml": "tasks: {work: {node: node1, outputs: home}}\n",
    "scripts/work.py": """
        import json
        from pathlib import Path

        from qot.binding import Timeline
        from qot.errors import NoUtcError

        def task(name, pathin, pathout):
            with (
                Timeline.bind("run", "work", accuracy="20ms") as run,
                Timeline.bind("cell", "work", accuracy="20ms") as cell,
            ):
                for beat in cell.periodic("2ms"):
                    break
                try:
                    Timeline.bind("gl_utc", "work")
                except NoUtcError as error:
                    refused = str(error)
                instant = cell.now()
                found = {
                    "apart_ns": abs(run.now().estimate_ns - instant.estimate_ns),
                    "error_ns": instant.error_ns,
                    "status": instant.status,
                    "late_ns": beat.wake.late_ns,
                    "refused": refused,
                    "bound": sorted(each["timeline"] for each in cell.report()["timelines"]),
                }
            (Path(pathout) / "found.json").write_text(json.dumps(found))
        """,
}


def test_a_task_reads_the_run_s_timeline_and_one_of_its_own(jupiter: Jupiter, tmp_path: Path):
    app = write_app(tmp_path / "app", APP, inputs=numbered_inputs(1))
    ended = jupiter.run(app)
    assert ended.code == 0, ended.stderr
    (output,) = ended.folder.outputs.rglob("found.json")
    found = json.loads(output.read_text())
    assert found["status"] == "synchronized"
    assert found["error_ns"] <= 20_000_000
    assert found["apart_ns"] < 1_000_000_000
    assert found["late_ns"] >= 0
    assert "utc_error_ns" in found["refused"]
    assert found["bound"] == ["cell", "run"]
