"""The private folder of one call: inputs are laid in, outputs are taken out.

<folder>/in0, in1, …   pathin of the first, second, … call of task() for this job
<folder>/out           pathout of all of them
"""

from __future__ import annotations

import os
import shutil
import stat

from dispatcher.executors.wire import INLINE_BYTES, InFile, OutFile


class FilesError(Exception):
    """The task broke the contract about its files; the message says how."""


class LinkedInputs:
    """Inputs that are hard links to the node's own copies, and how these looked before the call."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, str, tuple[int, int]]] = []

    def add(self, name: str, path: str) -> None:
        self._seen.append((name, path, _looks(path)))

    def check(self) -> None:
        """Raises FilesError if the task wrote into one: its bytes are no longer what was sent."""
        for name, path, before in self._seen:
            if _looks(path) != before:
                raise FilesError(
                    f"the task changed its input {name!r} in place; write a new file instead"
                )


def _looks(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def lay_in(files: list[InFile], folder: str) -> None:
    """Put the files into ``folder``: inline ones written, ones on disk hard-linked or copied."""
    for file in files:
        target = os.path.join(folder, file.name)
        if file.path is None:
            assert file.data is not None
            with open(target, "wb", buffering=0) as out:
                out.write(file.data)
        else:
            try:
                os.link(file.path, target)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(file.path, target)


def take_out(folder: str) -> list[OutFile]:
    """The outputs; those up to INLINE_BYTES are read and removed from the folder.

    They are ordered by modification time, then name; the node knows better (close_order).

    Raises FilesError for what can't be an output: sub-folders with something in them, links,
    devices. Empty sub-folders are ignored.
    """
    found: list[tuple[int, str, int]] = []
    for entry in os.scandir(folder):
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            found.append((status.st_mtime_ns, entry.name, status.st_size))
        elif not stat.S_ISDIR(status.st_mode):
            raise FilesError(
                f"{entry.name!r} in pathout is no regular file; copy the content there"
            )
        elif os.listdir(entry.path):
            raise FilesError(
                f"the task wrote into the folder {entry.name!r} in pathout; "
                "outputs are files directly in pathout"
            )
    outputs = []
    for _, name, size_bytes in sorted(found):
        path = os.path.join(folder, name)
        if size_bytes > INLINE_BYTES:
            outputs.append(OutFile(name, None, path))
            continue
        with open(path, "rb", buffering=0) as file:
            outputs.append(OutFile(name, file.read()))
        os.unlink(path)
    return outputs
