"""greet: from a file with a name to a file with a greeting."""

from pathlib import Path


def task(file: str, pathin: str, pathout: str) -> None:
    """``ada.txt`` with "Ada" in, ``ada.txt`` with "Hello, Ada!" out."""
    name = (Path(pathin) / file).read_text(encoding="utf-8").strip()
    if not name:
        raise ValueError(f"{file} is empty: write a name into it")
    (Path(pathout) / file).write_text(f"Hello, {name}!\n", encoding="utf-8")
