"""``jupiter new``: write a small app that runs as it is, to be changed into one's own.

The files are in ``orchestrator/skeleton``, so that they are linted and tested like other code.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path

from jupiter.errors import InputError

SKELETON = Path(__file__).with_name("skeleton")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PLACEHOLDER = "my_app"


def new_app(folder: Path) -> list[Path]:
    """Write the skeleton to ``folder``, named after it; gives the files in reading order.

    Raises InputError when the folder is there and not empty, can't be written, or has a name that
    can't be an app's; OSError when the disk is full.
    """
    name = folder.resolve().name
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name!r} can't be the name of an app",
            "use letters, digits, '_', '-' and '.', and begin with a letter or digit",
        )
    if folder.exists() and not folder.is_dir():
        raise InputError("a file of that name is there", "choose another name", file=folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            f"{folder} is there already and not empty",
            "choose another name, or empty it first; nothing was changed",
        )
    written = []
    try:
        for source in _sources():
            target = folder / source.relative_to(SKELETON)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8").replace(_PLACEHOLDER, name)
            target.write_text(text, encoding="utf-8")
            written.append(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"the app can't be written there: {error.strerror}",
            "name a folder that you can write to",
            file=folder,
        ) from error
    return written


def _sources() -> list[Path]:
    """The skeleton's files: those at its top first."""
    files = [
        path for path in SKELETON.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    return sorted(files, key=lambda path: (len(path.relative_to(SKELETON).parts), path.as_posix()))
