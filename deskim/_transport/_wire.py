"""A request as it goes over the wire. No repr here shows a byte of it: the target may hold a credential."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any, Final, NoReturn

import attrs
import httpx

Body = bytes | AsyncIterable[bytes] | Iterable[bytes]

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: token
_VALUE: Final = re.compile(rb"[^\0\r\n]*")
_VISIBLE: Final = bytes(range(0x21, 0x7F))
_COMMON: Final = frozenset({b"POST", b"GET"})
_ALWAYS_SIZED: Final = frozenset({b"POST", b"PUT", b"PATCH"})  # RFC 9110, 8.6: say so even when there is no body


@attrs.frozen(cache_hash=True)
class Origin:
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

    def deadline(self, now: float) -> float:
        """Return when the whole exchange has to be over."""
        return math.inf if self.total is None else now + self.total


class HeaderBlock:
    """Prepare header lines once for many requests; the lines that frame a body are added to each request."""

    __slots__ = ("_block", "_pairs")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._pairs = tuple(pairs)
        self._block: bytes | None = None

    def encode(self) -> bytes:
        """Return the lines; raise httpx.LocalProtocolError for a name or a value that would break out of its line."""
        if self._block is None:
            if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in self._pairs):
                raise httpx.LocalProtocolError("a request header has a name or a value that HTTP does not allow")
            self._block = b"".join(b"%b: %b\r\n" % pair for pair in self._pairs)
        return self._block


@attrs.define(eq=False, repr=False)
class WireRequest:
    """Hold one request: method, target, prepared headers, body (bytes, or an iterable that is sent piece by piece).

    `length` is the size in bytes that an iterable body will have; without it the body goes out chunked.
    """

    method: bytes
    target: bytes
    headers: HeaderBlock
    body: Body = b""
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
        self.headers.encode()

    @property
    def streamed(self) -> bool:
        """Whether the body comes piece by piece."""
        return not isinstance(self.body, bytes)

    def encode(self) -> bytes:
        """Return the whole request, for a body of bytes."""
        assert isinstance(self.body, bytes)  # noqa: S101
        if not self.body and self.method not in _ALWAYS_SIZED:
            return self._head(b"")
        return self._head(b"Content-Length: %d\r\n" % len(self.body)) + self.body

    def encode_head(self) -> bytes:
        """Return the head alone, for a streamed body."""
        sized = b"Transfer-Encoding: chunked\r\n" if self.length is None else b"Content-Length: %d\r\n" % self.length
        return self._head(sized)

    def _head(self, framing: bytes) -> bytes:
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (self.method, self.target, self.headers.encode(), framing)

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
