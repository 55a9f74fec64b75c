"""A request as it goes over the wire. No repr here shows a byte of it: the target may hold a credential."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, NoReturn

import attrs
import httpx

Body = bytes | AsyncIterable[bytes] | Iterable[bytes]

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: token
_VALUE: Final = re.compile(rb"[^\0\r\n]*")
_VISIBLE: Final = bytes(range(0x21, 0x7F))
_COMMON: Final = frozenset({b"POST", b"GET"})
_ALWAYS_SIZED: Final = frozenset({b"POST", b"PUT", b"PATCH"})  # RFC 9110, 8.6: say so even when there is no body


class Origin(NamedTuple):
    """Name the server that a connection leads to: scheme (http or https), host without brackets, port."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """The host and the port as they stand in a request line."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@attrs.define
class Timeouts:
    """Bound the phases of one exchange, in seconds; None does not bound. `total` bounds all of them together."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None
    total: float | None = None

    @classmethod
    def of(cls, extensions: Mapping[str, Any]) -> Timeouts:
        """Read the `timeout` request extension of httpx, which may carry `total` too."""
        limits: Mapping[str, float | None] = extensions.get("timeout") or {}
        return cls(*(limits.get(field.name) for field in attrs.fields(cls)))


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the loop's clock: the system's itself where the loop but wraps it."""
    return time.monotonic if type(loop).time is asyncio.BaseEventLoop.time else loop.time


class HeaderBlock:
    """Prepare header lines once for many requests; the lines that frame a body are added to each request.

    Raise httpx.LocalProtocolError for a name or a value that would break out of its line.
    """

    __slots__ = ("lines",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        pairs = tuple(pairs)
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in pairs):
            del pairs  # a traceback that shows locals must not show these
            raise httpx.LocalProtocolError("a request header has a name or a value that HTTP does not allow")
        self.lines: bytes = b"".join(b"%b: %b\r\n" % pair for pair in pairs)


@attrs.define(eq=False, repr=False)
class WireRequest:
    """Hold one request: method, target, prepared headers, body (bytes, or an iterable that is sent piece by piece).

    `length` is the size in bytes that an iterable body will have; without it the body goes out chunked.
    """

    method: bytes
    target: bytes = attrs.field(repr=False)  # some printers, rich's among them, go by the fields, past __repr__
    headers: HeaderBlock
    body: Body = attrs.field(default=b"", repr=False)
    length: int | None = None

    def __repr__(self) -> str:
        return "<WireRequest>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a WireRequest may hold a credential and is not pickled")

    def check(self) -> None:
        """Raise httpx.LocalProtocolError if the request could not be sent as it is; the text shows nothing of it."""
        if self.target.translate(None, _VISIBLE) or not self.target:
            raise httpx.LocalProtocolError("the request target is empty or has characters that HTTP does not allow")
        if self.method not in _COMMON and (not _NAME.fullmatch(self.method) or self.method == b"CONNECT"):
            raise httpx.LocalProtocolError("the request method is not one that this transport can send")

    def encode(self) -> bytes:
        """Return the whole request, or the head alone where the body is streamed."""
        start, body, length = (self.method, self.target, self.headers.lines), self.body, self.length
        if isinstance(body, bytes):
            if body or self.method in _ALWAYS_SIZED:
                return b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (*start, len(body), body)
            return b"%b %b HTTP/1.1\r\n%b\r\n" % start
        if length is None:
            return b"%b %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % start
        return b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (*start, length)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the framed pieces of a streamed body; raise httpx.LocalProtocolError where they belie `length`."""
        assert not isinstance(self.body, bytes)  # noqa: S101
        left = self.length
        async for piece in _each(self.body):
            if left is None:
                yield b"%x\r\n%b\r\n" % (len(piece), piece)
                continue
            left -= len(piece)
            if left < 0:
                break
            yield piece
        if left is None:
            yield b"0\r\n\r\n"
        elif left:
            raise httpx.LocalProtocolError("the request body is not as long as its Content-Length says")


async def _each(body: AsyncIterable[bytes] | Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield what is not empty: an empty chunk would end the body."""
    if isinstance(body, AsyncIterable):
        async for piece in body:
            if piece:
                yield piece
    else:
        for piece in body:
            if piece:
                yield piece
