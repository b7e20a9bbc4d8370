"""Output files in the order of their last close."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.executors.call_folder import take_out
from dispatcher.executors.close_order import NO_WATCH, CloseOrder, watch
from dispatcher.executors.wire import OutFile


@pytest.fixture
def order():
    order = CloseOrder()
    yield order
    order.close()


def files(*names: str) -> list[OutFile]:
    return [OutFile(name, b"") for name in names]


def names(outputs: list[OutFile]) -> list[str]:
    return [output.name for output in outputs]


def test_the_last_close_counts(order, tmp_path):
    number = watch(order.descriptor, str(tmp_path))
    for name in ("a", "b", "c", "a"):
        (tmp_path / name).write_text("x")
    assert names(order.sort(number, files("a", "b", "c"))) == ["b", "c", "a"]


def test_folders_are_told_apart_and_forgotten_once_sorted(order, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    numbers = [watch(order.descriptor, str(folder)) for folder in (one, two)]
    for folder, name in ((one, "a"), (two, "b"), (two, "a"), (one, "b")):
        (folder / name).touch()
    assert names(order.sort(numbers[1], files("a", "b"))) == ["b", "a"]
    assert names(order.sort(numbers[0], files("b", "a"))) == ["a", "b"]
    (one / "b").write_text("again")
    (one / "a").write_text("again")
    assert names(order.sort(numbers[0], files("a", "b"))) == ["b", "a"]


def test_a_removed_folder_keeps_its_order_until_it_is_asked_for(order, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    number = watch(order.descriptor, str(folder))
    for name in ("z", "a"):
        (folder / name).touch()
        order.drain()
    for name in ("z", "a"):
        (folder / name).unlink()
    folder.rmdir()
    assert names(order.sort(number, files("a", "z"))) == ["z", "a"]


@pytest.mark.parametrize("blind", [True, False])
def test_without_inotify_modification_time_then_name_decide(order, tmp_path, blind):
    number = NO_WATCH if blind else watch(order.descriptor, str(tmp_path))
    for name, modified_ns in (("c", 5), ("b", 9), ("a", 9)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(0, modified_ns))
    found = take_out(str(tmp_path))
    assert names(found) == ["c", "a", "b"]
    if blind:
        assert names(order.sort(number, found)) == ["c", "a", "b"]
    else:  # what was linked into place was never closed there: nothing is known of all the files
        assert names(order.sort(number, [*found, *files("linked")])) == ["c", "a", "b", "linked"]


@given(st.permutations(["a", "b", "c", "d", "e"]), st.permutations(["a", "b", "c", "d", "e"]))
def test_any_order_of_closing_is_found_again(tmp_path_factory, closing, reported):
    folder = tmp_path_factory.mktemp("out")
    order = CloseOrder()
    try:
        number = watch(order.descriptor, str(folder))
        opened = {name: (folder / name).open("w") for name in sorted(closing)}
        for name in closing:
            opened[name].close()
        assert names(order.sort(number, files(*reported))) == list(closing)
    finally:
        order.close()


def test_no_descriptor_means_no_watch(tmp_path):
    assert watch(-1, str(tmp_path)) == NO_WATCH
    assert watch(0, str(tmp_path)) == NO_WATCH  # not an inotify descriptor
