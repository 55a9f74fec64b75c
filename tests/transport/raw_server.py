"""A server that does on a socket exactly what a test says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import attrs

from deskim._transport import HeaderBlock, Origin, Timeouts, WireRequest

NONE = Timeouts()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@attrs.define
class Peer:
    """One accepted connection, seen from the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def request(self) -> tuple[bytes, bytes]:
        """Read one request: its head, its body (chunked bodies unframed)."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        if fields.get(b"transfer-encoding") == b"chunked":
            return head, await self._chunks()
        return head, await self.reader.readexactly(int(fields.get(b"content-length", 0)))

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def cut(self) -> None:
        """End the sending side of the socket below TLS, which says no goodbye then."""
        with socket.fromfd(self.writer.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as raw:
            raw.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]


@attrs.define
class Server:
    port: int
    scheme: str
    accepted: int = 0
    tasks: set[asyncio.Task[None]] = attrs.field(factory=set)

    @property
    def origin(self) -> Origin:
        return Origin(self.scheme, "127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def serve(
    handler: Handler, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    """Listen; each connection is `handler`'s until it returns."""
    server = Server(0, "https" if context else "http")

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        server.tasks.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                await handler(Peer(reader, writer, server.accepted))
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            server.tasks.discard(task)
            writer.close()

    listener = await asyncio.start_server(accepted, host, 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    with handshakes_may_fail():
        try:
            yield server
        finally:
            listener.close()
            for task in tuple(server.tasks):
                task.cancel()
            if server.tasks:
                await asyncio.wait(tuple(server.tasks))
            await settle()


@contextlib.contextmanager
def handshakes_may_fail() -> Iterator[None]:
    """Keep asyncio's debug mode from reporting that a client left a server of ours during the handshake."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "incoming connection" not in context["message"]:
            (before or asyncio.AbstractEventLoop.default_exception_handler)(loop, context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


async def answer(peer: Peer) -> None:
    """Say ok to every request."""
    while True:
        await peer.request()
        await peer.send(OK)


def once(reply: bytes, *, close: bool = False) -> Handler:
    """Give every request the same reply; with `close`, end the connection after the first."""

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(reply)
            if close:
                return

    return handler


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until the condition holds; the test's own timeout bounds it."""
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0)


async def cancelled_after(turns: int, call: Coroutine[Any, Any, object]) -> None:
    """Begin a call, and cancel it after so many turns of the loop."""
    task = asyncio.create_task(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def settle() -> None:
    """Let closed sockets be closed."""
    for _ in range(10):
        await asyncio.sleep(0)


def a_request(body: bytes = b"hello", method: bytes = b"POST", target: bytes = b"/path") -> WireRequest:
    """Return a small request."""
    return WireRequest(method, target, HeaderBlock([(b"Host", b"example")]), body)
