"""What the end-to-end tests share: the real command line, and tiny apps to run with it.

Every ``jupiter`` that a test starts is its own process with its own folder of runs. Nothing here
waits for a time to pass: tests wait for lines of output, for tasks that report at a gate, and for
processes to end, each with a deadline far above what it takes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from gate import Gate
from jupiter_command import Jupiter


@pytest.fixture
def jupiter(tmp_path: Path) -> Iterator[Jupiter]:
    """The ``jupiter`` command for one test; fails if a process is left when the test ends."""
    with Jupiter(tmp_path) as command:
        yield command


@pytest.fixture(scope="module")
def shared_jupiter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupiter]:
    """The ``jupiter`` command for a module whose tests look at the same runs."""
    with Jupiter(tmp_path_factory.mktemp("shared")) as command:
        yield command


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Where tasks of a test's app stop and wait until the test lets them go on."""
    with Gate() as opened:
        yield opened
