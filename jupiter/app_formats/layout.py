"""Where things are in an APP folder: the config, the scripts, the sample input."""

from __future__ import annotations

import re
from pathlib import Path

from jupiter.errors import InputError

CONFIGS = ("app.yaml", "app_config.yaml", "configuration.txt", "DAG_Scheduler.txt")
"""The files that declare a DAG; the first one that is there wins."""

HINT = "'jupiter new FOLDER' writes a working one"


def find_config(folder: Path) -> Path:
    """The file that declares the app, in ``folder`` or in its only subfolder that has one.

    Raises InputError that says what is missing.
    """
    if not folder.exists():
        raise InputError(
            "there is no such APP folder", f"give an existing folder; {HINT}", file=folder
        )
    if not folder.is_dir():
        raise InputError(
            "this is a file, expected an APP folder",
            f"give the folder that it is in: {folder.absolute().parent}",
            file=folder,
        )
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"the folder can't be read: {error.strerror}",
            f"make it readable for you: chmod u+rx {folder}",
            file=folder,
        ) from error
    if not children:
        raise InputError(
            "the APP folder is empty", f"put app.yaml and scripts/ into it; {HINT}", file=folder
        )
    direct = _config_in(folder)
    if direct is not None:
        return direct
    nested = [
        found for child in children if child.is_dir() and (found := _config_in(child)) is not None
    ]
    if len(nested) == 1:
        return nested[0]
    if nested:
        raise InputError(
            "this folder holds several apps: " + ", ".join(path.parent.name for path in nested),
            f"give one of them, for example {nested[0].parent}",
            file=folder,
        )
    raise InputError(
        "the folder has no app config: looked for " + ", ".join(CONFIGS),
        f"add one of them; {HINT}",
        file=folder,
    )


def _config_in(folder: Path) -> Path | None:
    return next((folder / name for name in CONFIGS if (folder / name).is_file()), None)


def app_folder(config: Path) -> Path:
    """The APP folder of a config: its own, or the parent of ``scripts`` if it lies in there."""
    folder = config.parent
    if folder.name == "scripts" and not (folder / "scripts").is_dir():
        return folder.parent
    return folder


def find_scripts(folder: Path) -> Path:
    """``scripts/`` if there is one, else the folder itself (CIRCE-2017 and v5)."""
    scripts = folder / "scripts"
    return scripts if scripts.is_dir() else folder


def find_sample_input(folder: Path) -> Path | None:
    """``sample_input/`` or v5's ``sample_inputs/``."""
    for name in ("sample_input", "sample_inputs"):
        if (folder / name).is_dir():
            return folder / name
    return None


def sample_files(folder: Path | None) -> list[Path]:
    """The input files in a sample folder, by name; hidden files and subfolders are left out.

    Numbers inside names sort as numbers, so that 2botnet comes before 10botnet.
    """
    if folder is None or not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return sorted(files, key=lambda path: (_natural(path.name), path.name))


def _natural(name: str) -> list[str | int]:
    """Text and numbers in turn, text first, so that any two names can be compared."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split("([0-9]+)", name))]
