"""The connections to one origin: the newest idle one first, those who wait in their order, at most so many."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable

import attrs
import httpx

from deskim._transport._connection import Connection
from deskim._transport._dial import Route, reason
from deskim._transport._parsers import ParserFactory
from deskim._transport._wire import Timeouts, clock_of

_CLOSED = "the transport was closed before the request was sent"


@attrs.frozen
class PoolStats:
    """Count connections: opened since the beginning, open now, idle of these; and requests that wait for one."""

    opened: int = 0
    open: int = 0
    idle: int = 0
    waiting: int = 0

    def __add__(self, other: PoolStats) -> PoolStats:
        return PoolStats(*(a + b for a, b in zip(attrs.astuple(self), attrs.astuple(other), strict=True)))


@attrs.frozen
class Limits:
    """Hold what bounds a pool: connections, seconds that one may idle, bytes of a reply."""

    connections: int
    keepalive: float
    reply: int


@attrs.define(eq=False)
class Pool:
    """Lend connections.

    A slot is held from the start of dialling until the socket is closed, so the limit is never exceeded;
    whoever gives a slot or a connection up hands it to the first in the queue.
    """

    _loop: asyncio.AbstractEventLoop
    _route: Route
    _limits: Limits
    _parser: ParserFactory
    _slots: int = 0
    _opened: int = 0
    _closed: bool = False
    _idle: deque[Connection] = attrs.field(factory=deque[Connection])
    _waiters: deque[asyncio.Future[Connection | None]] = attrs.field(factory=deque[asyncio.Future["Connection | None"]])
    _connections: set[Connection] = attrs.field(factory=set[Connection])
    _dialling: set[asyncio.Timeout] = attrs.field(factory=set[asyncio.Timeout])
    _sweeper: asyncio.TimerHandle | None = None
    _emptied: asyncio.Event = attrs.field(factory=asyncio.Event)
    now: Callable[[], float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.now = clock_of(self._loop)

    def stats(self) -> PoolStats:
        """Count."""
        return PoolStats(self._opened, len(self._connections), len(self._idle), len(self._waiters))

    def take(self, now: float) -> Connection | None:
        """Return the idle connection that was used last."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.idle_since < self._limits.keepalive:
                return connection
            connection.drop()
        return None

    async def acquire(self, timeouts: Timeouts, deadline: float) -> Connection:
        """Return a connection: idle, new, or handed on by another request; raise what proves that nothing was sent."""
        until = min(self.now() + (math.inf if timeouts.pool is None else timeouts.pool), deadline)
        while not self._closed:
            connection = self.take(self.now())
            if connection is None:
                connection = await self._granted(until)
            if connection is None:
                return await self._open(timeouts.connect, deadline)
            if connection.usable:
                return connection
        raise httpx.ConnectError(_CLOSED)

    def release(self, connection: Connection) -> None:
        """Take a connection back; one that is no longer usable returns its slot when its socket is closed."""
        if connection.closed or (self._waiters and not connection.usable):
            connection.drop()
        elif not self._waiters or not self._hand_on(connection):
            connection.idle_since = self.now()
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = self._loop.call_later(self._limits.keepalive, self._sweep)

    def close(self) -> None:
        """Fail what waits and what is under way, and close all sockets."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._turn_away()
        for connection in tuple(self._connections):
            connection.abandon(httpx.ReadError("the transport was closed while the request was under way"))

    async def wait_closed(self) -> None:
        """Wait until the sockets of a closed pool are closed."""
        if self._slots:
            await self._emptied.wait()

    # Slots

    async def _granted(self, until: float) -> Connection | None:
        """Return None for a free slot, or the connection that another request hands on."""
        if self._slots < self._limits.connections:
            self._slots += 1
            return None
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        timer = None if math.isinf(until) else self._loop.call_at(until, self._give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._return(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _give_up(self, waiter: asyncio.Future[Connection | None]) -> None:
        if not waiter.done():
            self._waiters.remove(waiter)
            waiter.set_exception(httpx.PoolTimeout("no connection became free in time; the request was not sent"))

    def _return(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Pass on what was granted at the very moment when the one who waited was cancelled."""
        if waiter.cancelled():
            with contextlib.suppress(ValueError):  # whoever gave something up meanwhile has passed it over already
                self._waiters.remove(waiter)
        elif waiter.exception() is None:
            connection = waiter.result()
            if connection is None:
                self._free_slot()
            else:
                self.release(connection)

    def _hand_on(self, connection: Connection | None) -> bool:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _free_slot(self) -> None:
        if self._closed or not self._hand_on(None):
            self._slots -= 1
            if self._closed and not self._slots:
                self._emptied.set()

    # Opening and closing

    async def _open(self, timeout: float | None, deadline: float) -> Connection:
        """Fill a slot with a new connection, or give the slot back."""
        connection = Connection(self._loop, self._parser(self._limits.reply))
        try:
            await self._dial(connection, timeout, deadline)
        except BaseException:
            connection.drop()
            self._free_slot()
            raise
        self._opened += 1
        self._connections.add(connection)
        connection.on_lost = self._lost
        return connection

    async def _dial(self, connection: Connection, timeout: float | None, deadline: float) -> None:
        until = min(self.now() + (math.inf if timeout is None else timeout), deadline)
        scope = asyncio.timeout_at(None if math.isinf(until) else until)
        why = ""
        try:
            async with scope:
                self._dialling.add(scope)
                await self._route.dial(connection)
        except (OSError, ValueError) as error:
            why = reason(error)
        finally:
            self._dialling.discard(scope)
        if self._closed:
            raise httpx.ConnectError(_CLOSED)
        if scope.expired():
            raise httpx.ConnectTimeout(f"no connection to {self._route.name} in time")
        if why or not connection.usable:
            raise httpx.ConnectError(f"no connection to {self._route.name} ({why or 'it was closed at once'})")

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._free_slot()

    def _sweep(self) -> None:
        """Close what has idled too long, and look again when the next one will have."""
        self._sweeper = None
        now = self.now()
        while self._idle and now - self._idle[0].idle_since >= self._limits.keepalive:
            self._idle.popleft().drop()
        if self._idle:
            self._sweeper = self._loop.call_at(self._idle[0].idle_since + self._limits.keepalive, self._sweep)

    def _turn_away(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(httpx.ConnectError(_CLOSED))
        for scope in self._dialling:
            if not scope.expired():
                scope.reschedule(self.now())
