"""Set up what testing takes if that was not done yet, then check everything; the tests come last.

    python3 scripts/run_tests.py                 all checks and all tests
    python3 scripts/run_tests.py tests/qot -x    all checks; the words go to pytest

Exit code 0 only if every check and every test passed.
"""

import os
import signal
import subprocess
import sys
import time
from typing import Sequence  # noqa: UP035 - see environment.py

import environment

CHECKS = (
    ("ruff check", ("ruff", "check", "--output-format=concise", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
    ("lint-imports", ("lint-imports",)),
)


def passes(place: environment.Environment, name: str, command: Sequence[str]) -> bool:
    """Run one check and say in a line how it went; what it found is shown only if it failed."""
    began = time.monotonic()
    found: list[str] = []
    words = [str(place.bin / command[0]), *command[1:]]
    ok = environment.run_command(words, found.append) == 0
    verdict = "ok" if ok else "FAILED"
    last = next((line for line in reversed(found) if line.strip()), "")
    print(
        f"{name:<13} {verdict:<7} {time.monotonic() - began:5.1f} s   {last if ok else ''}".rstrip()
    )
    if not ok:
        print("\n".join(f"  {line}" for line in found))
    sys.stdout.flush()
    return ok


def check_and_test() -> int:
    """All checks, then pytest, whose closing line is the last of the output."""
    place = environment.Environment()
    place.prepare("dev")
    os.chdir(place.root)
    failed = [name for name, command in CHECKS if not passes(place, name, command)]
    if failed:
        print(f"failed so far: {', '.join(failed)}", flush=True)
    signal.signal(signal.SIGINT, lambda *_: None)  # pytest has it, too, and ends in its own way
    tests = subprocess.run([str(place.python), "-m", "pytest", *sys.argv[1:]], check=False)
    return tests.returncode or (1 if failed else 0)


if __name__ == "__main__":
    sys.exit(environment.main(check_and_test))
