"""nodes.txt of every generation, and what is said about a bad one."""

from __future__ import annotations

import pytest

from jupiter.nodes import Node, local_nodes, read_nodes


def read(write, text: str, name: str = "nodes.txt"):
    return read_nodes(write({name: text}) / name)


def test_two_columns(write):
    nodes = read(write, "# mine\nhome  host-a \n\nnode1 10.0.0.5\nnode3 pi@host-c")
    assert list(nodes) == ["home", "node1", "node3"]
    assert nodes.home == Node("home", "host-a", line=2)
    assert nodes["node3"] == Node("node3", "host-c", user="pi", line=5)
    assert not nodes.warnings


def test_four_columns_forget_the_password_and_say_why(write):
    nodes = read(write, "home host-a root hunter2\nnode1 host-b root hunter2\n")
    assert nodes["node1"].user == "root"
    (warning,) = nodes.warnings
    assert "line 1, 2" in warning
    assert "secrets do not" in warning
    assert "hunter2" not in repr(nodes)


def test_circe_2017(write):
    nodes = read(write, "scheduler root@10.0.0.1 hunter2\nnode1 root@10.0.0.2 hunter2\n")
    assert list(nodes) == ["home", "node1"]
    assert nodes.home == Node("home", "10.0.0.1", user="root", line=1)
    assert len(nodes.warnings) == 2
    assert "hunter2" not in repr(nodes)


def test_drupe(write):
    text = "Tag,Node,Region\nhome,me@10.0.0.1,FRA,hunter2\nnode1, 10.0.0.2 , LON\n"
    nodes = read(write, text)
    assert nodes.home == Node("home", "10.0.0.1", user="me", region="FRA", line=2)
    assert nodes["node1"] == Node("node1", "10.0.0.2", region="LON", line=3)
    assert len(nodes.warnings) == 1


@pytest.mark.parametrize("key", ["node_map", "node_list"])
def test_nodes_of_app_config_yaml(write, key):
    nodes = read(write, f"{key}:\n  home: master\n  node1: n0\n", "app_config.yaml")
    assert nodes["node1"] == Node("node1", "n0", line=3)


@pytest.mark.parametrize(
    ("text", "line", "said", "fix"),
    [
        ("", None, "no node 'home'", "home localhost"),
        ("node1 host\n", None, "no node 'home'", "home localhost"),
        ("home a\nnode1 b\nnode1 c\n", 3, "twice, first in line 2", "rename"),
        ("home a\nhome b\n", 2, "twice", "remove"),
        ("home a\nnode1\n", 2, "1 column", "NAME HOST"),
        ("home a root hunter2 5\n", 1, "5 columns", "NAME HOST"),
        ("home,a,b,hunter2,5\n", 1, "5 columns", "TAG,HOST"),
        ("home a\nno de1 b\n", 2, "3 columns", "no blank in the name"),
        ("home a b\n", 1, "3 columns", "NAME HOST"),
        ("home a\nnode;1 b\n", 2, "'node;1'", "example node_1"),
        ("home a\nnode1: b\n", 2, "'node1:'", "example node1"),
        ("home a\n.. b\n", 2, "'..'", "example node1"),
        ("home a\nNode1 b\nnode1 c\n", 3, "'Node1' but for capital letters", "rename"),
        ("Home a\nnode1 b\n", 1, "no node 'home'", "small letters"),
        (f"home a\nnode{60 * '0'} b\n", 2, "can't be the name", "63 signs"),
        ("home a\nn..1 b\n", 2, "'n..1'", "two dots"),
        ("home a\n10.0.0.7 b\n", 2, "'10.0.0.7'", "host"),
        ("home a\nRoof b\n", 2, "'Roof'", "choose another"),
        ("home a\nnode1 $(x)\n", 2, "can't be a host", "address"),
        ("home a\nnode1 -oflag\n", 2, "can't be a host", "address"),
        ("home a\nnode1 -x@b\n", 2, "can't be a user", "log in"),
    ],
)
def test_bad_lists(write, errors, text, line, said, fix):
    found = errors(lambda: read(write, text))
    match = [error for error in found if said in error.seen]
    assert match, [str(error) for error in found]
    assert match[0].line == line
    assert fix in match[0].fix
    assert not any("hunter2" in str(error) for error in found)


def test_tabs_windows_line_ends_byte_order_mark_and_comments_do_no_harm(write):
    text = "\ufeff# mine\r\nhome\thost-a\r\n\r\n  node1\t host-b  # the fast one, twice\r\n"
    nodes = read(write, text)
    assert nodes["node1"] == Node("node1", "host-b", line=4)
    assert list(nodes) == ["home", "node1"]
    assert not nodes.warnings


def test_home_alone_and_nodes_that_share_a_host_are_fine(write):
    assert list(read(write, "home a\n")) == ["home"]
    assert len(read(write, "home a\nnode1 a\nnode2 a\n")) == 3


def test_a_bad_line_of_home_is_not_told_twice(write, errors):
    (error,) = errors(lambda: read(write, "home\nnode1 a\n"))
    assert "1 column" in error.seen
    (error,) = errors(lambda: read(write, "home -oflag\nnode1 a\n"))
    assert error.field == "host"


def test_a_node_without_a_host_in_yaml(write, errors):
    (error,) = errors(lambda: read(write, "node_map:\n  home: a\n  node1:\n", "app_config.yaml"))
    assert (error.line, error.field, error.fix) == (3, "node1", "write node1: HOST")


def test_missing_and_unreadable_lists(tmp_path, errors):
    (error,) = errors(lambda: read_nodes(tmp_path / "nodes.txt"))
    assert error.file == str(tmp_path / "nodes.txt")
    (tmp_path / "nodes.txt").write_bytes(b"home a\n\xff\n")
    (error,) = errors(lambda: read_nodes(tmp_path / "nodes.txt"))
    assert error.line == 2


def test_all_faults_come_together(write, errors):
    assert len(errors(lambda: read(write, "node1\nnode2 a\nnode2 b\n"))) >= 2


def test_local_nodes():
    assert list(local_nodes(3)) == ["home", "node1", "node2"]
    with pytest.raises(ValueError, match="at least home"):
        local_nodes(0)


def test_shipped_list_is_good(request):
    nodes = read_nodes(request.config.rootpath / "nodes.txt")
    assert len(nodes) == 4
    assert {node.host for node in nodes.values()} == {"localhost"}
