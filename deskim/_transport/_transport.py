"""DeskTransport: pools by origin, bound to one event loop and one process."""

from __future__ import annotations

import asyncio
import math
import ssl
from typing import Final

import httpx

from deskim._here import Home
from deskim._transport._choice import default_parser
from deskim._transport._dial import Route, shared_context
from deskim._transport._httpx import origin_of, wire_request
from deskim._transport._parsers import ParserFactory, Reply
from deskim._transport._pool import Limits, Pool, PoolStats
from deskim._transport._proxy import Proxy, environment_proxy
from deskim._transport._wire import Origin, Timeouts, WireRequest

_OTHER_LOOP: Final = (
    "the connections of this transport belong to another event loop that is still open; "
    "make one DeskTransport per loop, or aclose() this one where it was used"
)
_left_to_the_parent: list[dict[Origin, Pool]] = []


class DeskTransport(httpx.AsyncBaseTransport):
    """Carry requests over HTTP/1.1 keep-alive connections, for asyncio; any httpx.AsyncClient can use it.

    `verify` is an SSLContext, or whether certificates are checked. `proxy` is the URL of an HTTP proxy (credentials in
    it are sent to the proxy); without it and with `trust_env` the environment's proxies count. Every origin is reached
    through a CONNECT tunnel, so that no proxy sees a request. At most `max_connections` are open per origin; an
    idle one is closed after `keepalive_expiry` seconds. A reply is read whole, up to `max_response_bytes`, which counts
    for what gzip or deflate unpack to as well; other encodings are not asked for, and refused.

    Besides httpx's four timeouts, the `timeout` extension may carry `total`, the seconds for the whole exchange.
    httpx.ConnectError, ConnectTimeout, PoolTimeout, ProxyError, UnsupportedProtocol: no byte was sent. httpx.ReadError,
    ReadTimeout, WriteError, WriteTimeout, RemoteProtocolError: the request may have been processed. Nothing is sent
    twice. RuntimeError: the transport is closed, or its connections belong to another open event loop.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | bool = True,
        proxy: str | None = None,
        trust_env: bool = True,
        max_connections: int = 64,
        keepalive_expiry: float = 30.0,
        max_response_bytes: int = 4 * 1024 * 1024,
        http2: bool = False,
        _parser: ParserFactory | None = None,
    ) -> None:
        if http2:
            raise ValueError("DeskTransport speaks HTTP/1.1; for HTTP/2 give http_client=httpx.AsyncClient(http2=True)")
        self._verify = _checked_verify(verify)
        chosen, proxy = _checked_proxy(proxy), None  # from here on no frame holds the credentials
        if isinstance(chosen, str):
            raise ValueError(f"proxy cannot be used: {chosen}")  # noqa: TRY004
        self._proxy = chosen
        self._trust_env = trust_env
        self._limits = _checked_limits(max_connections, keepalive_expiry, max_response_bytes)
        self._parser = _parser
        self._pools: dict[Origin, Pool] = {}
        self._home: Home | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send an httpx request, honouring its extensions `target` and `timeout`, and return its reply, read whole."""
        timeouts = Timeouts.of(request.extensions)
        status, headers, body = await self.roundtrip(origin_of(request.url), wire_request(request), timeouts)
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    async def roundtrip(self, origin: Origin, request: WireRequest, timeouts: Timeouts) -> Reply:
        """Send `request` and return status, headers (lower-case names) and body: the way without httpx's objects.

        Prepare the HeaderBlock once (it needs Host; Content-Length is added), make a WireRequest per call and let go of
        the target: no traceback then shows it. Raises as the class says, and httpx.LocalProtocolError for what HTTP
        forbids.
        """
        request.check()
        pool = self._pool(origin)
        now = pool.now()
        deadline = math.inf if timeouts.total is None else now + timeouts.total
        connection = pool.take(now)
        if connection is None:
            connection, now = await pool.acquire(timeouts, deadline), pool.now()
        try:
            return await connection.exchange(request, timeouts, now, deadline)
        finally:
            pool.release(connection)

    def stats(self) -> PoolStats:
        """Count connections and waiting requests over all origins."""
        return sum((pool.stats() for pool in self._pools.values()), PoolStats())

    async def aclose(self) -> None:
        """Close all connections; requests under way fail with httpx.ReadError or ConnectError. May be called again."""
        if self._foreign() and not self._orphaned():
            raise RuntimeError(_OTHER_LOOP)
        self._closed = True
        if self._orphaned():
            self._forget()
        pools = tuple(self._pools.values())
        for pool in pools:
            pool.close()
        for pool in pools:
            await pool.wait_closed()

    def _pool(self, origin: Origin) -> Pool:
        if self._closed or self._home is None or not self._home.is_here:
            self._bind()
        return self._pools.get(origin) or self._new_pool(origin)

    def _new_pool(self, origin: Origin) -> Pool:
        if origin.scheme not in {"http", "https"}:  # HTTPS in capitals must not pass for plain http
            raise httpx.UnsupportedProtocol(f"the scheme of an origin is http or https, not {origin.scheme!r}")
        proxy = self._proxy or (environment_proxy(origin) if self._trust_env else None)
        encrypted = "https" in {origin.scheme, proxy and proxy.origin.scheme}
        route = Route(origin, proxy, self._context() if encrypted else None)
        pool = Pool(asyncio.get_running_loop(), route, self._limits, self._parser or default_parser())
        self._pools[origin] = pool
        return pool

    def _context(self) -> ssl.SSLContext:
        if isinstance(self._verify, ssl.SSLContext):
            return self._verify
        return shared_context(verify=self._verify, trust_env=self._trust_env)

    # The loop and the process that the connections belong to

    def _bind(self) -> None:
        if self._closed:
            raise RuntimeError("this transport is closed; make a new DeskTransport")
        if self._orphaned():
            self._forget()
        elif self._foreign():
            raise RuntimeError(_OTHER_LOOP)
        self._home = Home()

    def _foreign(self) -> bool:
        return self._home is not None and self._home.loop is not asyncio.get_running_loop()

    def _orphaned(self) -> bool:
        """Whether the connections can no longer be used, nor closed: their loop is closed, or they are the parent's."""
        return self._home is not None and (not self._home.is_of_this_process or self._home.loop.is_closed())

    def _forget(self) -> None:
        if self._home is not None and not self._home.is_of_this_process:
            _left_to_the_parent.append(self._pools)  # closing them here would take them out of the parent's epoll
        self._pools, self._home = {}, None


def _checked_verify(verify: object) -> ssl.SSLContext | bool:
    if not isinstance(verify, ssl.SSLContext | bool):
        raise TypeError(f"verify is an ssl.SSLContext or a bool, not {type(verify).__name__}")
    return verify


def _checked_proxy(proxy: object) -> Proxy | str | None:
    if proxy is None:
        return None
    return (
        Proxy.read(proxy) if isinstance(proxy, str) else "it is a str such as http://user:password@proxy.example:3128"
    )


def _checked_limits(connections: object, keepalive: object, reply: object) -> Limits:
    if not isinstance(connections, int) or connections < 1:
        raise ValueError(f"max_connections is a whole number from 1 up, not {connections!r}")
    if not isinstance(keepalive, int | float) or not keepalive >= 0:
        raise ValueError(f"keepalive_expiry is a number of seconds, not {keepalive!r}")
    if not isinstance(reply, int) or reply < 1:
        raise ValueError(f"max_response_bytes is a whole number from 1 up, not {reply!r}")
    return Limits(connections, keepalive, reply)
