"""``run.lock.json``: all that defines a run, so that its reports need no other file.

Written once the run is planned, before it streams. Fields may be added with a default; a change
that an old reader would misread raises :data:`FORMAT`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from jupiter.app import App, Executor, OutputPolicy, Trigger
from jupiter.profile import LinkProfile, NodeProfile, Profiles, TaskProfile
from jupiter.timetable import Timetable

FORMAT = 1
"""Version of the file format."""


class LockedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task of the app as it was when the run started. children may hold ``home``."""

    children: list[str]
    parents: list[str]
    executor: Executor = Executor.ISOLATED
    trigger: Trigger = Trigger.EVENT
    output_policy: OutputPolicy = OutputPolicy.BROADCAST


class LockedApp(msgspec.Struct, frozen=True, kw_only=True):
    """The app: where it was, and the SHA-256 of its config and scripts."""

    name: str
    folder: str
    dialect: str
    tasks: dict[str, LockedTask]
    ingress: list[str]
    services: list[str] = []
    content_hash: str = ""


class LockedTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """The timeline that the nodes bound to, and the accuracy that was demanded of it."""

    name: str
    accuracy_ns: int


class LockedProfiles(msgspec.Struct, frozen=True, kw_only=True):
    """The profiles that the placement was decided by."""

    links: list[LinkProfile] = []
    nodes: list[NodeProfile] = []
    tasks: list[TaskProfile] = []


class RunLock(msgspec.Struct, frozen=True, kw_only=True):
    """One run's definition.

    clock_models gives each node's emulated clock as data (see :mod:`qot.clock`), None when nodes
    use real clocks; reference is the node whose clock the timeline follows. one_machine says that
    all nodes share one CLOCK_MONOTONIC, so that their ``core_ns`` can be compared.
    """

    run_id: str
    app: LockedApp
    nodes: list[str]
    placement: dict[str, str]
    scheduler: str = ""
    timetable: Timetable | None = None
    profiles: LockedProfiles = LockedProfiles()
    clock_models: dict[str, dict[str, Any]] | None = None
    reference: str = "home"
    timeline: LockedTimeline | None = None
    one_machine: bool = True
    cluster: str = "local"
    jobs_expected: int | None = None
    seed: int = 0
    versions: dict[str, str] = {}
    settings: dict[str, Any] = {}
    format: int = FORMAT


_decoder = msgspec.json.Decoder(RunLock)


def encode_lock(lock: RunLock) -> bytes:
    """Indented JSON with a final newline. Mappings keep their order: tasks that of the config."""
    return msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n"


def decode_lock(content: bytes) -> RunLock:
    """The inverse. Raises ValueError for a newer format, msgspec.MsgspecError for anything else."""
    version = msgspec.json.decode(content, type=_Version).format
    if version != FORMAT:
        raise ValueError(f"format {version} is not the {FORMAT} that this version of Jupiter reads")
    return _decoder.decode(content)


class _Version(msgspec.Struct):
    format: int = FORMAT


def lock_app(app: App, *, with_hash: bool = True) -> LockedApp:
    """An app as the lock keeps it; reads its files for the hash."""
    return LockedApp(
        name=app.name,
        folder=str(app.folder),
        dialect=app.dialect,
        tasks={
            task.name: LockedTask(
                children=list(task.children),
                parents=list(app.parents(task.name)),
                executor=task.executor,
                trigger=task.trigger,
                output_policy=task.output_policy,
            )
            for task in app.tasks.values()
        },
        ingress=list(app.ingress),
        services=list(app.services),
        content_hash=content_hash(app) if with_hash else "",
    )


def lock_profiles(profiles: Profiles) -> LockedProfiles:
    """Profiles as the lock keeps them."""
    return LockedProfiles(
        links=list(profiles.links.values()),
        nodes=list(profiles.nodes.values()),
        tasks=list(profiles.tasks.values()),
    )


def content_hash(app: App) -> str:
    """SHA-256 over the config and everything in the scripts folder, names included."""
    digest = hashlib.sha256()
    for path in _code_files(app):
        content = path.read_bytes()
        name = path.relative_to(app.folder) if path.is_relative_to(app.folder) else path.name
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _code_files(app: App) -> list[Path]:
    scripts = (
        path
        for path in app.scripts.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return sorted({app.config, *scripts})
