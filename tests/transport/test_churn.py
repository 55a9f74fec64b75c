from __future__ import annotations

import asyncio
import random
import ssl
from typing import Any

import pytest

from tests.transport.churn import CONNECTIONS, churn, listen
from tests.transport.conftest import MakeTransport

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(anyio_backend: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Leave asyncio's debug mode, which makes ten seconds out of one."""
    return "asyncio", anyio_backend[1] | {"debug": False}


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_churn(
    make_transport: MakeTransport, server_context: ssl.SSLContext, client_context: ssl.SSLContext, scheme: str
) -> None:
    """After a thousand cancellations at random points the pool serves everything, and nothing is left over."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(listen(port.set_result, server_context if scheme == "https" else None))
    transport = make_transport(max_connections=CONNECTIONS, verify=client_context)
    tally = await churn(transport, f"{scheme}://127.0.0.1:{await port}/", 1000, seed)
    server.cancel()
    await asyncio.wait([server])
    assert tally.sound, tally
    assert tally.cancelled >= 1000
