"""Redirects ``/centralized_scheduler`` at run time, for paths a task puts together itself.

Staging rewrites what is written in the scripts; what is left are paths such as
``"/" + "centralized_scheduler"`` or names read from data. Inside a task process the functions that
Python code opens files and starts programs with are wrapped: an argument that is, or starts with,
``/centralized_scheduler`` is replaced by the staged path. C libraries called directly are out of
reach; see docs/task_contract.md for the limits.
"""

from __future__ import annotations

import builtins
import functools
import io
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

CONTAINER_PATH = "/centralized_scheduler"

# How many leading arguments of each function of os are paths.
_PATH_ARGUMENTS = {
    **dict.fromkeys(("access", "chdir", "chmod", "chown", "lchown", "utime", "truncate"), 1),
    **dict.fromkeys(("open", "mkdir", "mkfifo", "mknod", "remove", "unlink", "rmdir"), 1),
    **dict.fromkeys(("stat", "lstat", "statvfs", "pathconf", "listdir", "scandir", "readlink"), 1),
    **dict.fromkeys(("getxattr", "listxattr"), 1),
    **dict.fromkeys(("execv", "execve", "posix_spawn", "posix_spawnp"), 1),
    **dict.fromkeys(("link", "rename", "replace", "symlink"), 2),
}
_WITH_ARGV = {"execv", "execve", "posix_spawn", "posix_spawnp"}
_PATH_KEYWORDS = ("path", "src", "dst", "file", "name")
_CAPABILITIES = (
    os.supports_dir_fd,
    os.supports_fd,
    os.supports_follow_symlinks,
    os.supports_effective_ids,
)
_IN_TEXT = re.compile(r"(?<![\w./~})-])/centralized_scheduler(?![\w.-])")


class Redirection:
    """Rewrites one kind of argument after the other to ``staged``, an absolute path."""

    def __init__(self, staged: str) -> None:
        self._staged = staged

    def path(self, path: Any) -> Any:
        """A path: str, bytes, PathLike or a descriptor; returned as it is unless it matches."""
        if isinstance(path, int) or path is None:
            return path
        plain = os.fspath(path)
        text = os.fsdecode(plain) if isinstance(plain, bytes) else plain
        if not text.startswith(CONTAINER_PATH):
            return path
        rest = text[len(CONTAINER_PATH) :]
        if rest and rest[0] != "/":
            return path
        moved = self._staged + rest
        return os.fsencode(moved) if isinstance(plain, bytes) else moved

    def text(self, text: Any) -> Any:
        """A command line or one argument of it: the path may be anywhere in the text."""
        if isinstance(text, str):
            return _IN_TEXT.sub(lambda _: self._staged, text)
        if isinstance(text, bytes | os.PathLike):
            return self.path(text)
        return text

    def argv(self, argv: Any) -> Any:
        """What subprocess takes as its arguments: one text or a sequence of them."""
        if isinstance(argv, str | bytes | os.PathLike):
            return self.text(argv)
        return [self.text(item) for item in argv]


def _wrap_os(function: Callable[..., Any], paths: int, redirect: Redirection) -> Callable[..., Any]:
    with_argv = function.__name__ in _WITH_ARGV

    @functools.wraps(function)
    def redirected(*args: Any, **kwargs: Any) -> Any:
        moved = list(args)
        for index in range(min(paths, len(moved))):
            moved[index] = redirect.path(moved[index])
        if with_argv and len(moved) > 1:
            moved[1] = redirect.argv(moved[1])
        for key in _PATH_KEYWORDS:
            if key in kwargs:
                kwargs[key] = redirect.path(kwargs[key])
        return function(*moved, **kwargs)

    return redirected


def install(staged: str) -> None:
    """Redirect from now on, in this process and what it forks. Can't be undone."""
    redirect = Redirection(staged)
    for name, paths in _PATH_ARGUMENTS.items():
        original = getattr(os, name)
        wrapped = _wrap_os(original, paths, redirect)
        for capability in _CAPABILITIES:
            if original in capability:
                capability.add(wrapped)
        setattr(os, name, wrapped)

    original_open = builtins.open

    @functools.wraps(original_open)
    def redirected_open(file: Any, *args: Any, **kwargs: Any) -> Any:
        return original_open(redirect.path(file), *args, **kwargs)

    builtins.open = redirected_open
    io.open = redirected_open

    original_system = os.system

    @functools.wraps(original_system)
    def redirected_system(command: Any) -> int:
        return original_system(redirect.text(command))

    os.system = redirected_system

    original_popen = subprocess.Popen.__init__

    @functools.wraps(original_popen)
    def redirected_popen(self: Any, args: Any, *rest: Any, **kwargs: Any) -> None:
        for key in ("cwd", "executable"):
            if kwargs.get(key) is not None:
                kwargs[key] = redirect.path(kwargs[key])
        original_popen(self, redirect.argv(args), *rest, **kwargs)

    subprocess.Popen.__init__ = redirected_popen  # type: ignore[method-assign]
