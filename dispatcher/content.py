"""The content of a delivery: the bytes of its files one after the other, their names and sizes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.executors.base import File
from dispatcher.messages import FileEntry
from transport.frames import MAX_PAYLOAD_BYTES

_SMALL_BYTES = 1 << 20
"""One file of less than this, the usual case, takes a short cut."""


class ContentTooLargeError(Exception):
    """More bytes than one delivery may carry."""


@dataclass(frozen=True, slots=True)
class Content:
    """Immutable; shared by all deliveries that carry the same files."""

    entries: tuple[FileEntry, ...]
    payload: bytes | memoryview
    crc32: int

    @classmethod
    def of(cls, files: Sequence[File]) -> Content:
        """Gather files into one content; files on disk are read. Raises ContentTooLargeError."""
        if len(files) == 1 and files[0].data is not None and len(files[0].data) < _SMALL_BYTES:
            payload = files[0].data
            return cls((FileEntry(files[0].name, len(payload)),), payload, zlib.crc32(payload))
        entries = tuple(FileEntry(file.name, file.size_bytes) for file in files)
        size_bytes = sum(entry.size_bytes for entry in entries)
        if size_bytes > MAX_PAYLOAD_BYTES:
            raise ContentTooLargeError(
                f"{size_bytes} bytes of files go to one child; at most {MAX_PAYLOAD_BYTES} can"
            )
        parts = [file.data if file.data is not None else _read(file) for file in files]
        payload = parts[0] if len(parts) == 1 else b"".join(parts)
        return cls(entries, payload, zlib.crc32(payload))

    @classmethod
    def of_bytes(cls, entries: tuple[FileEntry, ...], payload: bytes | memoryview) -> Content:
        return cls(entries, payload, zlib.crc32(payload))

    @classmethod
    def empty(cls) -> Content:
        return cls((), b"", 0)

    def files(self) -> list[File]:
        """The files again, as views of the payload."""
        if len(self.entries) == 1:
            return [File(self.entries[0].name, data=self.payload)]
        files, start = [], 0
        view = memoryview(self.payload)
        for entry in self.entries:
            end = start + entry.size_bytes
            files.append(File(entry.name, data=view[start:end]))
            start = end
        return files


def _read(file: File) -> bytes:
    assert file.path is not None
    return file.path.read_bytes()
