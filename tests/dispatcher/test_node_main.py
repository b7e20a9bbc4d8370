"""The node process imports little: that keeps it small and quick to start."""

from __future__ import annotations

import json
import subprocess
import sys

OURS = {"dispatcher", "transport", "qot", "jupiter"}
ALLOWED = {"msgspec", "typing_extensions"}
"""msgspec takes the second one where it is installed."""


def test_a_node_imports_the_standard_library_and_msgspec_alone() -> None:
    program = "import sys, json, dispatcher.node_main; print(json.dumps(list(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}; {program}"],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    top = {name.partition(".")[0] for name in json.loads(output)}
    assert top - set(sys.stdlib_module_names) - OURS - {"__main__"} <= ALLOWED
