"""What an httpx.Request says, in the transport's own terms."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Final, cast

import httpx

from deskim._transport._wire import Body, HeaderBlock, Origin, WireRequest

_PORTS: Final = {"http": 80, "https": 443}
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


def origin_of(url: httpx.URL) -> Origin:
    """Return where `url` leads; raise httpx.UnsupportedProtocol for other schemes than http and https."""
    if url.scheme not in _PORTS or not url.host:
        raise httpx.UnsupportedProtocol("the URL needs the scheme http or https, and a host")
    host = url.raw_host.decode("ascii").strip("[]")
    return Origin(url.scheme, host, url.port or _PORTS[url.scheme])


def wire_request(request: httpx.Request) -> WireRequest:
    """Return `request` ready for the wire, its target taken from the `target` extension where there is one."""
    return WireRequest(
        request.method.encode("ascii"),
        request.extensions.get("target") or request.url.raw_path,
        HeaderBlock(_kept(request)),
        _body(request),
        _length(request.headers),
    )


def _kept(request: httpx.Request) -> Iterable[tuple[bytes, bytes]]:
    if "host" not in request.headers:
        yield b"Host", request.url.netloc
    for name, value in request.headers.raw:
        lowered = name.lower()
        if lowered == b"accept-encoding":
            yield name, _understood(value)
        elif lowered not in _FRAMING:
            yield name, value


def _understood(codings: bytes) -> bytes:
    """Ask only for the encodings that are undone within max_response_bytes."""
    asked = {part.partition(b";")[0].strip().lower() for part in codings.split(b",")}
    return b", ".join(coding for coding in (b"gzip", b"deflate") if coding in asked) or b"identity"


def _body(request: httpx.Request) -> Body:
    try:
        return request.content
    except httpx.RequestNotRead:
        return cast("AsyncIterable[bytes] | Iterable[bytes]", request.stream)


def _length(headers: httpx.Headers) -> int | None:
    """Return the announced length of a streamed body; what is chunked has none."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and "transfer-encoding" not in headers else None
