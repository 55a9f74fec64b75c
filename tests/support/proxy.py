"""A small forward proxy: CONNECT only, with what it saw written down."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator

import attrs


@attrs.define
class ForwardProxy:
    """Open tunnels to whoever knows the password; `seen` holds every byte that reached the proxy in clear."""

    password: str | None = None
    answer: bytes | None = None
    port: int = 0
    tunnels: int = 0
    seen: list[bytes] = attrs.field(factory=list)
    tasks: set[asyncio.Task[None]] = attrs.field(factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen.append(head)
        refusal = self.answer if self.answer is not None else self._refusal(head)
        if refusal is None:
            await self._tunnel(head.split(b" ")[1].decode(), reader, writer)
        else:
            writer.write(refusal)
            await writer.drain()

    def _refusal(self, head: bytes) -> bytes | None:
        if not head.startswith(b"CONNECT "):
            return b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
        if self.password is None:
            return None
        expected = b"\r\nProxy-Authorization: Basic " + base64.b64encode(self.password.encode()) + b"\r\n"
        if expected in head:
            return None
        return b"HTTP/1.1 407 Come back with the password\r\nContent-Length: 4\r\n\r\nnope"

    async def _tunnel(self, where: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = where.rpartition(":")
        try:
            other_reader, other_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        self.tunnels += 1
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(self._pump(reader, other_writer, note=True), self._pump(other_reader, writer))
        finally:
            other_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool = False) -> None:
        while data := await reader.read(65536):
            if note:
                self.seen.append(data)
            writer.write(data)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def forward_proxy(
    password: str | None = None, answer: bytes | None = None, context: ssl.SSLContext | None = None
) -> AsyncIterator[ForwardProxy]:
    """Run a proxy; `password` is "user:password", `answer` what it says instead of opening tunnels."""
    proxy = ForwardProxy(password, answer)
    listener = await asyncio.start_server(proxy.handle, "127.0.0.1", 0, ssl=context)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        for task in tuple(proxy.tasks):
            task.cancel()
        if proxy.tasks:
            await asyncio.wait(tuple(proxy.tasks))
        for _ in range(10):
            await asyncio.sleep(0)
