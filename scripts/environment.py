"""The virtual environment that Jupiter runs in: made once in ``.venv``, used while it is current.

Needs the standard library alone. Pythons from 3.6 on can read this file, so that one which is too
old to run Jupiter says so instead of showing a syntax error. What was installed is known by a
stamp: a hash of pyproject.toml, the Python and the checkout's place. It is written last, so a
set-up that was broken off is repeated.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator, Sequence  # noqa: UP035 - an old Python reads this, too

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)

_OFFLINE = (
    "name resolution",
    "name or service not known",
    "failed to establish a new connection",
    "connection refused",
    "network is unreachable",
    "max retries exceeded",
    "timed out",
    "proxyerror",
    "no matching distribution found",
)
_GET_VENV = (
    "install it (Debian and Ubuntu: the package python3-venv), or run this with another Python of "
    "3.11 or newer"
)
_FULL = ("no space left on device", "disk quota exceeded")


class SetupError(Exception):
    """The environment can't be made. ``str()`` says what was seen and what to do."""

    exit_code = 2

    def __init__(self, seen: str, fix: str) -> None:
        self.seen = seen
        self.fix = fix
        super().__init__(f"{seen}\n  fix: {fix}")


Runner = Callable[[Sequence[str], Callable[[str], None]], int]
"""Runs a command, hands on each line of its output, gives the exit code."""


def run_command(command: Sequence[str], line: Callable[[str], None]) -> int:
    """Run to the end. Ctrl-C ends the command, too."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                line(text.rstrip("\n"))
        except BaseException:
            process.terminate()
            raise
        return process.wait()


class Environment:
    """One checkout's ``.venv``."""

    def __init__(self, root: Path = ROOT, run: Runner = run_command) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.bin = self.folder / "bin"
        self.python = self.bin / "python"
        self._run = run

    def prepare(self, extra: str = "") -> None:
        """Make sure that Jupiter and the packages it needs are installed.

        extra: "" for what running takes, "dev" for what testing takes as well. Says on stderr what
        it does; says nothing when there is nothing to do. Raises SetupError.
        """
        if self.is_current(extra):
            return
        with _alone(self.root):
            if self.is_current(extra):  # by another process, while this one waited
                return
            began = time.monotonic()
            if not self._works():
                self._make()
            self._install(extra)
            _say(f"ready after {time.monotonic() - began:.0f} s")

    def is_current(self, extra: str = "") -> bool:
        """Is there an environment with what ``extra`` takes, made from this pyproject.toml?"""
        names = {extra, "dev"}  # which includes what running takes
        return any(self._is_fresh(name) for name in names)

    def _is_fresh(self, extra: str) -> bool:
        try:
            known = self._stamp(extra).read_text(encoding="utf-8")
        except OSError:
            return False
        return known == self._fingerprint() and self.python.exists()

    def _stamp(self, extra: str) -> Path:
        return self.folder / f"jupiter-{extra or 'run'}.stamp"

    def _fingerprint(self) -> str:
        project = (self.root / "pyproject.toml").read_bytes()
        facts = {
            "pyproject.toml": hashlib.sha256(project).hexdigest(),
            "python": _base_python(self.folder),
            "place": str(self.root),
        }
        return json.dumps(facts, indent=2, sort_keys=True) + "\n"

    def _works(self) -> bool:
        """Can the environment that is there install packages?"""
        if not self.python.exists():
            return False
        command = [str(self.python), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
        return self._run(command, lambda _: None) == 0

    def _make(self) -> None:
        missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
        if missing:
            raise SetupError(
                f"{sys.executable} can't make virtual environments: it has no {missing[0]} module",
                _GET_VENV,
            )
        _say(f"making {self.folder} with Python {sys.version.split()[0]}")
        said: list[str] = []
        command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
        if self._run(command, said.append) != 0:
            raise _explained("the virtual environment could not be made", said)

    def _install(self, extra: str) -> None:
        what = "Jupiter and the packages it needs" + (" and is tested with" if extra else "")
        _say(f"installing {what}; this happens once and takes a minute or two")
        target = f"{self.root}[{extra}]" if extra else str(self.root)
        said: list[str] = []

        def line(text: str) -> None:
            said.append(text)
            _show_progress(text)

        code = self._run(
            [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "-e", target],
            line,
        )
        _show_progress("")
        if code != 0:
            raise _explained(f"{what} could not be installed", said)
        self._stamp(extra).write_text(self._fingerprint(), encoding="utf-8")


def check_python(
    version: Sequence[int] = sys.version_info[:2], platform: str = sys.platform
) -> None:
    """Raises SetupError when Jupiter can't run on this Python or system."""
    if platform != "linux":
        raise SetupError(
            f"Jupiter runs on Linux; this is {platform}",
            "use a Linux machine, virtual machine or container",
        )
    if tuple(version) < OLDEST_PYTHON:
        newer = _newer_python()
        raise SetupError(
            f"this is Python {version[0]}.{version[1]}; Jupiter needs 3.11 or newer",
            f"{newer} {' '.join(sys.argv)}" if newer else "install a newer Python and use that",
        )


def _newer_python() -> str:
    """The name of a Python on this machine that is new enough, or nothing."""
    names = (f"python3.{minor}" for minor in range(20, OLDEST_PYTHON[1] - 1, -1))
    return next((name for name in names if shutil.which(name)), "")


def _base_python(folder: Path) -> str:
    """What ``pyvenv.cfg`` says of the Python that the environment was made with."""
    try:
        return (folder / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return ""


def _explained(what: str, said: Sequence[str]) -> SetupError:
    """An error with what the failed command said last, and the likeliest fix."""
    text = "\n".join(said).lower()
    if "ensurepip is not available" in text:
        fix = _GET_VENV
    elif any(sign in text for sign in _FULL):
        fix = "free some space (the environment takes about 500 MB), then repeat the command"
    elif any(sign in text for sign in _OFFLINE):
        fix = (
            "connect this machine to the network and repeat the command; pip's own settings count: "
            "HTTPS_PROXY for a proxy, PIP_INDEX_URL for an index of your own, PIP_FIND_LINKS for a "
            "folder with wheels"
        )
    else:
        fix = "mend what is said above, then repeat the command"
    errors = [
        line
        for line in said
        if line.strip().lower().startswith("error") and "subprocess-exited" not in line
    ]
    shown = "".join(f"\n  | {line.strip()}" for line in (errors or said)[-5:])
    return SetupError(f"{what}:{shown}", fix)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Two commands that start at once set up one after the other."""
    import fcntl  # there is none on Windows, which check_python tells in a better way

    descriptor = os.open(str(root), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _say(text: str) -> None:
    sys.stderr.write(f"set-up: {text}\n")
    sys.stderr.flush()


def _show_progress(text: str) -> None:
    """The last thing that pip said, on one line that is overwritten; only on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + text.strip()[: shutil.get_terminal_size().columns - 1])
        sys.stderr.flush()


def main(body: Callable[[], int]) -> int:
    """Call ``body`` for a script; a SetupError becomes a message and exit code 2."""
    try:
        check_python()
        return body()
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("stopped; repeat the command to go on\n")
        return 130
