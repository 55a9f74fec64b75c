"""Callbacks as a handler of aiohttp's server."""

from __future__ import annotations

from collections.abc import AsyncGenerator

try:
    from aiohttp import web
except ImportError:
    raise ImportError("deskim.contrib.aiohttp needs aiohttp: pip install aiohttp") from None

from deskim.callbacks import MAX_BODY
from deskim.contrib.inbox import CallbackInbox

__all__ = ["CallbackInbox", "add_callbacks"]


def add_callbacks(app: web.Application, inbox: CallbackInbox, path: str = "/desk") -> None:
    """Let an application take Tencent's callbacks at ``path``.

    The application opens the inbox when it starts and closes it at the end, after its handlers have finished.
    """

    async def take(request: web.Request) -> web.StreamResponse:
        receipt = await inbox.receive(await _read(request), request.query)
        response = web.Response(status=receipt.status, body=receipt.body, content_type="application/json")
        try:
            await response.prepare(request)
            await response.write_eof()
        finally:
            receipt.sent()
        return response

    async def life(_: web.Application) -> AsyncGenerator[None, None]:
        async with inbox:
            yield

    app.router.add_post(path, take)
    app.cleanup_ctx.append(life)


async def _read(request: web.Request) -> bytes:
    """Return the body, or what shows that it is too large."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            break
    return bytes(body)
