"""One connection: a request goes out, a reply comes in, one timer watches both."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import aclosing
from typing import cast

import httpx

from deskim._transport._parsers import Reply, ReplyParser
from deskim._transport._wire import Timeouts, WireRequest, clock_of


class Connection(asyncio.Protocol):
    """Carry one exchange at a time. Whatever ends an exchange but a whole reply ends the connection too."""

    __slots__ = (
        "_deadline", "_drained", "_handed", "_limit", "_loop", "_parser", "_paused", "_reply", "_since",
        "_timeouts", "_timer", "_transport", "_wakes", "closed", "idle_since", "now", "on_lost",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, parser: ReplyParser) -> None:
        self._loop = loop
        self.now = clock_of(loop)
        self._parser = parser
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = math.inf
        self._timeouts = Timeouts()
        self._since, self._limit, self._deadline = 0.0, math.inf, math.inf
        self.closed = self._paused = False
        self._handed = True
        self.idle_since = 0.0
        self.on_lost: Callable[[Connection], None] | None = None

    @property
    def usable(self) -> bool:
        """Whether a request may be written to it, as far as is known."""
        return not self.closed and self._transport is not None and not self._transport.is_closing()

    @property
    def application_protocol(self) -> str | None:
        """What TLS agreed upon (ALPN), if anything."""
        tls = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return None if tls is None else tls.selected_alpn_protocol()

    async def exchange(self, request: WireRequest, timeouts: Timeouts, now: float, deadline: float) -> Reply:
        """Send `request` and return its reply; raise httpx's read, write and protocol errors."""
        if deadline <= now:
            raise httpx.PoolTimeout("the time for the whole exchange was up; the request was not sent")
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self._reply = reply
        self._timeouts, self._deadline, self._handed = timeouts, deadline, False
        self._parser.begin(head_only=request.method == b"HEAD")
        try:
            if not isinstance(request.body, bytes):
                await self._upload(request, reply)
            elif self._transport is not None:
                self._transport.write(request.encode())
                self._handed = True
            self._watch(timeouts.write if self._paused else timeouts.read)
            return await reply
        except BaseException:
            self.drop()
            if reply.done() and not reply.cancelled():
                reply.exception()  # where something else came first, this error is no news
            raise
        finally:
            self._reply = None
            del reply  # else a failed one, its error and this frame hold each other
            if self._paused or not self._handed or not self._parser.reusable:
                self.drop()

    def abandon(self, error: httpx.TransportError) -> None:
        """End the exchange under way with `error`, and the connection."""
        self._fail(error)
        self.drop()

    def drop(self) -> None:
        """Close the socket without waiting for anybody; `on_lost` hears of it once it is closed."""
        self.closed = True
        self._disarm()
        if self._transport is not None:
            self._transport.abort()

    # Sending

    async def _upload(self, request: WireRequest, reply: asyncio.Future[Reply]) -> None:
        """Send the pieces as fast as the server takes them, until it answers or `deadline` passes."""
        transport = cast("asyncio.Transport", self._transport)
        scope = asyncio.timeout_at(None if math.isinf(self._deadline) else self._deadline)
        try:
            async with scope, aclosing(request.pieces()) as pieces:
                transport.write(request.encode())
                async for piece in pieces:
                    if reply.done():  # it came, or the connection went, while the piece was made
                        break
                    transport.write(piece)
                    await self._drain()
                    if reply.done():
                        break
                else:
                    self._handed = True
        except TimeoutError:
            if not scope.expired():
                raise
        if scope.expired():
            raise httpx.WriteTimeout("the request was not sent in the time given to the whole exchange")

    async def _drain(self) -> None:
        if self._paused and not self.closed:
            self._drained = self._loop.create_future()
            self._watch(self._timeouts.write)
            await self._drained
            self._watch(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake_writer()
        if self._handed and self._reply is not None:
            self._watch(self._timeouts.read)

    def _wake_writer(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # Receiving

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        reply = self._reply
        if reply is None or reply.done():
            self.drop()  # nobody asked; it must not pass for the reply to the next request
            return
        try:
            self._parser.feed(data)
        except httpx.RemoteProtocolError as error:
            self.abandon(error.with_traceback(None))  # its frames hold the reply, which may repeat the request
        else:
            self._hand_over(reply)

    def _hand_over(self, reply: asyncio.Future[Reply]) -> None:
        """Give the reply to whoever waits for it, once it is whole."""
        if not self._parser.complete:
            self._since = self.now()
            return
        try:
            reply.set_result(self._parser.reply())
        except httpx.RemoteProtocolError as error:
            self.abandon(error.with_traceback(None))
        if self._drained is not None:
            self._wake_writer()

    def eof_received(self) -> None:
        """Learn of an orderly end, the only one that completes a reply without a length."""
        if self._reply is not None and not self._reply.done():
            self._parser.eof()
            self._hand_over(self._reply)
        self.abandon(self._why_lost(None))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._disarm()
        self._fail(self._why_lost(exc))
        self._transport = None  # a TlsStream holds this connection, and what OpenSSL keeps is large
        if self.on_lost is not None:
            self.on_lost(self)

    def _why_lost(self, exc: Exception | None) -> httpx.TransportError:
        if exc is None:
            middle = "in the middle of its reply" if self._parser.status else "without a reply"
            return httpx.RemoteProtocolError(f"the server closed the connection {middle}")
        kind = httpx.WriteError if self._uploading or isinstance(exc, BrokenPipeError) else httpx.ReadError
        return kind(f"the connection broke: {exc}")

    def _fail(self, error: httpx.TransportError) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        self._wake_writer()

    # Timing

    @property
    def _uploading(self) -> bool:
        return self._paused or not self._handed

    def _watch(self, limit: float | None) -> None:
        """Allow `limit` seconds without progress from now on.

        One timer serves all phases, the deadline and the exchanges to come: it looks when it fires whether anything
        is due, so that an exchange in time arms none.
        """
        self._since = self.now()
        self._limit = math.inf if limit is None else limit
        if self._since + self._limit < self._wakes or self._deadline < self._wakes:
            self._arm(self._due())

    def _due(self) -> float:
        return min(self._since + self._limit, self._deadline)

    def _arm(self, when: float) -> None:
        self._disarm()
        self._wakes = when
        self._timer = self._loop.call_at(when, self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._wakes = None, math.inf

    def _look(self) -> None:
        self._disarm()
        if self._reply is None or self._reply.done():
            return
        due = self._due()
        if self.now() < due < math.inf:
            self._arm(due)
        elif due < math.inf:
            self._fail(self._too_late())

    def _too_late(self) -> httpx.TimeoutException:
        if self._uploading:
            return httpx.WriteTimeout("the server did not take the request in time")
        return httpx.ReadTimeout("the server did not reply in time")
