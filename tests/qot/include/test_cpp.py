"""qot.hpp: the header in C++'s clothes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("use.cpp")


def run(program: Path, *arguments: object) -> list[str]:
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_whole_class(own_page: Any, build: Any) -> None:
    own_page.write(10**15, error_ns=900, sigma_ns=100)
    assert run(build(SOURCE), own_page.writer.path) == [
        "moved 1",
        "inside 1",
        "status synchronized",
        "likely 442 442",
        "later 1",
        "sigma 100",
        "woke 1",
        "slept 1",
        "beat 5",
        "cancelled 1",
        "the stamp is older than the parameters that the page remembers: convert stamps within "
        "minutes",
    ]


def test_a_page_that_is_not_there_is_named(tmp_path: Path, build: Any) -> None:
    (line,) = run(build(SOURCE), tmp_path / "none.page")
    assert line.startswith(f"{tmp_path}/none.page: there is no clock page")
