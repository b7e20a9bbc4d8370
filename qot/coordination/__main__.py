"""``python -m qot.coordination``: the coordination service. docs/coordination.md.

Exit code 0 after Ctrl-C or SIGTERM, 2 when the settings can't be used (nothing was started), 1 when
ZooKeeper or NATS can't be reached.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from jupiter.errors import InputError, JupiterError
from qot.coordination.config import KEY_VARIABLE, Backend, read_config

_EXTRA = {"flask", "werkzeug", "waitress", "kazoo", "nats"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qot.coordination",
        description="The coordination service: who is on a timeline, and whose clock it is.",
        epilog=f"The key comes from --key-file or {KEY_VARIABLE}. Ctrl-C ends the service.",
    )
    parser.add_argument("--config", type=Path, help="a TOML file; options win over it")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8502; 0: any)")
    parser.add_argument("--advertise", metavar="URL", help="where other hosts reach it")
    parser.add_argument("--backend", choices=list(Backend), help="where it keeps things (sqlite)")
    parser.add_argument("--database", type=Path, help="SQLite file (coordination.sqlite)")
    parser.add_argument("--zookeeper", metavar="HOSTS", help="host:port,… (127.0.0.1:2181)")
    parser.add_argument("--nats", metavar="URL", help="publish changes there (nowhere)")
    parser.add_argument("--key-file", type=Path, help="file with the key that writers present")
    parser.add_argument(
        "--plain-http",
        action="store_true",
        default=None,
        help="listen on other addresses than this machine's own, without encryption",
    )
    return parser


def _say(text: str) -> None:
    os.write(sys.stdout.fileno(), text.encode() + b"\n")


def main(words: list[str] | None = None) -> int:
    """Run the service; gives the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    options = vars(_parser().parse_args(words))
    try:
        config = read_config(options.pop("config"), options)
        try:
            from qot.coordination.server import serve
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in _EXTRA:
                raise
            raise InputError(
                f"the coordination service needs {error.name}, which is not installed",
                "pip install 'jupiter-dispersed[coordination]'",
            ) from None
        serve(config, lambda url: _say(f"serving {url}/api/service/ on {config.backend}"))
    except JupiterError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
