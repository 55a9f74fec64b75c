"""An HTTP/1.1 transport for httpx on asyncio that is fast, survives cancellation and tunnels through a proxy."""

from deskim._transport._pool import PoolStats
from deskim._transport._proxy import UnusableProxyError
from deskim._transport._transport import DeskTransport
from deskim._transport._wire import HeaderBlock, Origin, Timeouts, WireRequest

__all__ = ["DeskTransport", "HeaderBlock", "Origin", "PoolStats", "Timeouts", "UnusableProxyError", "WireRequest"]
