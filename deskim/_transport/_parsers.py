"""Reply parsers: what httptools and h11 have in common, and the two of them."""

from __future__ import annotations

import abc
import zlib
from collections.abc import Callable
from typing import Final

import httpx

MAX_HEAD: Final = 64 * 1024
FIRST_FINAL_STATUS: Final = 200
SWITCHING_PROTOCOLS: Final = 101
_MAX_CODINGS: Final = 2

Headers = list[tuple[bytes, bytes]]
Reply = tuple[int, Headers, bytes]
ParserFactory = Callable[[int], "ReplyParser"]


class ReplyParser(abc.ABC):
    """Gather one reply after the other, within bounds; broken replies raise httpx.RemoteProtocolError."""

    __slots__ = ("_barren", "_head_only", "_limit", "_parts", "_size", "complete", "headers", "reusable", "status")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        ReplyParser.begin(self, head_only=False)

    def begin(self, *, head_only: bool) -> None:
        """Expect the reply to the next request; to a HEAD request it has no body."""
        self._head_only = head_only
        self.status = self._size = self._barren = 0
        self.headers: Headers = []
        self._parts: list[bytes] = []
        self.complete = self.reusable = False

    def feed(self, data: bytes) -> None:
        """Take in what came; `complete` tells whether the reply is whole, `reusable` whether another may follow it."""
        before = self._size
        self._barren += len(data)
        self._parse(data)
        if self._barren > MAX_HEAD:
            self._check_head(grown=self._size > before)
        if self._size > before:
            self._barren = 0
            if self._size > self._limit:
                raise httpx.RemoteProtocolError(f"the reply is larger than max_response_bytes ({self._limit:,} bytes)")

    @abc.abstractmethod
    def eof(self) -> None:
        """Learn that nothing more will come, which completes a reply that is read to the close."""

    def reply(self) -> Reply:
        """Return status, headers (lower-case names) and decoded body of the complete reply."""
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        for name, _ in self.headers if body else ():
            if name == b"content-encoding":
                return self.status, *_decoded(self.headers, body, self._limit)
        return self.status, self.headers, body

    def _check_head(self, *, grown: bool) -> None:
        """Bound what is read without yielding a body: heads, interim replies, trailers, chunk extensions."""
        if sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD or not (grown or self.complete):
            raise httpx.RemoteProtocolError(f"the head of the reply is larger than {MAX_HEAD:,} bytes")

    def take(self, piece: bytes) -> None:
        """Keep a piece of the body; nobody asked for what comes after the end."""
        if self.complete:
            self.reusable = False
            return
        self._size += len(piece)
        if self._size <= self._limit:
            self._parts.append(piece)

    @abc.abstractmethod
    def _parse(self, data: bytes) -> None: ...


def not_http(why: object) -> httpx.RemoteProtocolError:
    """Return the error for bytes that are no reply."""
    return httpx.RemoteProtocolError(f"the server's reply is not proper HTTP/1.1: {why}")


def _decoded(headers: Headers, body: bytes, limit: int) -> tuple[Headers, bytes]:
    """Undo gzip and deflate within `limit` bytes; a reply in its plain form keeps its headers."""
    codings = [coding for name, value in headers if name == b"content-encoding" for coding in _codings(value)]
    if not codings:
        return headers, body
    if len(codings) > _MAX_CODINGS:
        raise httpx.RemoteProtocolError("the reply is compressed more than twice over")
    for coding in reversed(codings):
        body = _inflate(coding, body, limit)
    return [pair for pair in headers if pair[0] not in (b"content-encoding", b"content-length")], body


def _codings(value: bytes) -> list[bytes]:
    return [coding for part in value.lower().split(b",") if (coding := part.strip()) not in (b"", b"identity")]


def _inflate(coding: bytes, data: bytes, limit: int) -> bytes:
    if coding not in (b"gzip", b"x-gzip", b"deflate"):
        raise httpx.RemoteProtocolError(f"the reply has a Content-Encoding that was not asked for: {coding!r:.40}")
    inflater = zlib.decompressobj(_window_bits(coding, data))
    try:
        plain = inflater.decompress(data, limit + 1)
    except zlib.error:
        plain = None
    if plain is None or not (inflater.eof or len(plain) > limit):
        raise httpx.RemoteProtocolError("the compressed reply is damaged or cut short")
    if len(plain) > limit:
        raise httpx.RemoteProtocolError(f"the reply, decompressed, is larger than max_response_bytes ({limit:,} bytes)")
    return plain


def _window_bits(coding: bytes, data: bytes) -> int:
    """Tell gzip, zlib and bare deflate apart; servers mean either of the last two by `deflate` (RFC 9110, 8.4.1.2)."""
    if coding != b"deflate":
        return zlib.MAX_WBITS | 16
    zlib_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS
