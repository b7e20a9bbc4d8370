from pathlib import Path

import pytest

from jupiter.errors import InputError
from qot.coordination.config import KEY_VARIABLE, Backend, read_config, read_key

KEY = "0123456789abcdef"


def written(tmp_path, text):
    path = tmp_path / "coordination.toml"
    path.write_text(text)
    return path


def test_defaults():
    config = read_config(None, {})
    assert (config.host, config.port, config.backend) == ("127.0.0.1", 8502, Backend.SQLITE)
    assert config.limits.terms.lease_ns < config.limits.terms.silence_ns


def test_options_win_over_the_file(tmp_path):
    file = written(tmp_path, 'port = 1\nlease = "2s"\nsilence = "3s"\nbackend = "zookeeper"\n')
    config = read_config(file, {"port": 2, "host": None})
    assert (config.port, config.lease, config.backend) == (2, 2 * 10**9, Backend.ZOOKEEPER)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "did you mean 'port'"),
        ("zzz = 1", "use one of host, port"),
        ("port = 70000", "found 70000"),
        ('port = "x"', "found 'x'"),
        ("lease = 5", "write a number with one of the units"),
        ('lease = "0s"', "greater than 0"),
        ('lease = "1s"', "lease must be shorter than silence"),
        ('backend = "mysql"', "found 'mysql'"),
        ("port =", "is not TOML"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path, text, words):
    file = written(tmp_path, text)
    with pytest.raises(InputError, match=words) as caught:
        read_config(file, {})
    assert caught.value.file == str(file)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "::", "node1"])
def test_the_key_leaves_this_machine_on_an_operators_word_only(host):
    with pytest.raises(InputError, match="the key would travel unencrypted"):
        read_config(None, {"host": host})
    assert read_config(None, {"host": host, "plain_http": True}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "::1", "localhost"])
def test_this_machine_is_private(host):
    assert read_config(None, {"host": host}).host == host


def test_no_password_on_the_command_line(tmp_path):
    url = "nats://me:secret@host:4222"
    with pytest.raises(InputError, match="which everyone on this machine could read") as caught:
        read_config(None, {"nats": url})
    assert "secret" not in str(caught.value)
    assert read_config(written(tmp_path, f'nats = "{url}"'), {}).nats == url


def test_a_mistake_in_an_option_is_not_the_files():
    with pytest.raises(InputError) as caught:
        read_config(None, {"port": -1})
    assert (caught.value.file, caught.value.field) == (None, "port")


def test_a_file_that_is_not_there():
    with pytest.raises(InputError, match="can't be read"):
        read_config(Path("nowhere.toml"), {})


def test_the_key_comes_from_a_file_or_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert read_key(file, {KEY_VARIABLE: "another-key-here"}) == KEY
    assert read_key(None, {KEY_VARIABLE: KEY}) == KEY


@pytest.mark.parametrize(
    "key", ["", "  ", "short", "has a blank in the middle", "ключ-ключ-ключ-ключ"]
)
def test_a_bad_key_is_refused_and_not_shown(tmp_path, key):
    with pytest.raises(InputError, match="openssl rand") as caught:
        read_key(None, {KEY_VARIABLE: key})
    assert not key.strip() or key not in str(caught.value)


def test_a_key_file_that_is_not_there():
    with pytest.raises(InputError, match="the key can't be read"):
        read_key(Path("nowhere.key"), {})
