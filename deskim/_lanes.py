"""The way to the network: one seam, ``post``, over our own transport or over a borrowed HTTP client.

What leaves a lane is a reply, or a failure that says what is known. No exception of an HTTP library gets past it, nor
its traceback: both hold the request, and with it the signature.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from attrs import define, field, frozen

from deskim._protocol import Reply, Signature, mask_urls
from deskim._transport import DeskTransport, HeaderBlock, Origin, Timeouts, UnusableProxyError, WireRequest
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
"""The most bytes of a reply that are read, packed or unpacked."""
_GRACE: Final = 0.025
_HEADERS: Final = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "content-type": "application/json",
    "user-agent": f"deskim/{__version__}",
}
_UNREACHABLE: Final = frozenset({"ConnectError", "ConnectTimeout", "ProxyError"})
_NOT_SENT: Final = _UNREACHABLE | {"PoolTimeout", "UnsupportedProtocol"}
_KEPT: Final = {name.encode(): name for name in ("content-type", "date", "retry-after")}
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_CLOSED_HERE: Final = "the http_client was closed: keep it open for as long as the desk client is used"
_NO_CONNECTION: Final = "no connection to "  # so begins what our own transport says of one
_PROXY_ADVICE: Final = (
    "the http_client goes through a proxy that would see the signature: "
    'give proxy= to AsyncDeskClient, use httpx2, or choose signature_in="url"'
)


@define
class Attempt:
    """Hold one attempt: where to, what, and for how long at most (seconds)."""

    base_url: str
    path: str
    random: int
    body: bytes = field(repr=False)
    timeout: float
    """For each of connecting, writing and reading."""
    left: float
    """For everything together."""


@frozen
class Failure:
    """Hold how an attempt failed, and whether it was for the host: no connection to it came about."""

    error: DeskError
    host_failed: bool = False


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

    async def post(self, attempt: Attempt, signature: Signature) -> Reply | Failure:
        """Return the reply, or what is known without one; raises nothing but what ends a task."""
        ...

    async def aclose(self) -> None:
        """Close what the lane owns."""
        ...


class OwnLane:
    """Carry calls over our own transport, past httpx's client and its URL and cookie handling."""

    def __init__(self, transport: DeskTransport) -> None:
        self._transport = transport
        self._origins: dict[str, tuple[Origin, HeaderBlock]] = {}

    async def post(self, attempt: Attempt, signature: Signature) -> Reply | Failure:
        """Return the reply, or what is known without one."""
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
            return _failure(exc, signature)
        return Reply(status, partial(_kept, fields, signature), signature.clean(content))

    def _prepare(self, base_url: str) -> tuple[Origin, HeaderBlock]:
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        fields = [(b"Host", parts.netloc.encode()), *((k.title().encode(), v.encode()) for k, v in _HEADERS.items())]
        self._origins[base_url] = Origin(parts.scheme, parts.hostname or "", port), HeaderBlock(fields)
        return self._origins[base_url]

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def _kept(fields: Iterable[tuple[bytes, bytes]], signature: Signature) -> dict[str, str]:
    """Return the headers that count, with no signature in them should the server have echoed it."""
    kept = [(_KEPT[name], value) for field, value in fields if (name := field.lower()) in _KEPT]
    return {name: signature.clean(value).decode("latin-1") for name, value in kept}


class BorrowedLane:
    """Carry calls over a client of the caller's, which is never closed here."""

    def __init__(self, client: HTTPClient, *, in_url: bool) -> None:
        self._client = client
        self._in_url = in_url

    async def post(self, attempt: Attempt, signature: Signature) -> Reply | Failure:
        """Return the reply, or what is known without one."""
        if self._client.is_closed:
            return Failure(ClientClosedError(_CLOSED_HERE))
        try:
            # a last resort: the client's own time-outs come first, for cancelling httpx from outside harms its pool
            async with asyncio.timeout(attempt.left + _GRACE):
                return await self._exchange(attempt, signature)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the caller learns what is known of the message
            return _failure(exc, signature)
        except BaseException as exc:  # noqa: BLE001 - raised again, without the frames that hold the request
            stopped = exc
        stopped.__cause__ = stopped.__context__ = None
        raise stopped.with_traceback(None)

    async def _exchange(self, attempt: Attempt, signature: Signature) -> Reply:
        response = await self._client.send(
            self._request(attempt, signature), stream=True, auth=None, follow_redirects=False
        )
        try:
            encoding = response.headers.get("content-encoding", "")
            content = _unpacked(await _bounded(response), encoding.strip().lower())
        finally:
            await response.aclose()
        return Reply(response.status_code, _kept(response.headers.raw, signature), signature.clean(content))

    def _request(self, attempt: Attempt, signature: Signature) -> Any:
        target = signature.target(attempt.path)
        try:
            if self._in_url:
                return self._build(attempt, attempt.base_url + target.with_random(attempt.random).decode(), {})
            guards = {"target": target.with_random(attempt.random), "trace": _ProxyGuard(attempt.base_url)}
            return self._build(attempt, attempt.base_url + attempt.path, guards)
        except Exception as exc:
            raise _NotBuiltError from exc

    def _build(self, attempt: Attempt, url: str, extensions: dict[str, Any]) -> Any:
        waits = _Waits(attempt)
        return self._client.build_request(
            "POST", url, content=attempt.body, headers=_HEADERS, extensions={"timeout": waits, **extensions}
        )

    async def aclose(self) -> None:
        """Leave the client open: it is the caller's."""


class _Waits(dict[str, float]):
    """Hold what each wait may take; whoever begins one later is given what is left then.

    Else the waits in a row outlast the call, and cancelling httpx from outside harms its pool.
    """

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(dict.fromkeys(("connect", "read", "write"), min(attempt.timeout, attempt.left)))
        self["pool"] = attempt.left
        self._clock = asyncio.get_running_loop().time
        self._ends = self._clock() + attempt.left

    def get(self, wait: str, default: Any = None) -> Any:
        """Return the seconds that a wait may take that begins now."""
        limit = super().get(wait)
        return default if limit is None else max(0.0, min(limit, self._ends - self._clock()))


class _NotBuiltError(Exception):
    """Tell that the client could not so much as build the request."""


class _SignatureAtRiskError(Exception):
    """Stop httpcore before it shows the signature to a proxy."""


class _ProxyGuard:
    """Watch httpcore's trace events: a proxy may be about to read what is for Desk.

    httpx 0.28 passes the target on to a tunnel proxy's CONNECT line, in clear; httpx2 does not. A proxy for plain http
    (to this machine alone, see ``base_url``) reads every request.
    """

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._plain = (parts.hostname, parts.port or 80) if parts.scheme == "http" else None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Raise before a byte of a request that a proxy would read leaves."""
        if event.endswith("send_request_headers.started") and self._shows(info["request"]):
            raise _SignatureAtRiskError

    def _shows(self, request: Any) -> bool:
        if request.method == b"CONNECT":
            return b"usersig=" in request.url.target
        return self._plain not in (None, (request.url.host.decode().strip("[]"), request.url.port or 80))


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


def _unpacked(content: bytes, encoding: str) -> bytes:
    """Unpack a reply within the bound; no encoding was asked for, and some proxies pack all the same."""
    if encoding not in _PACKED:
        return content
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        unpacked = unpack.decompress(content, MAX_REPLY)
    except zlib.error:
        return content  # unpacked already, or no reply of Desk's
    if unpack.unconsumed_tail:
        raise ReplyLostError(f"the reply unpacks to more than {MAX_REPLY:,} bytes")
    return unpacked


def _failure(exc: Exception, signature: Signature) -> Failure:
    """Return what an exception means for the message; by name, for httpx and httpx2 have the same names."""
    names = {cls.__name__ for cls in type(exc).__mro__}
    error = _translated(exc, names, signature)
    return Failure(error, host_failed=bool(names & _UNREACHABLE) and not isinstance(error, ConfigurationError))


def _translated(exc: Exception, names: set[str], signature: Signature) -> DeskError:
    if isinstance(exc, DeskError):
        exc.__cause__ = exc.__context__ = None
        return exc.with_traceback(None)
    if isinstance(exc, _SignatureAtRiskError | UnusableProxyError | _NotBuiltError):
        return ConfigurationError(_of_settings(exc, signature))
    text = _named(exc, signature)
    if names & _NOT_SENT or "CERTIFICATE_VERIFY_FAILED" in text:
        return _unconnected(text)
    late = isinstance(exc, TimeoutError) or "TimeoutException" in names
    what = "no reply in time" if late else "the connection broke"
    return ReplyLostError(f"{what}; whether Desk took the call is not known ({text})")


def _of_settings(exc: Exception, signature: Signature) -> str:
    if isinstance(exc, _SignatureAtRiskError):
        return _PROXY_ADVICE
    if isinstance(exc, _NotBuiltError):
        return f"the http_client cannot build a request: {_named(exc.__cause__, signature)}"
    return str(exc)


def _unconnected(text: str) -> ConnectionFailedError:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return ConnectionFailedError(f"{text}; check base_url and verify=", retry=RetryKind.NEVER)
    if text.startswith(_NO_CONNECTION):
        return ConnectionFailedError(f"{text}, nothing was sent; check base_url, region, proxy and network")
    return ConnectionFailedError(f"no connection came about, nothing was sent ({text})")


def _named(exc: BaseException | None, signature: Signature) -> str:
    text = str(exc)
    named = text if text.startswith(_NO_CONNECTION) else f"{type(exc).__name__}: {text}".rstrip(": ")
    return signature.mask(named)


class _MaskUserSig(logging.Filter):
    """Mask the signature in log records that show URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, the signature masked."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return True  # its text and its arguments do not match; its handler says so
        if "usersig=" in text:
            record.msg, record.args = mask_urls(text), ()
        return True


def mask_httpx_logs() -> None:
    """Mask UserSigs in httpx's log lines, which show URLs; for ``signature_in="url"`` alone."""
    for name in ("httpx", "httpx2"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _MaskUserSig) for each in logger.filters):
            logger.addFilter(_MaskUserSig())
