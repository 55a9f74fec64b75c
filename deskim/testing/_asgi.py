"""The fake Desk's side of ASGI: a request in, its answer out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from ._reply import Answer, Arrival

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

#: The extension by which a server lets the fake Desk cut the connection: a function without arguments.
CUT = "deskim.cut"


async def exchange(scope: Scope, receive: Receive, send: Send, respond: Callable[[Arrival], Answer]) -> None:
    """Answer one HTTP request, or play along with the server's start and stop."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http":
        body = await _read_body(receive)
        if body is not None:
            await _deliver(respond(_arrival(scope, body)), scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body; nothing when the client went away while sending it."""
    parts: list[bytes] = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        parts.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(parts)


def _arrival(scope: Scope, body: bytes) -> Arrival:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Arrival(scope["method"], path, scope["query_string"], headers, body)


async def _deliver(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    if answer.delay and await _gone_within(answer.delay, receive):
        return
    if answer.cut:
        await _cut(scope, receive, send)
    else:
        await _start(send, answer.status, {**answer.headers, "content-length": str(len(answer.body))})
        await send({"type": "http.response.body", "body": answer.body})


async def _start(send: Send, status: int, headers: Mapping[str, str]) -> None:
    wire = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": wire})


async def _gone_within(delay: float, receive: Receive) -> bool:
    try:
        async with asyncio.timeout(delay):
            await _disconnect(receive)
    except TimeoutError:
        return False
    return True


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(scope: Scope, receive: Receive, send: Send) -> None:
    extensions: Mapping[str, Callable[[], None]] = scope.get("extensions") or {}
    if CUT in extensions:
        extensions[CUT]()
        await _disconnect(receive)
        return
    await _start(send, 200, {"content-length": "1"})  # a server that we did not start: it closes on our error
    msg = "the fake Desk cuts this connection, as it was told to"
    raise ConnectionAbortedError(msg)
