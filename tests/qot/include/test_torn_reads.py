"""The stress of benchmarks/torn_reads.py, cut short by count."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "torn_reads.py"


def test_nobody_reads_half_of_a_write() -> None:
    command = [sys.executable, str(BENCHMARK), "--generations", "100", "--c", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    kinds = ["python", "c"] if shutil.which("cc") else ["python"]
    assert [reader["kind"] for reader in found["readers"]] == kinds
    for reader in found["readers"]:
        assert reader["torn"] == 0
        assert reader["generations"] == 100
        assert reader["past"] > 0
