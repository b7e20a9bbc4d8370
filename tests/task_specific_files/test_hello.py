"""The hello app: three tasks in a row, driven by hand."""

from __future__ import annotations

import pytest

APP = "hello"


def chain(app_modules, folder, file):
    """The file after all three tasks."""
    source = folder
    for name in ("greet", "shout", "sign"):
        target = folder / name
        target.mkdir()
        app_modules(name).task(file, str(source), str(target))
        source = target
    return (source / file).read_text("utf-8")


def test_every_sample_is_greeted(apps, app_modules, tmp_path, monkeypatch):
    monkeypatch.setenv("NODE_NAME", "node2")
    samples = sorted((apps / APP / "sample_input").iterdir())
    assert 4 <= len(samples) <= 8
    for sample in samples:
        folder = tmp_path / sample.stem
        folder.mkdir()
        (folder / sample.name).write_bytes(sample.read_bytes())
        text = chain(app_modules, folder, sample.name)
        assert text == f"HELLO, {sample.read_text('utf-8').strip().upper()}!\n(signed on node2)\n"


def test_it_can_be_tried_without_jupiter(app_modules, tmp_path, monkeypatch):
    monkeypatch.delenv("NODE_NAME", raising=False)
    (tmp_path / "zoë.txt").write_text("Zoë\n", encoding="utf-8")
    assert chain(app_modules, tmp_path, "zoë.txt") == "HELLO, ZOË!\n(signed on your own machine)\n"


def test_an_empty_file_fails_with_its_name(app_modules, tmp_path):
    (tmp_path / "nobody.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"nobody.txt is empty"):
        app_modules("greet").task("nobody.txt", str(tmp_path), str(tmp_path))
