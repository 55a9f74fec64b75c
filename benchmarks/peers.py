"""The clients: each opens what it needs and hands out `send(number)`, which returns once the reply is read and good."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from benchmarks.messages import PATH, SDK_APP_ID, SECRET_KEY, TEXT, Parameters, session, wire_text

Send = Callable[[int], Awaitable[None]]


@frozen
class Target:
    """Say where the server is, whose certificates count, and how many requests are under way at once."""

    base_url: str
    ca: str
    concurrency: int

    def context(self) -> ssl.SSLContext:
        """Return a new context, as a program makes it once."""
        return ssl.create_default_context(cafile=self.ca)

    def certificate(self) -> bytes:
        """Return what those certificates are checked with, as PEM."""
        return Path(self.ca).read_bytes()


Peer = Callable[[Target], AbstractAsyncContextManager[Send]]


def _check(envelope: dict[str, Any]) -> None:
    if envelope["ErrorCode"]:
        raise RuntimeError(envelope)


class _Wire(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.reply.set_result(data)

    async def ask(self, request: bytes) -> bytes:
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.reply


@asynccontextmanager
async def floor(target: Target) -> AsyncIterator[Send]:
    """Exchange prepared bytes over asyncio's own TLS transports: what is left when the client costs nothing."""
    loop, url, context = asyncio.get_running_loop(), urlsplit(target.base_url), target.context()
    host, port = url.hostname or "", url.port or 443
    dialled = [loop.create_connection(_Wire, host, port, ssl=context) for _ in range(target.concurrency)]
    idle = [wire for _, wire in await asyncio.gather(*dialled)]
    connections = list(idle)
    request = _prepared(url.netloc)

    async def send(_: int) -> None:
        wire = idle.pop()
        assert b'"ErrorCode":0' in await wire.ask(request)
        idle.append(wire)

    yield send
    for wire in connections:
        wire.transport.abort()


def _prepared(host: str) -> bytes:
    body = json.dumps(wire_text(0), ensure_ascii=False, separators=(",", ":")).encode()
    head = (
        f"POST {PATH}?{urlencode(Parameters()(), safe='*')} HTTP/1.1\r\n"
        f"Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def aiohttp(target: Target) -> AsyncIterator[Send]:
    """Call `session.post(params=, json=)` with as many connections as requests under way."""
    import aiohttp as library

    url, parameters = target.base_url + PATH, Parameters()
    connector = library.TCPConnector(limit=target.concurrency, ssl=target.context())
    async with library.ClientSession(connector=connector) as client:

        async def send(number: int) -> None:
            async with client.post(url, params=parameters(), json=wire_text(number)) as reply:
                _check(await reply.json())

        yield send


@asynccontextmanager
async def pyreqwest(target: Target) -> AsyncIterator[Send]:
    """Call the best peer known: Rust's reqwest under asyncio."""
    from pyreqwest.client import ClientBuilder

    url, parameters = target.base_url + PATH, Parameters()
    builder = ClientBuilder().max_connections(target.concurrency).pool_max_idle_per_host(target.concurrency)
    builder = builder.add_root_certificate_pem(target.certificate()).error_for_status(enable=True)
    async with builder.build() as client:

        async def send(number: int) -> None:
            reply = await client.post(url).query(parameters()).body_json(wire_text(number)).build().send()
            _check(await reply.json())

        yield send


def _as_httpx(name: str) -> Peer:
    @asynccontextmanager
    async def peer(target: Target) -> AsyncIterator[Send]:
        library = __import__(name)
        url, parameters = target.base_url + PATH, Parameters()
        async with library.AsyncClient(verify=target.context()) as client:

            async def send(number: int) -> None:
                reply = await client.post(url, params=parameters(), json=wire_text(number))
                _check(reply.raise_for_status().json())

            yield send

    return peer


@asynccontextmanager
async def deskim(target: Target, **settings: Any) -> AsyncIterator[Send]:
    """Send a message object and get a result object: retries, pacing (that never waits) and outcomes in place."""
    from deskim import AsyncDeskClient, RateLimit

    given: dict[str, Any] = {"secret_key": SECRET_KEY, "base_url": target.base_url, "rate_limit": RateLimit(1e6)}
    async with AsyncDeskClient(SDK_APP_ID, **given, **settings) as desk:

        async def send(number: int) -> None:
            await desk.send_to_session(session(number), TEXT)

        yield send


@asynccontextmanager
async def _own(target: Target) -> AsyncIterator[Send]:
    async with deskim(target, verify=target.context(), max_connections=target.concurrency) as send:
        yield send


@asynccontextmanager
async def _on_stock_httpx(target: Target) -> AsyncIterator[Send]:
    import httpx

    async with httpx.AsyncClient(verify=target.context()) as client, deskim(target, http_client=client) as send:
        yield send


@asynccontextmanager
async def _on_desk_transport(target: Target) -> AsyncIterator[Send]:
    import httpx

    from deskim import DeskTransport

    transport = DeskTransport(verify=target.context(), max_connections=target.concurrency)
    async with httpx.AsyncClient(transport=transport) as client, deskim(target, http_client=client) as send:
        yield send


PEERS: Final[dict[str, Peer]] = {
    "floor": floor,
    "aiohttp": aiohttp,
    "pyreqwest": pyreqwest,
    "httpx2": _as_httpx("httpx2"),
    "httpx": _as_httpx("httpx"),
    "deskim": _own,
    "deskim-plain": _own,
    "deskim-borrowed": _on_stock_httpx,
    "deskim-transport": _on_desk_transport,
}
"""The name of a peer may carry the suffix `+uvloop`."""
