"""Reading what people wrote: text files as UTF-8, with errors that say where and how to mend it."""

from __future__ import annotations

import difflib
import os.path
from collections.abc import Iterable, Iterator
from pathlib import Path

from jupiter.errors import InputError


def read_text(path: Path, what: str) -> str:
    """The content of ``path`` without a byte-order mark; ``what`` names the file's purpose.

    Raises InputError when it is missing, can't be read or is not UTF-8 (with the line).
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no {what}", _missing_fix(path), file=path) from None
    except IsADirectoryError:
        raise InputError(
            f"a folder is where the {what} should be", "name a file, not its folder", file=path
        ) from None
    except OSError as error:
        raise InputError(
            f"the {what} can't be read: {error.strerror}",
            f"make it readable for you: chmod u+r {path}",
            file=path,
        ) from error
    return decode_text(raw, path)


def _missing_fix(path: Path) -> str:
    """The nearest file beside a missing one, or where the path leads nowhere."""
    folder = path.parent
    if not folder.is_dir():
        return f"mend the path: there is no folder {folder}"
    names = [other.name for other in folder.iterdir() if other.is_file()]
    return suggestion(path.name, names, f"write {path.name}, or mend its name")


def decode_text(raw: bytes, path: Path) -> str:
    """``raw`` as UTF-8 text without a byte-order mark. Raises InputError with the bad line."""
    if b"\0" in raw:
        raise InputError(
            "a zero byte: this is not text",
            "save the file as UTF-8 text",
            file=path,
            line=raw.count(b"\n", 0, raw.index(b"\0")) + 1,
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            "save the file as UTF-8 text",
            file=path,
            line=line,
        ) from error


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """(line number, stripped line) of every line that is neither blank nor a ``#`` comment."""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            yield number, line


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` is most likely meant to be, if any is near."""
    names = list(known)
    by_lower = {name.lower(): name for name in names}
    if word.lower() in by_lower:
        return by_lower[word.lower()]
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return found[0] if found else None


def suggestion(word: str, known: Iterable[str], otherwise: str) -> str:
    """``did you mean 'x'?`` when a known word is near, else ``otherwise``."""
    found = nearest(word, known)
    return f"did you mean {found!r}? If not: {otherwise}" if found else otherwise


def is_below(path: Path, folder: Path) -> bool:
    """Whether ``path`` lies in ``folder`` as it is written; where links lead is not looked at."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def find_line(text: str, fragment: str) -> int | None:
    """The number of the first line of ``text`` that contains ``fragment``."""
    position = text.find(fragment)
    return None if position < 0 else text.count("\n", 0, position) + 1
