"""Keep letters and spaces, in small letters."""

from pathlib import Path


def task(files: str, pathin: str, pathout: str) -> None:
    """One text file in, one out."""
    text = Path(pathin, files).read_text(encoding="utf-8")
    letters = "".join(sign if sign.isalpha() else " " for sign in text.lower())
    Path(pathout, files).write_text(" ".join(letters.split()), encoding="utf-8")
