"""The operator's nodes: reading ``nodes.txt`` of every generation.

==========================  ============================================  ==================
format                      line                                          from
==========================  ============================================  ==================
2 columns                   ``node1 host``                                Jupiter v2 on
3 columns                   ``node1 user@host password``                  CIRCE-2017
4 columns                   ``node1 host user password``                  Jupiter v1
comma-separated             ``node1,user@host,region[,password]``         DRUPE
yaml                        ``node_map:`` or ``node_list:``               v5, transitional
==========================  ============================================  ==================

``#`` begins a comment, also behind a line. A password column is accepted and forgotten with a
warning; no message ever repeats it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jupiter.app import HOME
from jupiter.errors import InputError, raise_input_errors
from jupiter.text_files import numbered_lines, read_text
from jupiter.yaml_lines import read_yaml

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
RESERVED = "roof"
"""The name of the orchestrator in its certificate."""
_LONGEST_NAME = 63
_HOST = re.compile(r"[A-Za-z0-9_.:\[\]][A-Za-z0-9_.:\[\]-]*")  # never like an option of ssh
_COMMENT = re.compile(r"\s+#.*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Node:
    """A place that runs tasks. host is where it is: a host name, an address, a Kubernetes node."""

    name: str
    host: str
    user: str | None = None
    region: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class NodeList(Mapping[str, Node]):
    """Name → node, in the order of the file. Always has ``home``."""

    nodes: dict[str, Node]
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def home(self) -> Node:
        """The node that jobs enter and leave by."""
        return self.nodes[HOME]


def local_nodes(count: int) -> NodeList:
    """``count`` nodes on this machine: home, node1, node2 and so on. Raises ValueError below 1."""
    if count < 1:
        raise ValueError(f"{count} nodes: at least home is needed")
    names = [HOME, *(f"node{number}" for number in range(1, count))]
    return NodeList({name: Node(name, "localhost") for name in names})


def read_nodes(path: Path) -> NodeList:
    """Read a node list, whatever its format. Raises InputError or InputErrors with lines."""
    if path.suffix in (".yaml", ".yml"):
        return _read_yaml(path)
    text = read_text(path, "list of nodes")
    reader = _Reader(path)
    for line, content in numbered_lines(text):
        reader.take(line, _COMMENT.sub("", content))
    return reader.finish()


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.nodes: dict[str, Node] = {}
        self.names: dict[str, Node] = {}
        """Every name in small letters, also of nodes that can't be taken."""
        self.passwords: list[int] = []
        self.errors: list[InputError] = []
        self.warnings: list[str] = []

    def fail(self, seen: str, fix: str, line: int | None = None, name: str | None = None) -> None:
        self.errors.append(InputError(seen, fix, file=self.path, line=line, field=name))

    def take(self, line: int, content: str) -> None:
        """Read one line that is neither blank nor a comment."""
        commas = "," in content.split()[0]
        columns = [word.strip() for word in content.split(",")] if commas else content.split()
        if commas and columns[0].lower() == "tag":
            return
        fault = _column_fault(columns, commas=commas)
        if fault:
            self.fail(*fault, line)
            self.names.setdefault(columns[0].lower(), Node(columns[0], "", line=line))
            return
        name, host = columns[0], columns[1]
        region = columns[2] or None if commas and len(columns) > 2 else None
        user, at, bare = host.rpartition("@")
        if not commas and len(columns) == 4:
            user = columns[2]
        secret = columns[3] if len(columns) == 4 else ""
        if not commas and len(columns) == 3:
            secret = columns[2]
        if secret:
            self.passwords.append(line)
        self.add(Node(name, bare if at else host, user or None, region, line))

    def add(self, node: Node) -> None:
        """Take one node, or note why it can't be taken."""
        first = self.names.setdefault(node.name.lower(), node)
        fix = _name_fix(node.name)
        if fix:
            self.fail(f"{node.name!r} can't be the name of a node", fix, node.line, "name")
        elif not _HOST.fullmatch(node.host):
            self.fail(
                f"{node.host!r} can't be a host",
                "write a host name or an address, for example localhost",
                node.line,
                "host",
            )
        elif node.user is not None and not _USER.fullmatch(node.user):
            self.fail(
                f"{node.user!r} can't be a user name",
                "write the name that you log in with, for example pi",
                node.line,
                "user",
            )
        elif first is not node:
            seen = "is there twice, first"
            if first.name != node.name:
                seen = f"is {first.name!r} but for capital letters, as"
            self.fail(
                f"node {node.name!r} {seen} in line {first.line}",
                "remove one of the two lines, or rename one node",
                node.line,
                "name",
            )
        else:
            self.nodes[node.name] = node

    def finish(self) -> NodeList:
        """The list, or what is wrong with the file."""
        if HOME not in self.nodes and "scheduler" in self.nodes:
            self.warnings.append(
                f"{self.path.name}: 'scheduler' is taken as home, as CIRCE-2017 calls it"
            )
            self.nodes = {
                HOME if name == "scheduler" else name: node
                if name != "scheduler"
                else Node(HOME, node.host, node.user, node.region, node.line)
                for name, node in self.nodes.items()
            }
        home = self.names.get(HOME, self.nodes.get(HOME))
        if home is None:
            self.fail("there is no node 'home'", "add a line: home localhost")
        elif home.name != HOME:
            self.fail("there is no node 'home'", "write home in small letters", home.line, "name")
        if self.passwords:
            lines = ", ".join(str(line) for line in self.passwords[:5])
            more = ", ..." if len(self.passwords) > 5 else ""
            self.warnings.append(
                f"{self.path.name}: passwords in line {lines}{more} are not used: secrets do not "
                "belong into files, where backups and repositories keep them. Remove the column "
                "and change the passwords; Jupiter makes its own keys at every start"
            )
        raise_input_errors(self.errors)
        return NodeList(self.nodes, self.path, tuple(self.warnings))


def _read_yaml(path: Path) -> NodeList:
    document = read_yaml(path, "list of nodes")
    data = document.data if isinstance(document.data, dict) else {}
    key = next((key for key in ("node_map", "node_list") if isinstance(data.get(key), dict)), None)
    if key is None:
        raise document.error(
            (), "it has no mapping node_map", "add node_map: {home: HOST, node1: HOST}"
        )
    reader = _Reader(path)
    for name, host in data[key].items():
        line = document.line((key, name))
        if isinstance(host, str):
            reader.add(Node(str(name), host, line=line))
        else:
            reader.fail(f"{host!r} is not a host", f"write {name}: HOST", line, str(name))
    return reader.finish()


def _column_fault(columns: list[str], *, commas: bool) -> tuple[str, str] | None:
    """What is wrong with the number of columns, and the fix; else nothing."""
    shape = "TAG,HOST,REGION" if commas else "NAME HOST, with no blank in the name"
    if not 2 <= len(columns) <= 4:
        many = "s" if len(columns) != 1 else ""
        return f"the line has {len(columns)} column{many}", f"write: {shape}"
    if len(columns) == 3 and not commas and "@" not in columns[1]:
        return "the line has 3 columns, and the second is not USER@HOST", f"write: {shape}"
    return None


def _name_fix(name: str) -> str:
    """What to change about a node's name, which is a DNS name in its certificate; else nothing."""
    if not NAME.fullmatch(name):
        example = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-") or "node1"
        return f"use letters, digits, '_', '-' and '.', for example {example}"
    if len(name) > _LONGEST_NAME or ".." in name:
        return f"use up to {_LONGEST_NAME} signs, and no two dots in a row"
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name):
        return "an address is no name: call it node1, for example, and let the address be its host"
    if name.lower() == RESERVED:
        return f"{RESERVED!r} is the name of Jupiter's own end; choose another"
    return ""
