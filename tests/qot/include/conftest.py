"""qot.h, compiled once for the session, as a library that tests call."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

INCLUDE = Path(__file__).resolve().parents[3] / "qot" / "include"
STRICT = ("-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{INCLUDE}")
I64, U64 = ctypes.c_int64, ctypes.c_uint64


class Params(ctypes.Structure):
    """qot_params."""

    _fields_ = (
        [(f"field{index}", I64) for index in range(12)]
        + [("epoch", U64), ("step_marker", U64), ("likely_early_ns", I64), ("likely_late_ns", I64)]
    )  # fmt: skip

    def numbers(self) -> tuple[int, ...]:
        return tuple(getattr(self, name) for name, _ in self._fields_)


class Instant(ctypes.Structure):
    """qot_instant."""

    _fields_ = (
        ("estimate_ns", I64),
        ("earliest_ns", I64),
        ("latest_ns", I64),
        ("status", ctypes.c_int),
    )


class Wake(ctypes.Structure):
    """qot_wake."""

    _fields_ = (("target_ns", I64), ("late_ns", I64), ("monotonic_ns", I64), ("instant", Instant))


class Period(ctypes.Structure):
    """qot_period."""

    _fields_ = (
        ("period_ns", I64),
        ("offset_ns", I64),
        ("next_index", I64),
        ("missed", I64),
        ("started", ctypes.c_int),
    )


ERRORS = (
    *("OK", "MISSING", "TRUNCATED", "FOREIGN", "VERSION", "NEVER_WRITTEN", "TORN", "HISTORY"),
    *("UNSYNCHRONIZED", "RANGE", "CANCELLED", "SYSTEM"),
)


class CError(Exception):
    """A qot_error that is not QOT_OK; ``name`` as in the header."""

    def __init__(self, number: int) -> None:
        self.name = ERRORS[number]
        super().__init__(self.name)


class CReader:
    """A qot_reader."""

    def __init__(self, library: ctypes.CDLL, path: Path, timeline: str | None = None) -> None:
        self._library = library
        error = ctypes.c_int()
        name = None if timeline is None else timeline.encode()
        self._reader = library.driver_open(str(path).encode(), name, ctypes.byref(error))
        if error.value:
            self.close()
            raise CError(error.value)

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call ``driver_<name>(reader, *arguments, &result)``."""
        function = getattr(self._library, f"driver_{name}")
        error = function(self._reader, *arguments, ctypes.byref(result))
        if error:
            raise CError(error)
        return result

    def attempt(self, name: str, result: Any, *arguments: Any) -> Any:
        """As :meth:`call`, but gives the name of the error."""
        try:
            return self.call(name, result, *arguments)
        except CError as error:
            return error.name

    def number(self, name: str, *arguments: Any) -> int:
        """The same for one that gives an int64 through a pointer."""
        return int(self.call(name, I64(), *arguments).value)

    def plain(self, name: str, *arguments: Any) -> int:
        """One that gives a number and can't fail."""
        return int(getattr(self._library, f"driver_{name}")(self._reader, *arguments))

    def close(self) -> None:
        self._library.driver_close(self._reader)


def require(compiler: str) -> str:
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"there is no {compiler} on this machine")
    return found


Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """``build(source, *options)`` compiles strictly, as C11 or C++14; gives what was made."""
    folder = tmp_path_factory.mktemp("built")

    @cache
    def run(source: Path, *options: str) -> Path:
        language = ("c++", "-std=c++14") if source.suffix == ".cpp" else ("cc", "-std=c11")
        made = folder / f"{source.name}{len(list(folder.iterdir()))}"
        command = [require(language[0]), language[1], *STRICT, *options, str(source), "-o"]
        done = subprocess.run([*command, str(made)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return made

    return run


@pytest.fixture(scope="session")
def library(build: Build) -> ctypes.CDLL:
    loaded = ctypes.CDLL(
        str(build(Path(__file__).with_name("driver.c"), "-shared", "-fPIC", "-fsanitize=undefined",
                  "-fsanitize-undefined-trap-on-error"))
    )  # fmt: skip
    number, pointer = ctypes.c_int, ctypes.c_void_p
    for name, result, *arguments in (
        ("open", pointer, ctypes.c_char_p, ctypes.c_char_p, pointer),
        ("close", None, pointer),
        ("now", number, pointer, pointer),
        ("refresh", number, pointer, pointer),
        ("generation", U64, pointer),
        ("params_at", number, pointer, I64, pointer),
        ("to_timeline", number, pointer, I64, pointer),
        ("to_core", number, pointer, I64, number, pointer),
        ("to_monotonic", number, pointer, I64, number, pointer),
        ("instant_at", number, pointer, I64, pointer),
        ("sigma_at", number, pointer, I64, pointer),
        ("statistical_at", number, pointer, I64, I64, pointer, pointer),
        ("clock", I64, pointer, I64),
        ("inverse", I64, pointer, I64),
        ("wait_until", number, pointer, I64, number, pointer, pointer),
        ("sleep", number, pointer, I64, pointer, pointer),
        ("wait_period", number, pointer, pointer, pointer),
        ("timeline_id", U64, ctypes.c_char_p),
        ("message", ctypes.c_char_p, number),
        ("prepare_thread", number, number),
    ):
        function = getattr(loaded, f"driver_{name}")
        function.restype, function.argtypes = result, arguments
    return loaded


@pytest.fixture
def open_c(library: ctypes.CDLL) -> Iterator[Callable[..., CReader]]:
    """Opens pages with qot.h, and closes them."""
    readers: list[CReader] = []

    def run(path: Path, timeline: str | None = None) -> CReader:
        readers.append(CReader(library, path, timeline))
        return readers[-1]

    yield run
    for reader in readers:
        reader.close()


@pytest.fixture(scope="session")
def structures() -> Any:
    """qot.h's structures: Params, Instant, Wake, Period."""
    return SimpleNamespace(Params=Params, Instant=Instant, Wake=Wake, Period=Period)


@pytest.fixture(scope="session")
def c_error() -> type[CError]:
    return CError
