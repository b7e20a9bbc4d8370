"""localpro: split one window of flow records into three slices, one per branch.

A flow's slice is a hash of its five-tuple, so all records of a flow stay together, and each slice
is a random third of the flows. What many flows do together (an attack, a scan, a crowd) shows in
every slice; what one flow does shows in one. :mod:`globalfusion` builds its vote on that.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from flow_records import format_lines, read_lines
from task_files import Files, as_list, output_name, run_on_sample

SLICES = 3


def slice_of(flow: str) -> int:
    """Which slice ``src,dst,sport,dport,proto`` belongs to, the same on every machine."""
    return zlib.crc32(flow.encode()) % SLICES


def task(filename: Files, pathin: str, pathout: str) -> list[str]:
    """One window in, one file per slice out, in the order of the slices (scatter)."""
    (name,) = as_list(filename)
    meta, lines = read_lines(Path(pathin) / name)
    slices: list[list[str]] = [[] for _ in range(SLICES)]
    for number, line in enumerate(lines, start=3):
        fields = line.split(",")
        if len(fields) != 8:
            raise ValueError(f"{name}:{number}: {len(fields)} fields, expected 8: {line[:80]!r}")
        slices[slice_of(",".join(fields[1:6]))].append(line)
    written = []
    for index, part in enumerate(slices):
        path = Path(pathout) / output_name(name, f"split_{index}.csv")
        text = format_lines({**meta, "input": name, "slice": index, "slices": SLICES}, part)
        path.write_text(text, encoding="utf-8")
        written.append(str(path))
    return written


def main() -> list[str]:
    """Profiling entry."""
    return run_on_sample(task, "*botnet.ipsum*")


if __name__ == "__main__":
    print(main())
