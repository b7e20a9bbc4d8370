"""TLS contexts: both sides show a certificate of the cluster's own authority.

A node's certificate carries its name as a DNS subject alternative name. A client checks that it
reached the node it meant; a server learns who is calling from the certificate, not from a message.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where a member's key material is: PEM files made by :mod:`transport.identity`."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Credentials:
        return cls(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """Accepts only peers with a certificate of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _prepare(context, credentials)
    context.num_tickets = 0
    return context


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """Connects only to a node that proves the name it is called by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = True
    _prepare(context, credentials)
    return context


def _prepare(context: ssl.SSLContext, credentials: Credentials) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(credentials.authority)
    context.load_cert_chain(credentials.certificate, credentials.key)


def peer_name(tls_socket: ssl.SSLSocket | ssl.SSLObject) -> str:
    """The member's name in the certificate of the other side; after the handshake only."""
    certificate = tls_socket.getpeercert() or {}
    names: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())  # type: ignore[assignment]
    for kind, value in names:
        if kind == "DNS":
            return value
    raise ssl.SSLCertVerificationError("the peer's certificate names no member")
