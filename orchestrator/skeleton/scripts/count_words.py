"""Count the words."""

from pathlib import Path


def task(files: str, pathin: str, pathout: str) -> None:
    """One text file in, one with a number out."""
    words = Path(pathin, files).read_text(encoding="utf-8").split()
    Path(pathout, "count.txt").write_text(str(len(words)), encoding="utf-8")
