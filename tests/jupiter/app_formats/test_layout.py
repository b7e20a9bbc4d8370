"""Where an app's files are found, and what is said when they are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupiter.app_formats import load_app
from jupiter.app_formats.layout import sample_files

ONE = "1\na 1 true home\n"


def test_missing_folder(tmp_path, errors):
    (error,) = errors(lambda: load_app(tmp_path / "no"))
    assert "no such APP folder" in error.seen
    assert "jupiter new" in error.fix


def test_empty_folder(tmp_path, errors):
    (error,) = errors(lambda: load_app(tmp_path))
    assert "empty" in error.seen


def test_file_instead_of_folder(write, errors):
    folder = write({"configuration.txt": ONE})
    (error,) = errors(lambda: load_app(folder / "configuration.txt"))
    assert str(folder) in error.fix


def test_folder_without_config(write, errors):
    (error,) = errors(lambda: load_app(write({"README.md": ""})))
    assert "configuration.txt" in error.seen


def test_config_in_the_only_subfolder(write):
    folder = write({"inner/configuration.txt": ONE, "inner/sample_inputs/x": "", "other/y": ""})
    app = load_app(folder)
    assert app.folder == folder / "inner"
    assert app.sample_input == folder / "inner" / "sample_inputs"


def test_config_inside_scripts(write):
    folder = write({"scripts/configuration.txt": ONE, "sample_input/x": ""})
    app = load_app(folder)
    assert (app.folder, app.scripts) == (folder, folder / "scripts")
    assert app.sample_input == folder / "sample_input"


def test_several_apps(write, errors):
    folder = write({"a/configuration.txt": ONE, "b/configuration.txt": ONE})
    (error,) = errors(lambda: load_app(folder))
    assert "a, b" in error.seen


def test_sample_files_are_in_the_order_of_their_numbers(write):
    folder = write({"10botnet": "", "2botnet": "", ".hidden": "", "sub/x": "", "b1": ""})
    assert [path.name for path in sample_files(folder)] == ["2botnet", "10botnet", "b1"]


@given(st.sets(st.from_regex(r"[a-c0-2²]{1,5}", fullmatch=True), max_size=8))
def test_any_names_can_be_ordered(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("samples")
    for name in names:
        (folder / name).touch()
    assert {path.name for path in sample_files(folder)} == names


def test_linked_folders_are_fine(write, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder = write({"app.yaml": "scripts: code\ntasks:\n  a:\n"})
    (folder / "code").symlink_to(tmp_path / "elsewhere")
    assert load_app(folder).scripts == folder / "code"
