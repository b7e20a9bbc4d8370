"""Wake every second of the timeline and print the time with its uncertainty.

python hello_time.py PAGE [PERIOD_MS [TIMES]]: PAGE is the clock page of this node's time service.
"""

import sys
from pathlib import Path

from qot.timeline import TimelineReader
from qot.wait import Period


def main(page: str, period_ms: str = "1000", times: str = "0") -> None:
    """times 0: for ever."""
    with TimelineReader(Path(page)) as reader:
        for number, wake in enumerate(Period(reader, int(period_ms) * 1_000_000), 1):
            now = wake.instant
            sys.stdout.write(
                f"{now.estimate_ns} ns  -{now.early_ns} +{now.late_ns}  {now.status}  "
                f"woke {wake.late_ns} ns after {wake.target_ns}\n"
            )
            sys.stdout.flush()
            if number == int(times):
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
