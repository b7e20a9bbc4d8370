"""The form in which detectors tell what they found, and how findings are joined over bins.

A finding is ``{"kind", "first_bin", "last_bin", "key", "score"}``. ``key`` names the traffic that
is to blame, as flow fields: ``{"dst": …}``, ``{"src": …}`` or a whole five-tuple; ``{}`` means that
no single field explains it. ``score`` is the detector's statistic at its largest.
"""

from __future__ import annotations

from typing import Any

FIELDS = ("src", "dst", "sport", "dport", "proto")
Finding = dict[str, Any]


def finding(kind: str, bin_index: int, key: dict[str, str], score: float) -> Finding:
    """A finding in one bin."""
    return {
        "kind": kind,
        "first_bin": bin_index,
        "last_bin": bin_index,
        "key": key,
        "score": round(score, 2),
    }


def overlap(one: Finding, other: Finding, slack: int = 0) -> bool:
    """Whether two findings share a bin, or are at most ``slack`` bins apart."""
    return bool(
        one["first_bin"] <= other["last_bin"] + slack
        and other["first_bin"] <= one["last_bin"] + slack
    )


def join_bins(findings: list[Finding]) -> list[Finding]:
    """Join findings of one kind and key in consecutive bins into one that spans them."""
    joined: list[Finding] = []
    for found in sorted(findings, key=lambda item: item["first_bin"]):
        for earlier in joined:
            if (
                earlier["kind"] == found["kind"]
                and earlier["key"] == found["key"]
                and overlap(earlier, found, slack=1)
            ):
                earlier["last_bin"] = max(earlier["last_bin"], found["last_bin"])
                earlier["score"] = max(earlier["score"], found["score"])
                break
        else:
            joined.append(dict(found))
    return joined


def report(table: dict[str, Any], detector: str, findings: list[Finding]) -> dict[str, Any]:
    """What a detector hands to its fusion center."""
    return {
        "input": table["input"],
        "slice": table["slice"],
        "slices": table["slices"],
        "records": table["records"],
        "detector": detector,
        "findings": findings,
    }
