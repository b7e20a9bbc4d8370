"""What is kept of a call that failed for good: enough to understand it, and to run it again."""

from __future__ import annotations

import json
from pathlib import Path

from dispatcher.instance import Instance


def bury(folder: Path, instance: Instance, reason: str, stderr_tail: str) -> Path:
    """Write ``<folder>/<job>/<task>/``; returns it. Raises OSError.

    In it are ``inputs/<parent>/<file>``, ``stderr.txt`` and, complete when it is there,
    ``reason.json``.
    """
    grave = folder / instance.job / instance.stage.name
    for parent, arrived in instance.arrived.items():
        inputs = grave / "inputs" / parent
        inputs.mkdir(parents=True, exist_ok=True)
        for file in arrived.content.files():
            assert file.data is not None
            (inputs / file.name).write_bytes(file.data)
    grave.mkdir(parents=True, exist_ok=True)
    (grave / "stderr.txt").write_text(stderr_tail, encoding="utf-8", errors="backslashreplace")
    facts = {
        "job": instance.job,
        "index": instance.index,
        "task": instance.stage.name,
        "attempts": instance.attempt,
        "reason": reason,
    }
    (grave / "reason.json").write_text(json.dumps(facts, indent=2) + "\n")
    return grave
