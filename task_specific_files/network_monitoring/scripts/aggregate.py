"""aggregate: turn one slice's records into packets and bytes per flow and bin.

Output: ``flows`` is a list of five-tuples; ``bins[t]`` lists ``[flow number, packets, bytes]`` of
each flow active in bin t. Several records of a flow in one bin are added up.
"""

from __future__ import annotations

from pathlib import Path

from flow_records import parse_record, read_lines
from task_files import Files, as_list, output_name, run_on_sample, write_json


def task(filename: Files, pathin: str, pathout: str) -> list[str]:
    """One slice in, one table out. Raises ValueError that names file and line of a bad record."""
    (name,) = as_list(filename)
    meta, lines = read_lines(Path(pathin) / name)
    count, bin_s = int(meta["bins"]), meta["bin_s"]
    numbers: dict[tuple[str, ...], int] = {}
    bins: list[dict[int, list[int]]] = [{} for _ in range(count)]
    for number, line in enumerate(lines, start=3):
        try:
            time_s, flow, packets, size = parse_record(line)
        except ValueError as error:
            raise ValueError(f"{name}:{number}: not a flow record: {line[:80]!r}") from error
        index = int(time_s // bin_s)
        if not 0 <= index < count:
            raise ValueError(f"{name}:{number}: time {time_s} s is outside the window")
        entry = bins[index].setdefault(numbers.setdefault(flow, len(numbers)), [0, 0])
        entry[0] += packets
        entry[1] += size
    table = {
        "input": meta["input"],
        "slice": meta["slice"],
        "slices": meta["slices"],
        "bin_s": bin_s,
        "records": len(lines),
        "flows": list(numbers),
        "bins": [[[flow, *volume] for flow, volume in active.items()] for active in bins],
    }
    return write_json(
        pathout, output_name(meta["input"], f"merged_file{meta['slice']}.json"), table
    )


def main() -> list[str]:
    """Profiling entry."""
    return run_on_sample(task, "*split_0.csv")


if __name__ == "__main__":
    print(main())
