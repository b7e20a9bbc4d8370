"""What the tests of the ground floor share: writing small folders, and gathering errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from jupiter.errors import InputError, InputErrors

TASK = "def task(files, pathin, pathout):\n    pass\n"

Write = Callable[[Mapping[str, str | bytes]], Path]
Errors = Callable[[Callable[[], object]], list[InputError]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files below a fresh APP folder and return it."""

    def write_files(files: Mapping[str, str | bytes]) -> Path:
        folder = tmp_path / "myapp"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return write_files


@pytest.fixture
def errors() -> Errors:
    """Call something that must raise input errors, and return all of them."""

    def gather(call: Callable[[], object]) -> list[InputError]:
        with pytest.raises(InputError) as caught:
            call()
        error = caught.value
        return list(error.errors) if isinstance(error, InputErrors) else [error]

    return gather
