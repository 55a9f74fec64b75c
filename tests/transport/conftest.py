from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme

from deskim._transport import DeskTransport
from deskim._transport._h11 import H11Parser
from deskim._transport._parsers import ParserFactory

MakeTransport = Callable[..., DeskTransport]


@pytest.fixture(params=["h11", "httptools"])
def parser(request: pytest.FixtureRequest) -> ParserFactory:
    """Run the test with either parser."""
    if request.param == "h11":
        return H11Parser
    pytest.importorskip("httptools")
    from deskim._transport._httptools import HttptoolsParser

    return HttptoolsParser


@pytest.fixture
async def make_transport(parser: ParserFactory) -> AsyncIterator[MakeTransport]:
    """Make transports that ignore the environment and are closed after the test."""
    async with contextlib.AsyncExitStack() as stack:

        def make(**settings: Any) -> DeskTransport:
            transport = DeskTransport(**{"trust_env": False, "_parser": parser} | settings)
            stack.push_async_callback(transport.aclose)
            return transport

        yield make


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody else knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return the context of a server that the authority vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return the context of a client that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
