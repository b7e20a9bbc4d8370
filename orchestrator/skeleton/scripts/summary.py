"""Put together what was found of one text."""

import json
from pathlib import Path


def task(files: list[str], pathin: str, pathout: str) -> None:
    """The count and the longest word in, in the order of ``inputs``; one JSON file out."""
    count, longest = (Path(pathin, name).read_text(encoding="utf-8") for name in files)
    result = {"words": int(count), "longest": longest}
    Path(pathout, "summary.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
