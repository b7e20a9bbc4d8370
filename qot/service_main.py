"""``python -m qot.service_main``: a node's time service as a process of its own.

stdin: one JSON line with a :class:`qot.service_config.ServiceConfig`, later any number of
``{"reference": [host, port]}``; its end ends the process. stdout: one JSON line,
``{"ready": true, "udp_port": N}`` or ``{"ready": false, "error": "..."}``; later one
``{"error": "..."}`` for each order that can't be followed.

Exit code 0 after stdin closed, 2 for a bad configuration, 1 when it can't start.
It never outlives its parent (stdin, and PR_SET_PDEATHSIG), and leaves Ctrl-C to it.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from jupiter.errors import InputError, JupiterError
from qot.realtime import die_with_parent, prepare_thread
from qot.service import TimeService
from qot.service_config import ServiceConfig
from qot.service_control import Control

_FIFO_PRIORITY = 20
_STDIN, _STDOUT = 0, 1


def _say(message: dict[str, object]) -> None:
    """One JSON line for the parent."""
    os.write(_STDOUT, json.dumps(message).encode() + b"\n")


def _first_line() -> tuple[bytes, bytes]:
    """(the configuration, what came after it)."""
    data = b""
    while b"\n" not in data:
        more = os.read(_STDIN, 65536)
        if not more:
            break
        data += more
    line, _, rest = data.partition(b"\n")
    return line, rest


def main() -> int:
    """Run the service; gives the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    line, rest = _first_line()
    try:
        config = ServiceConfig.from_json(line)
        prepare_thread(_FIFO_PRIORITY if config.realtime else 0)
        service = TimeService(config, Control(_STDIN, rest))
    except JupiterError as error:
        _say({"ready": False, "error": str(error)})
        return 2 if isinstance(error, InputError) else 1
    try:
        _say({"ready": True, "udp_port": service.udp_port})
        service.run(_say)
    except BrokenPipeError:
        pass  # The parent is gone and so is the reason to be here.
    finally:
        service.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
