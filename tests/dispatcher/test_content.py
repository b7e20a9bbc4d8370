"""Content: files become bytes and the same files again."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import content as content_module
from dispatcher.content import Content, ContentTooLargeError
from dispatcher.executors.base import File
from dispatcher.file_names import is_plain_name

FILES = st.lists(st.tuples(st.text(min_size=1, max_size=5), st.binary(max_size=50)), max_size=6)


@given(files=FILES)
def test_files_come_back_as_they_were(files: list[tuple[str, bytes]]) -> None:
    made = Content.of([File(name, data) for name, data in files])
    assert [(file.name, bytes(file.data or b"")) for file in made.files()] == files
    assert made.crc32 == zlib.crc32(b"".join(data for _, data in files))
    assert Content.of_bytes(made.entries, made.payload) == made


def test_files_on_disk_are_read(tmp_path: Path) -> None:
    (tmp_path / "stored").write_bytes(b"on disk")
    made = Content.of([File("a", b"in memory"), File("b", path=tmp_path / "stored")])
    assert bytes(made.payload) == b"in memoryon disk"
    assert [entry.size_bytes for entry in made.entries] == [9, 7]


def test_a_file_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Content.of([File("a", path=tmp_path / "gone")])


def test_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_module, "MAX_PAYLOAD_BYTES", 10)
    (tmp_path / "large").write_bytes(bytes(8))
    files = [File("a", path=tmp_path / "large"), File("b", bytes(3))]
    with pytest.raises(ContentTooLargeError, match="11 bytes"):
        Content.of(files)


def test_empty_content_has_no_files() -> None:
    assert Content.empty().files() == []
    assert Content.of([]) == Content.empty()


@given(name=st.text(max_size=300))
def test_a_plain_name_names_a_file_in_its_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    if is_plain_name(name):
        folder = tmp_path_factory.getbasetemp()
        path = folder / name
        path.write_bytes(b"x")
        assert path.parent == folder
        assert path.name == name
        path.unlink()
    else:
        assert name in ("", ".", "..") or set(name) & set("/\\\0") or len(name.encode()) > 255


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "a\\b", "a\0", "\udcff", "ü" * 128])
def test_names_that_are_not_plain(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["a", "a b", "..a", "ü" * 127, "-rf", "a\nb", ".hidden"])
def test_names_that_are_plain(name: str) -> None:
    assert is_plain_name(name)
