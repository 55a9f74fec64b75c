"""From an origin to an open connection: addresses, TLS, proxy."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import os
import re
import ssl
from typing import Any, Final

import attrs
import httpx

from deskim._transport._connection import Connection
from deskim._transport._proxy import Proxy, Tunnel
from deskim._transport._tls import TlsStream
from deskim._transport._wire import Origin

_HAPPY_EYEBALLS_DELAY: Final = 0.25  # RFC 8305, section 5
_ERRNO: Final = re.compile(r"\[Errno (-?\d+)\] ?(Connect call failed \([^()]*\))?")
_SPOKEN: Final = (None, "http/1.1", "http/1.0")


@functools.cache
def shared_context(*, verify: bool, trust_env: bool) -> ssl.SSLContext:
    """Return the process's one SSLContext of this kind: making one costs 20 ms."""
    return httpx.create_ssl_context(verify=verify, trust_env=trust_env)


@attrs.frozen
class Route:
    """Hold what it takes to reach an origin."""

    origin: Origin
    proxy: Proxy | None
    context: ssl.SSLContext | None

    @property
    def name(self) -> str:
        """Return whither it leads, and through which proxy."""
        through = "" if self.proxy is None else f" through the proxy {self.proxy.origin.netloc}"
        return f"{self.origin.netloc}{through}"

    async def dial(self, connection: Connection) -> None:
        """Open `connection`; raise OSError, ValueError or httpx.ProxyError when that does not succeed."""
        if self.proxy is None:
            await _connect(connection, self.origin, self.context)
        else:
            await self._through(self.proxy, connection)
        if connection.application_protocol not in _SPOKEN:
            raise OSError(
                f"the SSLContext offers {connection.application_protocol}, which this transport does not speak"
            )

    async def _through(self, proxy: Proxy, connection: Connection) -> None:
        tunnel = Tunnel(asyncio.get_running_loop())
        transport = await _connect(tunnel, proxy.origin, self.context)
        try:
            await tunnel.open(transport, proxy, self.origin)
            await self._enter(transport, connection)
        except BaseException:
            transport.abort()
            raise

    async def _enter(self, transport: asyncio.Transport, connection: Connection) -> None:
        """Hand the tunnel over to `connection`, with the origin's own TLS inside where it has one."""
        inner = _encrypted(connection, self.origin, self.context)
        transport.set_protocol(inner)
        inner.connection_made(transport)
        if isinstance(inner, TlsStream):
            await inner.opened()


async def _connect(protocol: asyncio.Protocol, origin: Origin, context: ssl.SSLContext | None) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {}
    if isinstance(loop, asyncio.BaseEventLoop) and not _is_address(origin.host):  # uvloop tries them one by one
        options["happy_eyeballs_delay"] = _HAPPY_EYEBALLS_DELAY
    lowest = _encrypted(protocol, origin, context)
    transport, _ = await loop.create_connection(lambda: lowest, origin.host, origin.port, **options)
    return await lowest.opened() if isinstance(lowest, TlsStream) else transport


def _encrypted(protocol: asyncio.Protocol, origin: Origin, context: ssl.SSLContext | None) -> asyncio.Protocol:
    """Put TLS below `protocol`, unless the origin is plain http; without a context nothing passes for that."""
    if origin.scheme == "http":
        return protocol
    if context is None:
        raise ValueError(f"TLS to {origin.netloc} needs an SSLContext")
    return TlsStream(protocol, context, origin.host)


def reason(error: Exception) -> str:
    """Return why no connection came about, in the system's own words where asyncio has only a number."""
    text = _ERRNO.sub(lambda found: os.strerror(int(found[1])) if found[2] else "", str(error))
    return text or type(error).__name__


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
