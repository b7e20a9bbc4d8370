"""Which names a file may have that comes from a task or over the wire."""

from __future__ import annotations

from functools import lru_cache

MAX_NAME_BYTES = 255
"""The longest file name of common file systems."""


@lru_cache(maxsize=4096)
def is_plain_name(name: str) -> bool:
    """Is it a base name that every node can make a file of, never a path?"""
    if name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
        return False
    try:
        return len(name.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False  # bytes that are not UTF-8, as os.fsdecode gives them
