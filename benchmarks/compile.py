"""Compiles the C parts of benchmarks; the extension needs Python's headers too."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shutil
import subprocess
import sysconfig
from pathlib import Path

import qot.native

QOT = Path(__file__).resolve().parents[1] / "qot"
FLAGS = ("-std=c11", "-O3", "-DNDEBUG", f"-I{QOT / 'include'}")


def compiler() -> str | None:
    """Where it is; None: there is none."""
    return shutil.which("cc")


def build(source: Path, folder: Path, *options: str) -> Path:
    """Compile one file into ``folder``. Raises CalledProcessError when that fails."""
    made = folder / source.stem
    found = compiler()
    assert found is not None, "ask compiler() first"
    subprocess.run([found, *FLAGS, *options, str(source), "-o", str(made)], check=True)
    return made


def use_native(folder: Path) -> None:
    """Let readers be native ones of the present source, whatever is installed."""
    headers = sysconfig.get_path("include")
    made = build(QOT / "_native.c", folder, "-shared", "-fPIC", f"-I{headers}")
    loader = importlib.machinery.ExtensionFileLoader("qot._native", str(made))
    spec = importlib.util.spec_from_loader("qot._native", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    qot.native._native = module
