"""Flow records: the text form of one measurement window, and its slices.

A window file is CSV, plain or gzip-compressed (told apart by its first bytes):

    # {"bins": 20, "bin_s": 3, "start_unix_s": 1700000000}
    time_s,src,dst,sport,dport,proto,packets,bytes
    0.412,10.1.0.17,192.0.2.8,40112,443,6,9,5210

``time_s`` counts from the start of the window. A flow (src, dst, sport, dport, proto) has one
record or more in each bin that it is active in. The first line carries what must travel with the
data: a slice adds ``input``, the name of the file that the window came from, and ``slice``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COLUMNS = "time_s,src,dst,sport,dport,proto,packets,bytes"
_GZIP_MAGIC = b"\x1f\x8b"


def read_lines(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The first line's data and the record lines. Raises ValueError that names the file."""
    raw = path.read_bytes()
    if raw.startswith(_GZIP_MAGIC):
        raw = gzip.decompress(raw)
    lines = raw.decode("utf-8").splitlines()
    if len(lines) < 2 or not lines[0].startswith("# {") or lines[1] != COLUMNS:
        raise ValueError(
            f"{path.name}: not a flow record file: expected a line '# {{...}}' with bins and "
            f"bin_s, then the line '{COLUMNS}'"
        )
    meta = json.loads(lines[0][2:])
    for key in ("bins", "bin_s"):
        if not isinstance(meta.get(key), int | float) or meta[key] <= 0:
            raise ValueError(f"{path.name}:1: '{key}' must be a number above 0")
    return meta, lines[2:]


def parse_record(line: str) -> tuple[float, tuple[str, ...], int, int]:
    """One record line as (time in s, flow, packets, bytes). Raises ValueError."""
    time_s, src, dst, sport, dport, proto, packets, size = line.split(",")
    return float(time_s), (src, dst, sport, dport, proto), int(packets), int(size)


def format_lines(meta: dict[str, Any], lines: Iterable[str]) -> str:
    """The inverse of :func:`read_lines`."""
    head = "# " + json.dumps(meta, sort_keys=True)
    return "\n".join([head, COLUMNS, *lines]) + "\n"
