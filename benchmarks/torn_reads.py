"""Does anybody ever read half of a write? One writer that never rests, readers in Python and C.

    python benchmarks/torn_reads.py [--seconds 60] [--generations 0] [--python 1] [--c 2]

Every parameter set on the page is one number, sixteen times; a reader that sees two numbers in one
set, or a number that does not fit its generation, has read a mixture. Each 16th read is one of the
past. Ends after the seconds, or, if given, when each reader has seen so many generations. Without a
compiler there are no C readers. Prints one JSON line; exit code 1 if a read was torn.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compile import build, compiler

from qot.errors import PageHistoryError
from qot.instant import Status
from qot.page import PageReader, PageWriter
from qot.params import ClockParams


def write(path: Path) -> None:
    """Publish 1, 2, 3, … until killed."""
    writer = PageWriter(path, "torn")
    number = 0
    while True:
        number += 1
        writer.write(ClockParams(Status.SYNCHRONIZED, *[number] * 15), (number,) * 8)
        if number == 100:
            sys.stdout.write("up\n")
            sys.stdout.flush()


def whole(params: ClockParams) -> bool:
    """Is every field the same number?"""
    return params == ClockParams(Status.SYNCHRONIZED, *[params.as_of_ns] * 15)


def read(path: Path, most: int, seconds: float) -> dict[str, int]:
    """Read until ``most`` generations were seen, or for so long; count mixtures."""
    reader = PageReader(path)
    reads = generations = past = torn = last = 0
    end_ns = time.monotonic_ns() + round(seconds * 1e9)
    while generations < most if most else time.monotonic_ns() < end_ns:
        generation, params = reader.read()
        number = params.as_of_ns
        torn += not whole(params) or generation != 2 * number
        generations += generation != last
        last = generation
        reads += 1
        if reads % 16:
            continue
        asked = number - 1 - reads // 16 % 64
        try:
            then = reader.read_at(asked)
        except PageHistoryError:
            continue  # overwritten meanwhile
        past += 1
        torn += not whole(then) or then.as_of_ns > asked
    return {"reads": reads, "generations": generations, "past": past, "torn": torn}


def main() -> int:
    """Start all, wait for the readers; gives the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--generations", type=int, default=0)
    parser.add_argument("--python", type=int, default=1)
    parser.add_argument("--c", type=int, default=2)
    parser.add_argument("--role", choices=["writer", "reader"], help=argparse.SUPPRESS)
    parser.add_argument("--page", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "writer":
        write(given.page)
    if given.role == "reader":
        sys.stdout.write(json.dumps(read(given.page, given.generations, given.seconds)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        found = run(Path(name), given)
    torn = sum(reader["torn"] for reader in found)
    sys.stdout.write(json.dumps({"torn": torn, "readers": found}) + "\n")
    return 1 if torn else 0


def run(folder: Path, given: argparse.Namespace) -> list[dict[str, int]]:
    """What each reader counted."""
    page = folder / "torn.page"
    limits = [str(given.generations), str(given.seconds)]
    own = [sys.executable, __file__, "--page", str(page)]
    as_reader = [*own, "--role", "reader", "--generations", limits[0], "--seconds", limits[1]]
    commands = [("python", as_reader)] * given.python
    if compiler() is not None:
        program = build(Path(__file__).with_suffix(".c"), folder)
        commands += [("c", [str(program), str(page), *limits])] * given.c
    with subprocess.Popen([*own, "--role", "writer"], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            readers = [
                (kind, subprocess.Popen(command, stdout=subprocess.PIPE))
                for kind, command in commands
            ]
            return [
                {"kind": kind, **json.loads(reader.communicate()[0])} for kind, reader in readers
            ]
        finally:
            writer.kill()


if __name__ == "__main__":
    sys.exit(main())
