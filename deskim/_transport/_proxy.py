"""The way to an origin through an HTTP proxy: which one, and the CONNECT that opens the tunnel."""

from __future__ import annotations

import asyncio
import base64
import http
import re
import urllib.request
from typing import Final
from urllib.parse import unquote

import attrs
import httpx

from deskim._transport._parsers import MAX_HEAD
from deskim._transport._wire import Origin

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_PORTS: Final = {"http": 80, "https": 443}
_END_OF_HEAD: Final = b"\r\n\r\n"


@attrs.frozen
class Proxy:
    """Name a proxy; what it asks for as `Proxy-Authorization` stays out of the repr."""

    origin: Origin
    authorization: bytes | None = attrs.field(default=None, repr=False)

    @classmethod
    def read(cls, text: str) -> Proxy | str:
        """Read `http://user:password@host:port` (or https), or return what is wrong without repeating it."""
        url = _parsed(text)
        if url is None or not url.host:
            return "it is not a URL such as http://user:password@proxy.example:3128"
        if url.scheme.startswith("socks"):
            return "SOCKS proxies work only through http_client=httpx.AsyncClient(proxy=...)"
        if url.scheme not in _PORTS:
            return "its scheme is neither http nor https"
        origin = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        return cls(origin, _basic(url.userinfo))

    def request(self, target: Origin) -> bytes:
        """Return the CONNECT request for a tunnel to `target`."""
        where = target.netloc.encode("ascii")
        auth = b"" if self.authorization is None else b"Proxy-Authorization: %b\r\n" % self.authorization
        return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (where, where, auth)


def _parsed(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL:
        return None


def _basic(userinfo: bytes) -> bytes | None:
    if not userinfo:
        return None
    user, _, password = userinfo.decode("ascii").partition(":")
    return b"Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode())


class UnusableProxyError(httpx.ProxyError):
    """Report a proxy of the environment that no further attempt makes usable."""


def environment_proxy(origin: Origin) -> Proxy | None:
    """Return the proxy that the environment names for `origin` (HTTPS_PROXY, ALL_PROXY, NO_PROXY and the like)."""
    if any(urllib.request.proxy_bypass(name) for name in (origin.host, origin.netloc)):
        return None
    proxies = urllib.request.getproxies()
    scheme = origin.scheme if proxies.get(origin.scheme) else "all"
    text = proxies.get(scheme)
    proxy = Proxy.read(text) if text else None
    if isinstance(proxy, str):
        raise UnusableProxyError(f"{scheme.upper()}_PROXY of the environment cannot be used: {proxy}")
    return proxy


class Tunnel(asyncio.Protocol):
    """Ask a proxy for a tunnel and wait for its answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._answer: asyncio.Future[None] = loop.create_future()
        self._head = b""

    async def open(self, transport: asyncio.WriteTransport, proxy: Proxy, target: Origin) -> None:
        """Return when the tunnel stands; raise httpx.ProxyError, whose text shows no credentials, when it does not."""
        transport.write(proxy.request(target))
        await self._answer
        match = _STATUS_LINE.match(self._head)
        if match is None or _END_OF_HEAD not in self._head:
            raise httpx.ProxyError(f"the proxy {proxy.origin.netloc} closed the connection or does not speak HTTP")
        if not match[1].startswith(b"2"):
            raise httpx.ProxyError(f"the proxy {proxy.origin.netloc} refused the tunnel: {_named(int(match[1]))}")
        if not self._head.endswith(_END_OF_HEAD):
            raise httpx.ProxyError(f"the proxy {proxy.origin.netloc} sent bytes into the tunnel")

    def data_received(self, data: bytes) -> None:
        self._head += data
        if _END_OF_HEAD in self._head or len(self._head) > MAX_HEAD:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio names it
        self._settle()

    def _settle(self) -> None:
        if not self._answer.done():
            self._answer.set_result(None)


def _named(status: int) -> str:
    """Name a status in HTTP's own words; the proxy's might repeat what they should not."""
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
