"""Callbacks as an ASGI application, of its own or mounted in another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from deskim.callbacks import MAX_BODY, decline
from deskim.contrib.inbox import CallbackInbox, Receipt

__all__ = ["CallbackApp", "CallbackInbox"]

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

_NOT_POST: Final = 405


class CallbackApp:
    """Take Tencent's callbacks at any path; the handlers start when the answer has gone out.

    It opens and closes the inbox with its lifespan. A mounted application gets no lifespan: open the inbox in that of
    the outer one (``async with inbox:``).
    """

    def __init__(self, inbox: CallbackInbox) -> None:
        self._inbox = inbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._inbox:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _send(Receipt(_NOT_POST, decline("callbacks are posted")), send)
            return
        body = await _read(receive)
        if body is None:
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        receipt = await self._inbox.receive(body, query)
        try:
            await _send(receipt, send)
        finally:
            receipt.sent()


async def _read(receive: Receive) -> bytes | None:
    """Return the body, or what shows that it is too large; nothing where the sender went away."""
    body = bytearray()
    more = True
    while more and len(body) <= MAX_BODY:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body += event.get("body", b"")
        more = event.get("more_body", False)
    return bytes(body)


async def _send(receipt: Receipt, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(receipt.body)).encode())]
    await send({"type": "http.response.start", "status": receipt.status, "headers": headers})
    await send({"type": "http.response.body", "body": receipt.body})
