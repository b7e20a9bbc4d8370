"""Write ``sample_input/`` and the right answers in ``expected/``, from seeds.

python generate_sample_input.py                      # the twelve windows that are shipped
python generate_sample_input.py --windows 100 --seed 7 --folder elsewhere
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

from synthetic_traffic import BIN_S, BINS, Anomaly, Window, make_window, random_anomalies

APP = Path(__file__).resolve().parent
START_UNIX_S = 1_700_000_000

SHIPPED: tuple[tuple[Anomaly, ...], ...] = (
    (),
    (Anomaly("volume_ddos", 8, 10),),
    (Anomaly("port_scan", 5, 6),),
    (Anomaly("flash_crowd", 11, 13),),
    (Anomaly("alpha_flow", 7, 8),),
    (),
    (Anomaly("flash_crowd", 4, 5), Anomaly("port_scan", 13, 14)),
    (Anomaly("volume_ddos", 14, 15),),
    (Anomaly("alpha_flow", 4, 5), Anomaly("flash_crowd", 12, 14)),
    (Anomaly("port_scan", 15, 17),),
    (),
    (Anomaly("volume_ddos", 5, 6), Anomaly("alpha_flow", 13, 14)),
)
"""The anomalies of ``1botnet.ipsum.gz``, ``2botnet.ipsum.gz``, … in order."""


def window_text(window: Window, start_unix_s: int) -> str:
    """The window as a flow record file (see scripts/flow_records.py)."""
    meta = json.dumps({"bin_s": BIN_S, "bins": BINS, "start_unix_s": start_unix_s})
    lines = [f"# {meta}", "time_s,src,dst,sport,dport,proto,packets,bytes"]
    lines += [
        f"{time_s},{','.join(str(part) for part in flow)},{packets},{size}"
        for time_s, flow, packets, size in window.records
    ]
    return "\n".join(lines) + "\n"


def write_window(folder: Path, number: int, window: Window) -> Path:
    """One input file and its right answer below ``folder``; returns the input file."""
    name = f"{number}botnet.ipsum.gz"
    (folder / "sample_input").mkdir(parents=True, exist_ok=True)
    (folder / "expected").mkdir(exist_ok=True)
    text = window_text(window, START_UNIX_S + (number - 1) * BINS * BIN_S)
    path = folder / "sample_input" / name
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    answer = {"input": name, "records": len(window.records), "anomalies": window.truth}
    (folder / "expected" / f"{number}botnet.json").write_text(
        json.dumps(answer, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=APP, help="default: this app")
    parser.add_argument("--windows", type=int, help="random windows instead of the shipped ones")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for number in range(1, (given.windows or len(SHIPPED)) + 1):
        seed = given.seed * 1_000_003 + number
        anomalies = random_anomalies(seed) if given.windows else SHIPPED[number - 1]
        path = write_window(given.folder, number, make_window(seed, anomalies))
        told = ", ".join(a.kind for a in anomalies) or "clean"
        print(f"{path}: {path.stat().st_size} bytes, {told}")


if __name__ == "__main__":
    main()
