"""The way from an httpx client to the fake Desk without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import unquote

import httpx

from ._reply import Answer, Arrival


class MemoryTransport(httpx.AsyncBaseTransport):
    """Hand requests to ``respond``; the request extensions ``target`` and ``timeout`` count as they do on a socket."""

    def __init__(self, respond: Callable[[Arrival], Answer]) -> None:
        self._respond = respond

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer; raises httpx's errors for one that is late or never comes."""
        await request.aread()
        answer = self._respond(_arrival(request))
        await _wait(answer.delay, request.extensions.get("timeout", {}).get("read"))
        if answer.cut:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        return httpx.Response(answer.status, headers=headers, stream=httpx.ByteStream(answer.body))


def _arrival(request: httpx.Request) -> Arrival:
    target: bytes = request.extensions.get("target", request.url.raw_path)
    path, _, query = target.partition(b"?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Arrival(request.method, unquote(path.decode("latin-1")), query, headers, request.content)


async def _wait(delay: float, timeout: float | None) -> None:
    if timeout is not None and delay > timeout:
        await asyncio.sleep(timeout)
        raise httpx.ReadTimeout(f"no reply within {timeout:g} seconds")
    if delay:
        await asyncio.sleep(delay)
