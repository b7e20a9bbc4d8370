"""Set Jupiter up if that was not done yet, then run it.

    python3 scripts/first_run.py                 runs the app task_specific_files/network_monitoring
    python3 scripts/first_run.py check MY_APP    any other `jupiter` command: its words, as they are

Needs Python 3.11 and the network (for the packages); no root, compiler, database or container.
"""

import os
import sys

import environment

FIRST_APP = "task_specific_files/network_monitoring"


def run() -> int:
    """Becomes the jupiter command: its exit code is ours, and Ctrl-C reaches it directly."""
    place = environment.Environment()
    place.prepare()
    words = sys.argv[1:]
    if not words:
        os.chdir(place.root)
        words = ["run", FIRST_APP]
        sys.stderr.write(f"$ jupiter {' '.join(words)}\n")
    command = str(place.bin / "jupiter")
    os.execv(command, [command, *words])


if __name__ == "__main__":
    sys.exit(environment.main(run))
