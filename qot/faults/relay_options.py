"""The options of ``python -m qot.faults.relay``."""

from __future__ import annotations

import argparse

from jupiter.units import parse_duration_ns
from qot.faults.link import Jitter

Address = tuple[str, int]


def _share(text: str) -> float:
    """``"30%"`` → 0.3. Raises ArgumentTypeError."""
    try:
        if not text.endswith("%"):
            raise ValueError
        return float(text[:-1]) / 100
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write a percentage, as 30%") from None


def _duration(text: str) -> int:
    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}: write host:port")
    return host.strip("[]"), int(port)


def make_parser() -> argparse.ArgumentParser:
    """All options; shares as 0..1, durations in ns."""
    parser = argparse.ArgumentParser(
        prog="python -m qot.faults.relay",
        description="A UDP relay that makes a good link bad, in both directions alike.",
    )
    parser.add_argument("--to", type=_address, required=True, metavar="HOST:PORT")
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    parser.add_argument("--round-trip", type=_duration, default=0, metavar="20ms")
    parser.add_argument(
        "--asymmetry",
        type=_share,
        default=0.0,
        metavar="50%",
        help="100%%: all of the delay is on the way there; -100%%: on the way back",
    )
    parser.add_argument("--jitter", type=_duration, default=0, metavar="1ms", dest="jitter_ns")
    parser.add_argument(
        "--distribution", type=Jitter, choices=list(Jitter), default=Jitter.EXPONENTIAL
    )
    parser.add_argument("--reorder-by", type=_duration, default=10_000_000, metavar="10ms")
    for name, says in (
        ("loss", "packets that vanish"),
        ("duplicate", "packets that come twice"),
        ("reorder", "packets that are held back"),
        ("replay", "chance that a recorded packet comes again"),
        ("bit-flip", "chance of a copy with a bit changed"),
        ("wrong-key", "chance of a copy sealed under another key"),
    ):
        parser.add_argument(f"--{name}", type=_share, default=0.0, metavar="30%", help=says)
    parser.add_argument("--seed", type=int, default=0)
    return parser
