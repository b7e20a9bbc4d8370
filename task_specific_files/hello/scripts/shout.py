"""shout: the same, but louder."""

from pathlib import Path


def task(file: str, pathin: str, pathout: str) -> None:
    """Every letter becomes a capital."""
    text = (Path(pathin) / file).read_text(encoding="utf-8")
    (Path(pathout) / file).write_text(text.upper(), encoding="utf-8")
