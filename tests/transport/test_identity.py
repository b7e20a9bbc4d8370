"""Keys made at start: private, verifiable, and naming their member."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
from connected_pair import Members
from cryptography import x509

from transport.identity import Authority
from transport.tls import Credentials, client_context, peer_name, server_context


def shake_hands(server: Credentials, client: Credentials, name: str) -> tuple[str, str]:
    """A handshake in memory: the names that the server and the client learn of one another."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server_context(server).wrap_bio(to_server, to_client, server_side=True),
        client_context(client).wrap_bio(to_client, to_server, server_hostname=name),
    ]
    waiting = set(ends)
    while waiting:
        for end in ends:
            try:
                end.do_handshake()
                waiting.discard(end)
            except ssl.SSLWantReadError:
                pass
    return peer_name(ends[0]), peer_name(ends[1])


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    credentials = Authority("c").issue("node1", tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for path in (credentials.authority, credentials.certificate, credentials.key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Credentials.in_folder(tmp_path / "keys") == credentials


def test_issuing_again_replaces_the_key(tmp_path: Path) -> None:
    authority = Authority("c")
    before = authority.issue("node1", tmp_path).key.read_bytes()
    assert authority.issue("node1", tmp_path).key.read_bytes() != before


@pytest.mark.parametrize("name", ["home", "node1", "Node_2.rack-3", "roof", "7"])
def test_a_certificate_names_its_member(tmp_path: Path, name: str) -> None:
    authority = Authority("c")
    member = authority.issue(name, tmp_path / "a")
    other = authority.issue("other", tmp_path / "b")
    assert shake_hands(member, other, name) == ("other", name)


def test_a_member_is_no_authority(members: Members) -> None:
    certificate = x509.load_pem_x509_certificate(members.alice.certificate.read_bytes())
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert not basic.value.ca


def test_the_authority_keeps_its_key_to_itself(tmp_path: Path) -> None:
    credentials = Authority("c").issue("node1", tmp_path)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert written.count(b"PRIVATE KEY-----\n") == 2, "one key: its begin and its end"
    assert b"PRIVATE KEY" in credentials.key.read_bytes()


def test_both_sides_demand_a_certificate(members: Members) -> None:
    for context in (server_context(members.alice), client_context(members.alice)):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_3
