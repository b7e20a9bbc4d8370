"""How the command line speaks: pages and JSON on stdout, trouble on stderr, exit codes.

0    done, and every job succeeded
1    something went wrong while working, or a job did not succeed
2    what the user gave can't be used; nothing was started
70   a fault of Jupiter itself
130  stopped with Ctrl-C
143  stopped by SIGTERM
"""

from __future__ import annotations

import errno
import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from jupiter.errors import InputError, InputErrors, JupiterError

if TYPE_CHECKING:
    from rich.console import RenderableType

EXIT_FAULT = 70
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM
ENDLESS = 10_000
"""Columns of a page that does not go to a terminal: as many as it needs."""

FRAMES = 4
"""How many of the innermost calls a fault shows."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_page(page: RenderableType) -> None:
    """A page for a person on stdout, plain when that is not a terminal."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(file=sys.stdout, highlight=False).print(page, crop=False)
        return
    console = Console(file=sys.stdout, width=ENDLESS, highlight=False)
    with console.capture() as capture:
        console.print(page, crop=False)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def say(text: str) -> None:
    """A line for a person on stderr."""
    sys.stderr.write(text + "\n")


@contextmanager
def exits(as_json: bool, hint: Callable[[], str] = str) -> Iterator[None]:
    """Turn what goes wrong inside into a message and an exit code.

    hint gives a last line for it: where the user can look further, or nothing.
    """
    try:
        with _sigterm_like_ctrl_c() as sigterm:
            yield
    except typer.Exit:
        raise
    except JupiterError as error:
        text = f"{error}\n{hint()}".rstrip()
        _complain(as_json, error_list(error), text, error.exit_code)
    except KeyboardInterrupt:
        seen = "stopped by SIGTERM" if sigterm else "stopped with Ctrl-C"
        text = "; ".join(filter(None, (seen, hint())))
        _complain(as_json, [_plain(seen)], text, EXIT_TERMINATED if sigterm else EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(1) from None
    except OSError as error:
        fix = _os_fix(error)
        if fix is None:
            _fault(as_json, error)
        seen = f"{error.filename or 'the system'}: {error.strerror}"
        _complain(as_json, [_plain(seen, fix)], f"{seen}\n  fix: {fix}", 1)
    except Exception as error:
        _fault(as_json, error)


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[list[int]]:
    """Let SIGTERM do inside what Ctrl-C does, and note it in the list that is given.

    Also where Ctrl-C is ignored, as it is for what a shell script started with ``&``.
    """
    came: list[int] = []

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        came.append(number)
        on_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(on_ctrl_c):
            raise KeyboardInterrupt
        on_ctrl_c(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def writes_to(path: Path, fix: str, option: str | None = None) -> Iterator[None]:
    """Turn a place that can't be written, which the user chose, into an InputError.

    A full disk stays what it is: the place was not at fault.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise InputError(
            f"can't be written: {error.strerror}", fix, file=path, field=option
        ) from error


def error_list(error: JupiterError) -> list[dict[str, object]]:
    """An error as data: ``file``, ``line``, ``field``, ``seen``, ``fix``; one entry for each."""
    if isinstance(error, InputErrors):
        return [each.as_dict() for each in error.errors]
    if isinstance(error, InputError):
        return [error.as_dict()]
    return [_plain(str(error))]


def _plain(seen: str, fix: str | None = None) -> dict[str, object]:
    return {"file": None, "line": None, "field": None, "seen": seen, "fix": fix}


def _os_fix(error: OSError) -> str | None:
    """What to do about a failure of the operating system; None when it is our own fault."""
    if error.errno in _FULL:
        return "the disk is full: free some space, or choose another disk with --runs DIR"
    if error.errno in _REFUSED:
        return "give yourself the permission, or choose another folder"
    if error.errno == errno.EMFILE:
        return "too many files are open: raise the limit with `ulimit -n`"
    return None


def _complain(as_json: bool, errors: list[dict[str, object]], text: str, exit_code: int) -> None:
    if as_json:
        print_json({"errors": errors})
    say(text)
    raise typer.Exit(exit_code)


def _fault(as_json: bool, error: Exception) -> None:
    name = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    where = "\n".join(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
    text = (
        f"This is a fault of Jupiter, not yours: {name}\n{where}\n"
        "Please report it with these lines and the command that you ran."
    )
    _complain(as_json, [_plain(f"fault of Jupiter: {name}")], text, EXIT_FAULT)
