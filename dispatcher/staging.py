"""A node's own copy of an app's scripts, which the app's tasks see as ``/centralized_scheduler``.

Jupiter's apps have that path written into them, and a node without root can't make it. So the
literal path is rewritten in the copy's text files to the copy's absolute path. A rewritten file
works everywhere: in ``open``, in a subprocess, in a C library. Paths that are only put together at
run time are the business of :mod:`dispatcher.executors.path_guard`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from jupiter.errors import InputError

CONTAINER_PATH = "/centralized_scheduler"
TEXT_SUFFIXES = frozenset({".py", ".sh", ".json", ".txt", ".ini", ".cfg", ".yaml", ".yml"})
FOLDERS = ("input", "output", "runtime")
"""Folders that Jupiter's containers have beside the scripts; empty in the copy."""

# A path or word character before it makes it part of another path; one behind it, another name.
_LITERAL = re.compile(rb"(?<![\w./~})-])/centralized_scheduler(?![\w.-])")
_UNUSABLE = re.compile(r"[\"'\\`$\n]")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".git", ".DS_Store")


def rewrite_text(content: bytes, staged: Path) -> bytes:
    """``content`` with every literal ``/centralized_scheduler`` replaced by the staged path.

    Keeps every line's number and ending. Content that is not UTF-8 is returned unchanged.
    """
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    replacement = str(staged).encode()
    return _LITERAL.sub(lambda _: replacement, content)


def _rewrite_folder(folder: Path, staged: Path) -> None:
    for path in folder.rglob("*"):
        if path.suffix in TEXT_SUFFIXES and path.is_file():
            content = path.read_bytes()
            rewritten = rewrite_text(content, staged)
            if rewritten != content:
                path.write_bytes(rewritten)  # keeps the mode, so the executable bit


def stage_scripts(app_scripts: Path, target: Path, beside: Iterable[Path] = ()) -> Path:
    """Copy an app's scripts to ``target`` and make the copy self-contained; returns its path.

    beside: further files to put there (nodes.txt, configuration.txt, app_config.ini); those that
    do not exist are left out, those that the scripts have themselves are not replaced. A target
    that exists is replaced; it appears complete or not at all. Symbolic links are followed.

    Raises InputError if the scripts can't be read, or if the target's path has a character that
    would end a string in a rewritten script.
    """
    target = target.absolute()
    if _UNUSABLE.search(str(target)):
        raise InputError(
            f"the path {str(target)!r} has a quote, backslash, dollar sign or line break in it",
            "run from a folder whose path has none: the path is written into the app's scripts",
            file=target,
        )
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(app_scripts, part, ignore=_LEFT_OUT)
    except (shutil.Error, NotADirectoryError, FileNotFoundError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise InputError(
            f"the scripts can't be copied: {error}",
            "check that the folder exists, that its files are readable and no link dangles",
            file=app_scripts,
        ) from error
    for name in FOLDERS:
        (part / name).mkdir(exist_ok=True)
    for path in beside:
        if path.is_file() and not (part / path.name).exists():
            shutil.copy2(path, part / path.name)
    _rewrite_folder(part, target)
    # Upstream's working directory was the root folder, so "centralized_scheduler/x" also worked.
    link = part / CONTAINER_PATH.lstrip("/")
    if not link.exists():
        link.symlink_to(".", target_is_directory=True)
    if target.exists():
        shutil.rmtree(target)
    return part.rename(target)
