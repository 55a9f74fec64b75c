from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import ssl
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from deskim._transport import DeskTransport, Origin, PoolStats, Timeouts
from deskim._transport._connection import Connection
from deskim._transport._dial import reason
from deskim._transport._parsers import Reply
from deskim._transport._pool import Pool
from tests.transport.conftest import MakeTransport
from tests.transport.raw_server import NONE, OK, Peer, Server, a_request, answer, serve, settle, until

pytestmark = pytest.mark.anyio


class Gate:
    """A server that answers when it is told to, in the order of the requests."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[bytes, asyncio.Future[None]]] = asyncio.Queue()

    async def __call__(self, peer: Peer) -> None:
        while True:
            head, _ = await peer.request()
            go = asyncio.get_running_loop().create_future()
            await self.arrived.put((head.split(b" ")[1], go))
            await go
            await peer.send(OK)

    async def next(self) -> tuple[bytes, asyncio.Future[None]]:
        return await self.arrived.get()


def start(transport: DeskTransport, server: Server, target: bytes = b"/") -> asyncio.Task[Reply]:
    """Start a request as a task."""
    return asyncio.create_task(transport.roundtrip(server.origin, a_request(target=target), NONE))


async def test_connections_are_bounded_and_shared(make_transport: MakeTransport) -> None:
    """Many requests at once share the connections allowed, and open no more."""
    transport = make_transport(max_connections=4)
    async with serve(answer) as server:
        replies = await asyncio.gather(*[start(transport, server) for _ in range(100)])
        assert {200} == {status for status, _, _ in replies}
        assert PoolStats(opened=4, open=4, idle=4, waiting=0) == transport.stats()
        assert 4 == server.accepted
        await transport.aclose()


async def test_origins_have_pools_of_their_own(make_transport: MakeTransport) -> None:
    """The bound holds for each origin by itself, the statistics are those of all."""
    transport = make_transport(max_connections=1)
    async with serve(answer) as one, serve(answer) as other:
        await asyncio.gather(start(transport, one), start(transport, other))
        assert PoolStats(opened=2, open=2, idle=2, waiting=0) == transport.stats()
        await transport.aclose()


async def test_newest_idle_connection_first(make_transport: MakeTransport) -> None:
    """The connection used last is used next, so that the surplus ages."""
    numbers: list[int] = []
    gate = Gate()

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            numbers.append(peer.number)
            go = asyncio.get_running_loop().create_future()
            await gate.arrived.put((b"", go))
            await go
            await peer.send(OK)

    transport = make_transport()
    async with serve(handler) as server:
        tasks = [start(transport, server) for _ in range(2)]
        gates = [(await gate.next())[1] for _ in tasks]
        last = numbers[-1]
        gates[0].set_result(None)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        gates[1].set_result(None)
        await asyncio.wait(tasks)
        for _ in range(3):
            task = start(transport, server)
            (await gate.next())[1].set_result(None)
            await task
        assert [last] * 3 == numbers[2:]
        await transport.aclose()


async def test_waiting_requests_keep_their_order(make_transport: MakeTransport) -> None:
    """Those who wait for a connection get it in the order in which they came."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        tasks = [start(transport, server, b"/%d" % index) for index in range(5)]
        order = []
        for _ in tasks:
            target, go = await gate.next()
            order.append(target)
            go.set_result(None)
        await asyncio.gather(*tasks)
        assert [b"/0", b"/1", b"/2", b"/3", b"/4"] == order
        await transport.aclose()


async def test_pool_timeout(make_transport: MakeTransport) -> None:
    """Who waits too long for a connection learns that nothing was sent, and leaves the queue."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server)
        _, go = await gate.next()
        for timeouts in (Timeouts(pool=0.02), Timeouts(total=0.02), Timeouts(pool=30, total=0.02)):
            with pytest.raises(httpx.PoolTimeout, match="was not sent"):
                await transport.roundtrip(server.origin, a_request(), timeouts)
        assert 0 == transport.stats().waiting
        go.set_result(None)
        assert 200 == (await first)[0]
        await transport.aclose()


@pytest.mark.parametrize("total", [0.0, -1.0])
async def test_no_time_left(make_transport: MakeTransport, total: float) -> None:
    """Nothing is sent when the time for the whole exchange is up, and the connection remains."""
    transport = make_transport()
    async with serve(answer) as server:
        await start(transport, server)
        with pytest.raises(httpx.PoolTimeout, match="was not sent"):
            await transport.roundtrip(server.origin, a_request(), Timeouts(total=total))
        assert PoolStats(opened=1, open=1, idle=1, waiting=0) == transport.stats()
        await transport.aclose()


async def cancelled(task: asyncio.Task[Any]) -> bool:
    """Cancel a task and return whether that was what ended it."""
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def test_cancelled_while_waiting(make_transport: MakeTransport) -> None:
    """A waiting request that is cancelled leaves the queue to those behind it."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server, b"/first")
        _, go = await gate.next()
        waiting = [start(transport, server, b"/%d" % index) for index in range(3)]
        await settle()
        assert await cancelled(waiting[0])
        assert 2 == transport.stats().waiting
        go.set_result(None)
        for _ in range(2):
            (await gate.next())[1].set_result(None)
        await asyncio.gather(first, *waiting[1:])
        await transport.aclose()


async def test_cancelled_in_flight(make_transport: MakeTransport) -> None:
    """A request cancelled after it was sent drops its connection, and the next one waiting opens another."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server)
        await gate.next()
        second = start(transport, server)
        await settle()
        assert await cancelled(first)
        (await gate.next())[1].set_result(None)
        assert 200 == (await second)[0]
        assert 2 == transport.stats().opened
        await transport.aclose()


@pytest.mark.parametrize("turns", range(12))
async def test_cancelled_after_any_number_of_turns(make_transport: MakeTransport, turns: int) -> None:
    """Wherever a request is when it is cancelled (resolving, connecting, sending, reading), its slot goes on."""
    transport = make_transport(max_connections=1)
    async with serve(answer) as server:
        for _ in range(3):
            first, second = start(transport, server), start(transport, server)
            for _ in range(turns):
                await asyncio.sleep(0)
            first.cancel()
            assert 200 == (await second)[0]
            await asyncio.wait([first])
        await transport.aclose()
    assert PoolStats(opened=transport.stats().opened) == transport.stats()


def at_the_first_grant(monkeypatch: pytest.MonkeyPatch, act: Callable[[Connection | None], object]) -> None:
    """Act when a waiting request has been granted something and has not woken yet."""
    hand_on = Pool._hand_on

    def hand_on_and_act(pool: Pool, connection: Connection | None) -> bool:
        granted = hand_on(pool, connection)
        if granted:
            monkeypatch.setattr(Pool, "_hand_on", hand_on)
            act(connection)
        return granted

    monkeypatch.setattr(Pool, "_hand_on", hand_on_and_act)


@pytest.mark.parametrize("granted", ["connection", "slot"])
async def test_cancelled_when_granted(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, granted: str
) -> None:
    """A request cancelled at the very moment when it was granted a connection, or a slot for one, hands it on."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server)
        _, go = await gate.next()
        second, third = start(transport, server, b"/second"), start(transport, server, b"/third")
        await settle()
        at_the_first_grant(monkeypatch, lambda _: second.cancel())
        if granted == "connection":
            go.set_result(None)
        else:
            first.cancel()
        target, go = await gate.next()
        assert b"/third" == target
        go.set_result(None)
        assert 200 == (await third)[0]
        await asyncio.wait([first, second])
        assert second.cancelled()
        assert {"connection": 1, "slot": 2}[granted] == transport.stats().opened
        await transport.aclose()


async def test_cancelled_and_passed_over(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiting request that is cancelled and, before it wakes, passed over by a grant is simply gone."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server)
        _, go = await gate.next()
        second, third = start(transport, server, b"/second"), start(transport, server, b"/third")
        await settle()
        hand_on = Pool._hand_on

        def cancel_and_hand_on(pool: Pool, connection: Connection | None) -> bool:
            second.cancel()
            return hand_on(pool, connection)

        monkeypatch.setattr(Pool, "_hand_on", cancel_and_hand_on)
        go.set_result(None)
        target, go = await gate.next()
        assert b"/third" == target
        go.set_result(None)
        await asyncio.wait([first, second, third])
        assert [200, True, 200] == [first.result()[0], second.cancelled(), third.result()[0]]
        await transport.aclose()


async def test_timed_out_and_cancelled_at_once(make_transport: MakeTransport) -> None:
    """A request cancelled just when its pool timeout has passed is cancelled, and nothing is lost."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server)
        _, go = await gate.next()
        second = asyncio.create_task(transport.roundtrip(server.origin, a_request(), Timeouts(pool=0.02)))
        await until(lambda: transport.stats().waiting)
        await until(lambda: not transport.stats().waiting)
        assert await cancelled(second)
        go.set_result(None)
        assert 200 == (await first)[0]
        await transport.aclose()


async def test_granted_connection_that_died(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks between being handed on and being taken is replaced."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server)
        _, go = await gate.next()
        second = start(transport, server)
        await settle()
        at_the_first_grant(monkeypatch, lambda connection: connection.drop() if connection else None)
        go.set_result(None)
        (await gate.next())[1].set_result(None)
        assert [200, 200] == [status for status, _, _ in await asyncio.gather(first, second)]
        assert 2 == transport.stats().opened
        await transport.aclose()


async def test_closed_idle_connection_is_not_used(make_transport: MakeTransport) -> None:
    """An idle connection that the server has closed is thrown away."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    transport = make_transport(max_connections=1)
    async with serve(handler) as server:
        for _ in range(3):
            assert 200 == (await start(transport, server))[0]
            await until(lambda: not transport.stats().open)
        assert 3 == server.accepted


async def test_dead_connection_found_at_the_last_moment(make_transport: MakeTransport) -> None:
    """An idle connection whose socket turns out to be closing is passed over before anything is written."""
    transport = make_transport(max_connections=1)
    async with serve(answer) as server:
        await start(transport, server)
        (pool,) = transport._pools.values()
        pool._idle[0]._transport.close()  # type: ignore[union-attr]
        assert 200 == (await start(transport, server))[0]
        assert 2 == transport.stats().opened
        await transport.aclose()


async def test_idle_connections_age(make_transport: MakeTransport) -> None:
    """A connection that idles for `keepalive_expiry` seconds is closed without another request."""
    gone = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.gone()
        gone.set()

    transport = make_transport(keepalive_expiry=0.05)
    async with serve(handler) as server:
        await start(transport, server)
        assert 1 == transport.stats().idle
        await gone.wait()
        assert PoolStats(opened=1) == transport.stats()


async def test_idle_connections_age_one_by_one(make_transport: MakeTransport) -> None:
    """The sweep closes what is old and leaves what is young."""
    transport = make_transport(keepalive_expiry=60)
    async with serve(answer) as server:
        await asyncio.gather(start(transport, server), start(transport, server))
        (pool,) = transport._pools.values()
        pool._idle[0].idle_since -= 61
        pool._sweep()
        await settle()
        assert 1 == transport.stats().idle
        pool._idle[0].idle_since -= 61
        assert 200 == (await start(transport, server))[0]
        assert 3 == transport.stats().opened
        await transport.aclose()


# Connecting


async def test_refused() -> None:
    """A port that nobody listens on is a ConnectError that names the origin."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with DeskTransport(trust_env=False) as transport:
        with pytest.raises(httpx.ConnectError, match=rf"no connection to 127\.0\.0\.1:{port} \(") as caught:
            await transport.roundtrip(Origin("http", "127.0.0.1", port), a_request(), NONE)
        assert (None, None) == (caught.value.__cause__, caught.value.__context__)
        assert PoolStats() == transport.stats()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('::1', 9, 0, 0)"), os.strerror(errno.ECONNREFUSED)),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (
            OSError(
                f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] Connect call failed ('::1', 9), [Errno -9] odd"
            ),
            f"Multiple exceptions: {os.strerror(errno.ECONNREFUSED)}, odd",
        ),
        (OSError(), "OSError"),
    ],
)
def test_the_reason_is_the_systems(error: OSError, expected: str) -> None:
    """What a reader sees of a failed connection are words, not numbers."""
    assert expected == reason(error)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".invalid"])
async def test_unknown_host(host: str) -> None:
    """A name that does not resolve, or cannot be one, is a ConnectError."""
    async with DeskTransport(trust_env=False) as transport:
        with pytest.raises(httpx.ConnectError):
            await transport.roundtrip(Origin("http", host, 80), a_request(), NONE)


@pytest.mark.parametrize("timeouts", [Timeouts(connect=0.05), Timeouts(total=0.05)])
async def test_connect_timeout(make_transport: MakeTransport, timeouts: Timeouts) -> None:
    """A server that does not get through its handshake is given up, before anything was sent."""

    async def silent(peer: Peer) -> None:
        await peer.gone()

    transport = make_transport()
    async with serve(silent) as server:
        with pytest.raises(httpx.ConnectTimeout):
            await transport.roundtrip(Origin("https", "127.0.0.1", server.port), a_request(), timeouts)
        assert PoolStats() == transport.stats()


async def test_failed_connection_gives_its_slot_on(make_transport: MakeTransport) -> None:
    """Those who wait behind a connection that cannot be made get their turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = Origin("http", "127.0.0.1", listener.getsockname()[1])
    transport = make_transport(max_connections=1)
    tasks = [transport.roundtrip(origin, a_request(), NONE) for _ in range(5)]
    assert [httpx.ConnectError] * 5 == [type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_ipv6(make_transport: MakeTransport) -> None:
    """An address of either kind is an origin."""
    transport = make_transport()
    async with serve(answer, host="::1") as server:
        assert 200 == (await transport.roundtrip(Origin("http", "::1", server.port), a_request(), NONE))[0]
        await transport.aclose()


async def test_all_addresses_are_tried(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host is reached by the first of its addresses that answers."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        pytest.skip("uvloop looks addresses up by itself, where no test can name them")
    transport = make_transport()
    async with serve(answer) as server:

        async def getaddrinfo(*_: object, **__: object) -> list[Any]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))
                for address in ("127.0.0.2", "127.0.0.1")
            ]

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        assert 200 == (await transport.roundtrip(Origin("http", "desk.test", server.port), a_request(), NONE))[0]
        await transport.aclose()


async def test_closed_during_the_connect(make_transport: MakeTransport) -> None:
    """A connection that is gone before it was ever used is a ConnectError: nothing was sent."""

    async def handler(peer: Peer) -> None:
        peer.reset()

    transport = make_transport()
    async with serve(handler) as server:
        with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)):
            await start(transport, server)


async def test_http2_by_mistake(make_transport: MakeTransport, server_context: ssl.SSLContext, authority: Any) -> None:
    """A context of the caller's that offers HTTP/2 does not end in gibberish."""
    server_context.set_alpn_protocols(["h2"])
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    transport = make_transport(verify=context)
    try:
        async with serve(answer, server_context) as server:
            with pytest.raises(httpx.ConnectError, match="h2"):
                await start(transport, server)
    finally:
        server_context.set_alpn_protocols(["http/1.1"])


# Closing


async def test_aclose_with_requests_in_flight(make_transport: MakeTransport) -> None:
    """Closing fails what is under way and what waits, closes every socket, and may be done twice and at once."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        flying = start(transport, server)
        await gate.next()
        waiting = start(transport, server)
        await settle()
        await asyncio.gather(transport.aclose(), transport.aclose())
        with pytest.raises(httpx.ReadError, match="the transport was closed"):
            await flying
        with pytest.raises(httpx.ConnectError, match="the transport was closed"):
            await waiting
        await transport.aclose()
        assert PoolStats(opened=1) == transport.stats()


async def test_aclose_while_connecting(make_transport: MakeTransport) -> None:
    """Closing ends connections that are being made."""

    async def silent(peer: Peer) -> None:
        await peer.gone()

    transport = make_transport()
    async with serve(silent) as server:
        origin = Origin("https", "127.0.0.1", server.port)
        tasks = [asyncio.create_task(transport.roundtrip(origin, a_request(), NONE)) for _ in range(3)]
        await until(lambda: server.accepted == 3)
        await transport.aclose()
        for task in tasks:
            with pytest.raises(httpx.ConnectError, match="the transport was closed"):
                await task


async def test_aclose_when_a_connection_was_just_granted(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was granted a connection, but has not used it yet, is told that nothing was sent."""
    gate = Gate()
    transport = make_transport(max_connections=1)
    async with serve(gate) as server:
        first = start(transport, server)
        _, go = await gate.next()
        second = start(transport, server)
        await settle()
        closing: list[Coroutine[Any, Any, None]] = []

        def close(_: Connection | None) -> None:
            closing.append(transport.aclose())
            closing[0].send(None)  # up to where it waits for the sockets

        at_the_first_grant(monkeypatch, close)
        go.set_result(None)
        await asyncio.wait([first, second])
        assert 200 == first.result()[0]
        assert isinstance(second.exception(), httpx.ConnectError)
        closing[0].close()
        await transport.aclose()
        assert 0 == transport.stats().open


async def test_use_after_aclose(make_transport: MakeTransport) -> None:
    """A closed transport says so."""
    transport = make_transport()
    await transport.aclose()
    with pytest.raises(RuntimeError, match="is closed"):
        await transport.roundtrip(Origin("http", "127.0.0.1", 1), a_request(), NONE)


# Loops and processes

Work = Callable[[DeskTransport], Coroutine[Any, Any, Any]]


async def one_request(transport: DeskTransport) -> int:
    """Serve, send one request and return its status."""
    async with serve(answer) as server:
        return (await start(transport, server))[0]


def test_closed_loop_is_forgotten() -> None:
    """A transport goes on in the next loop when its first one is closed."""
    transport = DeskTransport(trust_env=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the connection was left open in a loop that was closed
        assert 200 == asyncio.run(one_request(transport))
        assert 200 == asyncio.run(one_request(transport))
        asyncio.run(transport.aclose())
        assert PoolStats() == transport.stats()
        gc.collect()


async def test_other_open_loop(make_transport: MakeTransport) -> None:
    """A transport in use elsewhere says what to do instead of hanging."""
    transport = make_transport()
    await one_request(transport)

    def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="one DeskTransport per loop"):
            asyncio.run(one_request(transport))
        with pytest.raises(RuntimeError, match="one DeskTransport per loop"):
            asyncio.run(transport.aclose())

    await asyncio.get_running_loop().run_in_executor(None, elsewhere)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_fork(make_transport: MakeTransport) -> None:
    """A forked child opens connections of its own and leaves the parent's alone."""
    transport = make_transport(max_connections=1)
    async with serve(answer) as server:
        await start(transport, server)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = _in_the_child(transport, server.origin)
            finally:
                os._exit(status)
        loop = asyncio.get_running_loop()
        _, status = await loop.run_in_executor(None, os.waitpid, child, 0)
        assert 0 == os.waitstatus_to_exitcode(status)
        assert 200 == (await start(transport, server))[0]
        assert (2, 1) == (server.accepted, transport.stats().opened)
        await transport.aclose()


def _in_the_child(transport: DeskTransport, origin: Origin) -> int:
    async def main() -> bool:
        status, _, _ = await transport.roundtrip(origin, a_request(), NONE)
        stats = transport.stats()
        await transport.aclose()
        return (status, stats.opened) == (200, 1)

    asyncio._set_running_loop(None)
    return 0 if asyncio.run(main()) else 1
