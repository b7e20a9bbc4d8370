"""Members of a cluster, a stranger, and connected pairs for the tests of connections."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from transport.identity import Authority

sys.path.insert(0, str(Path(__file__).parent))

from connected_pair import TIMEOUT_S, Members, Pair, connected_pair


@pytest.fixture(scope="session")
def members(tmp_path_factory: pytest.TempPathFactory) -> Members:
    folder = tmp_path_factory.mktemp("keys")
    authority, other = Authority("ours"), Authority("theirs")
    return Members(
        authority.issue("alice", folder / "alice"),
        authority.issue("bob", folder / "bob"),
        other.issue("bob", folder / "stranger"),
    )


@pytest.fixture
def run_pair(members: Members) -> Callable[[Callable[[Pair], Awaitable[None]]], None]:
    """Runs a test's coroutine with a connected pair, and never longer than the timeout."""

    def run(scenario: Callable[[Pair], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(TIMEOUT_S), connected_pair(members) as pair:
                await scenario(pair)

        asyncio.run(main())

    return run


@pytest.fixture
def bare_client(members: Members) -> ssl.SSLContext:
    """A client that trusts the cluster but shows no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(members.alice.authority)
    return context
