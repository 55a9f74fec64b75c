"""A fast server in its own process: HTTP/1.1 over TLS, one reply for everything, after a delay; counts connections.

It stands in for nginx where there is none, and answers late where nginx cannot. `GET /status` tells the count.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import ssl
import sys
from typing import Any, Final

from benchmarks.messages import REPLY

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_ANSWER: Final = _HEAD % len(REPLY) + REPLY.encode()


class _Connection(asyncio.Protocol):
    """Find the ends of requests by their Content-Length; that suffices for the clients measured here."""

    accepted = 0
    delay = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _Connection.accepted += 1
        self._transport: Any = transport
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            size = end + 4 + _content_length(head)
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"get /status"):
            text = b"%d" % _Connection.accepted
            self._transport.write(_HEAD % len(text) + text)
        elif self.delay:
            self._loop.call_later(self.delay, self._write)
        else:
            self._transport.write(_ANSWER)

    def _write(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


def _content_length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve(port: int, delay: float, certificate: str) -> None:
    """Serve until the process is ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    _Connection.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port, ssl=context, backlog=4096)
    await server.serve_forever()


def _main(port: int, delay: float, certificate: str, core: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {core})
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(port, delay, certificate))
    else:
        uvloop.run(serve(port, delay, certificate))


if __name__ == "__main__":
    _main(*json.loads(sys.argv[1]))
