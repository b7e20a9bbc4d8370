"""scripts/environment.py: what is installed when, and what is said when that fails."""

from __future__ import annotations

import environment
import pytest
from environment import Environment, SetupError, check_python


class FakePip:
    """Stands for every command that a set-up runs; makes what they would make."""

    def __init__(self, root):
        self.root = root
        self.done = []
        self.says = {}
        self.fails = set()

    def __call__(self, command, line):
        steps = {"-m venv": "venv", "-m pip": "install"}
        step = steps.get(" ".join(command[1:3]), "try")
        self.done.append(step)
        for text in self.says.get(step, ()):
            line(text)
        if step in self.fails:
            return 1
        if step == "venv":
            folder = self.root / ".venv"
            (folder / "bin").mkdir(parents=True, exist_ok=True)
            (folder / "bin" / "python").touch()
            (folder / "pyvenv.cfg").write_text("version = 3.11.7\n")
        return 0


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project]\n")
    return folder


@pytest.fixture
def pip(root):
    return FakePip(root)


@pytest.fixture
def place(root, pip):
    return Environment(root, pip)


def test_the_first_set_up_makes_the_environment_and_installs(place, pip, capsys):
    place.prepare()
    assert pip.done == ["venv", "install"]
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split()[1] for line in said.err.splitlines()] == ["making", "installing", "ready"]


def test_a_second_set_up_does_and_says_nothing(place, pip, capsys):
    place.prepare()
    capsys.readouterr()
    place.prepare()
    assert pip.done == ["venv", "install"]
    assert capsys.readouterr().err == ""


def test_what_tests_take_includes_what_running_takes_but_not_the_other_way_round(place, pip):
    place.prepare("dev")
    assert place.is_current()
    place.prepare()
    assert pip.done == ["venv", "install"]


def test_a_user_who_becomes_a_contributor_gets_the_rest_in_the_same_environment(place, pip):
    place.prepare()
    assert not place.is_current("dev")
    place.prepare("dev")
    assert pip.done == ["venv", "install", "try", "install"]


def test_a_changed_project_is_installed_again_in_the_same_environment(place, pip, root):
    place.prepare()
    (root / "pyproject.toml").write_text("[project]\ndependencies = ['more']\n")
    place.prepare()
    assert pip.done == ["venv", "install", "try", "install"]
    assert place.is_current()


def test_a_checkout_that_was_moved_is_installed_again(place, pip, root):
    place.prepare()
    moved = root.rename(root.with_name("elsewhere"))
    assert not Environment(moved, pip).is_current()


def test_an_environment_whose_python_is_gone_is_made_anew(place, pip):
    place.prepare()
    place.python.unlink()
    place.prepare()
    assert pip.done == ["venv", "install", "venv", "install"]


def test_an_environment_without_a_working_pip_is_made_anew(place, pip, root):
    place.prepare()
    (root / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    pip.fails = {"try"}
    place.prepare()
    assert pip.done == ["venv", "install", "try", "venv", "install"]


def test_a_set_up_that_failed_is_repeated(place, pip):
    pip.fails = {"install"}
    with pytest.raises(SetupError):
        place.prepare()
    assert not place.is_current()
    pip.fails = set()
    place.prepare()
    assert place.is_current()


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("Temporary failure in name resolution", "network"),
        ("ERROR: No matching distribution found for numpy", "network"),
        ("OSError: [Errno 28] No space left on device", "space"),
        ("error: subprocess-exited-with-error", "mend what is said above"),
    ],
)
def test_a_failed_installation_shows_its_end_and_a_fix(place, pip, said, fix):
    pip.fails, pip.says = {"install"}, {"install": ["Collecting numpy", said]}
    with pytest.raises(SetupError) as caught:
        place.prepare()
    assert said in caught.value.seen
    assert fix in caught.value.fix


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_that_cannot_make_environments_is_told_with_the_fix(
    place, pip, monkeypatch, missing
):
    found = environment.importlib.util.find_spec
    monkeypatch.setattr(
        environment.importlib.util,
        "find_spec",
        lambda name: None if name == missing else found(name),
    )
    with pytest.raises(SetupError, match=missing) as caught:
        place.prepare()
    assert "python3-venv" in caught.value.fix
    assert pip.done == []


def test_debians_own_words_for_a_missing_ensurepip_are_understood(place, pip):
    pip.fails = {"venv"}
    pip.says = {"venv": ["not created successfully because ensurepip is not available."]}
    with pytest.raises(SetupError) as caught:
        place.prepare()
    assert "python3-venv" in caught.value.fix


def test_a_python_that_is_too_old_names_the_command_with_a_newer_one(monkeypatch):
    monkeypatch.setattr(environment.sys, "argv", ["scripts/first_run.py", "runs"])
    monkeypatch.setattr(
        environment.shutil, "which", lambda name: name if name == "python3.12" else None
    )
    with pytest.raises(SetupError, match=r"3\.10") as caught:
        check_python((3, 10), "linux")
    assert caught.value.fix == "python3.12 scripts/first_run.py runs"


def test_a_python_that_is_too_old_and_alone_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(SetupError, match="install a newer Python"):
        check_python((3, 8), "linux")


def test_another_system_is_told_so():
    with pytest.raises(SetupError, match="darwin"):
        check_python((3, 12), "darwin")


def test_this_python_is_good_enough():
    check_python()


def test_a_script_ends_with_exit_code_2_and_the_message(capsys):
    def body():
        raise SetupError("no room", "make some")

    assert environment.main(body) == 2
    assert capsys.readouterr().err == "no room\n  fix: make some\n"


def test_a_command_is_run_to_its_end_and_its_lines_are_handed_on():
    lines = []
    program = "import sys; print('a'); print('b', file=sys.stderr); sys.exit(3)"
    assert environment.run_command([environment.sys.executable, "-c", program], lines.append) == 3
    assert sorted(lines) == ["a", "b"]
