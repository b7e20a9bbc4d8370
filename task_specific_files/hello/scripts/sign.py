"""sign: say where the work was done."""

import os
from pathlib import Path


def task(file: str, pathin: str, pathout: str) -> None:
    """Add a line that names the node that this task runs on."""
    text = (Path(pathin) / file).read_text(encoding="utf-8")
    node = os.environ.get("NODE_NAME", "your own machine")
    (Path(pathout) / file).write_text(f"{text}(signed on {node})\n", encoding="utf-8")
