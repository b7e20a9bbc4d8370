"""Find the longest word."""

from pathlib import Path


def task(files: str, pathin: str, pathout: str) -> None:
    """One text file in, one with a word out; the first of the longest."""
    words = Path(pathin, files).read_text(encoding="utf-8").split()
    Path(pathout, "longest.txt").write_text(max(words, key=len, default=""), encoding="utf-8")
