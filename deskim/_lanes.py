"""The way to the network: one seam, ``post``, over our own transport or over a borrowed HTTP client.

What leaves a lane is a reply or a ``DeskError`` that says what is known. No exception of an HTTP library gets past it,
nor its traceback: both hold the request, and with it the signature.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from attrs import frozen

from deskim._protocol import Reply, Signature, mask_urls
from deskim._transport import DeskTransport, HeaderBlock, Origin, Timeouts, WireRequest
from deskim._version import __version__
from deskim.errors import (
    ClientClosedError,
    ConfigurationError,
    ConnectionFailedError,
    DeskError,
    ReplyLostError,
    RetryKind,
)

MAX_REPLY: Final = 4 * 1024 * 1024
_GRACE: Final = 0.025
_HEADERS: Final = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "content-type": "application/json",
    "user-agent": f"deskim/{__version__}",
}
_NOT_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
_CLOSED_HERE: Final = "the http_client was closed: keep it open for as long as the desk client is used"
_PROXY_ADVICE: Final = (
    "the http_client goes through a proxy that would see the signature: "
    'give proxy= to AsyncDeskClient, use httpx2, or choose signature_in="url"'
)


@frozen
class Attempt:
    """Hold one attempt: where to, what, and for how long at most (seconds)."""

    base_url: str
    path: str
    random: int
    body: bytes
    timeout: float
    """For each of connecting, writing and reading."""
    left: float
    """For everything together."""


class HTTPClient(Protocol):
    """Be an ``httpx.AsyncClient``, an ``httpx2.AsyncClient`` or what has these methods of theirs."""

    @property
    def is_closed(self) -> bool:
        """Tell whether the client was closed."""
        ...

    def build_request(
        self, method: str, url: str, *, content: bytes, headers: Mapping[str, str], extensions: dict[str, Any]
    ) -> Any:
        """Return a request of the client's own kind."""
        ...

    async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any:
        """Send a request and return the response, its body unread."""
        ...


class Lane(Protocol):
    """Carry one attempt to Desk and its reply back."""

    async def post(self, attempt: Attempt, signature: Signature) -> Reply:
        """Return the reply; raises ``ConnectionFailedError``, ``ReplyLostError`` or ``ConfigurationError``."""
        ...

    async def aclose(self) -> None:
        """Close what the lane owns."""
        ...


class OwnLane:
    """Carry calls over our own transport, past httpx's client and its URL and cookie handling."""

    def __init__(self, transport: DeskTransport) -> None:
        self._transport = transport
        self._origins: dict[str, tuple[Origin, HeaderBlock]] = {}

    async def post(self, attempt: Attempt, signature: Signature) -> Reply:
        """Return the reply."""
        origin, headers = self._origins.get(attempt.base_url) or self._prepare(attempt.base_url)
        timeouts = Timeouts(attempt.timeout, attempt.timeout, attempt.timeout, attempt.left, attempt.left)
        try:
            # no name is bound to the request, so that no traceback shows it
            status, fields, content = await self._transport.roundtrip(
                origin,
                WireRequest(b"POST", signature.target(attempt.path).with_random(attempt.random), headers, attempt.body),
                timeouts,
            )
        except Exception as exc:  # noqa: BLE001 - whatever it is, the caller learns what is known of the message
            failure = _translated(exc, signature)
        else:
            return Reply(status, _text_headers(fields), signature.clean(content))
        raise failure

    def _prepare(self, base_url: str) -> tuple[Origin, HeaderBlock]:
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        fields = [(b"Host", parts.netloc.encode()), *((k.title().encode(), v.encode()) for k, v in _HEADERS.items())]
        self._origins[base_url] = Origin(parts.scheme, parts.hostname or "", port), HeaderBlock(fields)
        return self._origins[base_url]

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def _text_headers(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in fields}


class BorrowedLane:
    """Carry calls over a client of the caller's, which is never closed here."""

    def __init__(self, client: HTTPClient, signature_in: Literal["target", "url"]) -> None:
        self._client = client
        self._in_url = signature_in == "url"

    async def post(self, attempt: Attempt, signature: Signature) -> Reply:
        """Return the reply."""
        if self._client.is_closed:
            raise ClientClosedError(_CLOSED_HERE)
        cancelled: asyncio.CancelledError | None = None
        try:
            # a last resort: the client's own time-outs come first, for cancelling httpx from outside harms its pool
            async with asyncio.timeout(attempt.left + _GRACE):
                return await self._exchange(attempt, signature)
        except asyncio.CancelledError as exc:
            cancelled = exc
        except Exception as exc:  # noqa: BLE001 - whatever it is, the caller learns what is known of the message
            failure = _translated(exc, signature)
        if cancelled is not None:
            cancelled.__context__ = None
            raise cancelled.with_traceback(None)
        raise failure

    async def _exchange(self, attempt: Attempt, signature: Signature) -> Reply:
        response = await self._client.send(
            self._request(attempt, signature), stream=True, auth=None, follow_redirects=False
        )
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            content = await _bounded(response)
        finally:
            await response.aclose()
        return Reply(response.status_code, headers, signature.clean(_decoded(content, headers)))

    def _request(self, attempt: Attempt, signature: Signature) -> Any:
        timeout = min(attempt.timeout, attempt.left)
        waits = {"connect": timeout, "read": timeout, "write": timeout, "pool": attempt.left}
        if self._in_url:
            url = attempt.base_url + signature.target(attempt.path).with_random(attempt.random).decode()
            return self._client.build_request(
                "POST", url, content=attempt.body, headers=_HEADERS, extensions={"timeout": waits}
            )
        return self._client.build_request(
            "POST",
            attempt.base_url + attempt.path,
            content=attempt.body,
            headers=_HEADERS,
            extensions={
                "target": signature.target(attempt.path).with_random(attempt.random),
                "timeout": waits,
                "trace": _ProxyGuard(attempt.base_url),
            },
        )

    async def aclose(self) -> None:
        """Leave the client open: it is the caller's."""


class _SignatureAtRiskError(Exception):
    """Stop httpcore before it shows the signature to a proxy."""


class _ProxyGuard:
    """Watch httpcore's trace events: httpx 0.28 passes the target on to a tunnel proxy's CONNECT line, in clear."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._plain_host = parts.hostname if parts.scheme == "http" else None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Raise before a byte of a request that a proxy would read leaves."""
        if event.endswith("send_request_headers.started"):
            if getattr(info.get("request"), "method", None) == b"CONNECT":
                raise _SignatureAtRiskError
        elif event == "connection.connect_tcp.started" and self._plain_host not in (None, info.get("host")):
            raise _SignatureAtRiskError


async def _bounded(response: Any) -> bytes:
    if response.is_stream_consumed:  # a transport that made the response in memory
        return bytes(response.content)
    parts: list[bytes] = []
    size = 0
    chunks: AsyncIterator[bytes] = response.aiter_raw()
    async for chunk in chunks:
        size += len(chunk)
        if size > MAX_REPLY:
            raise ReplyLostError(f"the reply is larger than {MAX_REPLY:,} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _decoded(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Unpack a reply within the bound; no encoding was asked for, and some proxies pack all the same."""
    if headers.get("content-encoding", "identity") not in ("gzip", "deflate"):
        return content
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        unpacked = unpack.decompress(content, MAX_REPLY)
    except zlib.error:
        return content  # unpacked already, or no reply of Desk's
    if unpack.unconsumed_tail:
        raise ReplyLostError(f"the reply unpacks to more than {MAX_REPLY:,} bytes")
    return unpacked


def _translated(exc: Exception, signature: Signature) -> DeskError:
    """Return what an exception means for the message; by name, for httpx and httpx2 have the same names."""
    if isinstance(exc, DeskError):
        return exc.with_traceback(None)
    if isinstance(exc, _SignatureAtRiskError):
        return ConfigurationError(_PROXY_ADVICE)
    names = {cls.__name__ for cls in type(exc).__mro__}
    text = signature.mask(f"{type(exc).__name__}: {exc}".rstrip(": "))
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return ConnectionFailedError(f"{text}; check base_url and verify=", retry=RetryKind.NEVER)
    if names & _NOT_SENT:
        return ConnectionFailedError(f"no connection came about, nothing was sent ({text})")
    if isinstance(exc, TimeoutError) or "TimeoutException" in names:
        return ReplyLostError(f"no reply in time; whether Desk took the call is not known ({text})")
    return ReplyLostError(f"the connection broke; whether Desk took the call is not known ({text})")


class _MaskUserSig(logging.Filter):
    """Mask the signature in log records that show URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, the signature masked."""
        text = record.getMessage()
        if "usersig=" in text:
            record.msg, record.args = mask_urls(text), ()
        return True


def mask_httpx_logs() -> None:
    """Mask UserSigs in httpx's log lines, which show URLs; for ``signature_in="url"`` alone."""
    for name in ("httpx", "httpx2"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _MaskUserSig) for each in logger.filters):
            logger.addFilter(_MaskUserSig())
