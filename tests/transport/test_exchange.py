from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from deskim._transport import HeaderBlock, Origin, Timeouts, WireRequest
from tests.transport.conftest import MakeTransport
from tests.transport.raw_server import NONE, OK, Peer, a_request, answer, once, serve, settle, until

pytestmark = pytest.mark.anyio


async def test_roundtrip(make_transport: MakeTransport) -> None:
    """A request goes out as it was made, with its length, and its reply comes back."""
    heads: list[tuple[bytes, bytes]] = []

    async def handler(peer: Peer) -> None:
        heads.append(await peer.request())
        await peer.send(OK)

    transport = make_transport()
    async with serve(handler) as server:
        reply = await transport.roundtrip(server.origin, a_request(), NONE)
        await transport.aclose()
    assert (200, [(b"content-length", b"2")], b"ok") == reply
    assert [(b"POST /path HTTP/1.1\r\nHost: example\r\nContent-Length: 5\r\n\r\n", b"hello")] == heads


@pytest.mark.parametrize(
    ("method", "body", "line"),
    [(b"GET", b"", b""), (b"POST", b"", b"Content-Length: 0\r\n"), (b"GET", b"x", b"Content-Length: 1\r\n")],
)
def test_length_is_said_where_it_counts(method: bytes, body: bytes, line: bytes) -> None:
    """A request without a body says so only where servers expect a body."""
    head = method + b" /path HTTP/1.1\r\nHost: example\r\n"
    assert head + line + b"\r\n" + body == a_request(body, method).encode()


@pytest.mark.parametrize("target", [b"", b"/a b", b"/a\r\nX: y", b"/\xc3\xa9", b"/\x00"])
async def test_bad_target(make_transport: MakeTransport, target: bytes) -> None:
    """A target that would break its line is refused before anything is opened, and not repeated."""
    transport = make_transport()
    with pytest.raises(httpx.LocalProtocolError) as caught:
        await transport.roundtrip(Origin("http", "127.0.0.1", 1), a_request(target=target), NONE)
    assert not target or target.decode("latin-1") not in str(caught.value)
    assert 0 == transport.stats().opened


@pytest.mark.parametrize("method", [b"", b"GET /", b"CONNECT"])
def test_bad_method(method: bytes) -> None:
    """A method that is no token, or opens a tunnel, is refused."""
    with pytest.raises(httpx.LocalProtocolError):
        a_request(method=method).check()


@pytest.mark.parametrize("pair", [(b"", b"x"), (b"A B", b"x"), (b"A:", b"x"), (b"A", b"x\r\nB: y"), (b"A", b"\0")])
def test_bad_header(pair: tuple[bytes, bytes]) -> None:
    """A header that would break out of its line is refused."""
    with pytest.raises(httpx.LocalProtocolError):
        HeaderBlock([pair])


async def test_connection_is_used_again(make_transport: MakeTransport) -> None:
    """Requests one after the other share a connection."""
    transport = make_transport()
    async with serve(answer) as server:
        for _ in range(5):
            await transport.roundtrip(server.origin, a_request(), NONE)
        assert (1, 1) == (server.accepted, transport.stats().idle)
        await transport.aclose()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
    ],
    ids=["closing", "old version", "one too many"],
)
async def test_connection_is_not_used_again(make_transport: MakeTransport, reply: bytes) -> None:
    """After a reply that ends the connection, or brings more than itself, the next request opens another."""
    transport = make_transport()
    async with serve(once(reply)) as server:
        for _ in range(3):
            assert b"ok" == (await transport.roundtrip(server.origin, a_request(), NONE))[2]
        assert 3 == server.accepted
        await settle()
        assert 0 == transport.stats().open


async def test_unsolicited_bytes(make_transport: MakeTransport) -> None:
    """What a server sends on an idle connection ends it, and is no reply to the next request."""
    sent, gone = asyncio.Event(), asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            await sent.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
        await peer.gone()
        gone.set()

    transport = make_transport()
    async with serve(handler) as server:
        await transport.roundtrip(server.origin, a_request(), NONE)
        sent.set()
        await gone.wait()
        assert 0 == transport.stats().open
        assert b"ok" == (await transport.roundtrip(server.origin, a_request(), NONE))[2]
        await transport.aclose()


async def test_read_to_close(make_transport: MakeTransport) -> None:
    """A reply without a length ends with its connection."""
    transport = make_transport()
    async with serve(once(b"HTTP/1.1 200 OK\r\n\r\nhello", close=True)) as server:
        assert b"hello" == (await transport.roundtrip(server.origin, a_request(), NONE))[2]


async def test_read_to_close_over_tls(
    make_transport: MakeTransport, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """Over TLS only close_notify ends such a reply: anybody on the way could cut the connection."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if peer.number > 1:
            peer.cut()
            await peer.gone()

    transport = make_transport(verify=client_context)
    async with serve(handler, server_context) as server:
        assert b"hello" == (await transport.roundtrip(server.origin, a_request(), NONE))[2]
        with pytest.raises(httpx.RemoteProtocolError, match="in the middle of its reply"):
            await transport.roundtrip(server.origin, a_request(), NONE)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"", "without a reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "in the middle of its reply"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "in the middle of its reply"),
        (b"\x00\x01\r\n\r\n", "not proper HTTP"),
    ],
)
async def test_server_closes_early(make_transport: MakeTransport, sent: bytes, text: str) -> None:
    """A connection that ends before its reply does leaves open what became of the request."""
    transport = make_transport()
    async with serve(once(sent, close=True)) as server:
        with pytest.raises(httpx.RemoteProtocolError, match=text):
            await transport.roundtrip(server.origin, a_request(), NONE)


async def test_server_resets(make_transport: MakeTransport) -> None:
    """A reset after the request is a ReadError."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        raw = peer.writer.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.reset()

    transport = make_transport()
    async with serve(handler) as server:
        with pytest.raises(httpx.ReadError, match="the connection broke"):
            await transport.roundtrip(server.origin, a_request(), NONE)


async def test_reply_larger_than_allowed(make_transport: MakeTransport) -> None:
    """A reply over the bound ends the exchange while it is still being sent."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"400\r\n" + b"x" * 1024 + b"\r\n")

    transport = make_transport(max_response_bytes=10_000)
    async with serve(handler) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="max_response_bytes"):
            await transport.roundtrip(server.origin, a_request(), NONE)


# Timeouts


async def stall(peer: Peer) -> None:
    """Read the request and say nothing."""
    await peer.request()
    await peer.gone()


@pytest.mark.parametrize("timeouts", [Timeouts(read=0.05), Timeouts(read=30, total=0.05), Timeouts(total=0.05)])
async def test_read_timeout(make_transport: MakeTransport, timeouts: Timeouts) -> None:
    """A server that is silent for `read` seconds, or over the total, is given up, and so is its connection."""
    transport = make_transport()
    async with serve(stall) as server:
        with pytest.raises(httpx.ReadTimeout):
            await transport.roundtrip(server.origin, a_request(), timeouts)
        await settle()
        assert 0 == transport.stats().open


async def dribble(peer: Peer) -> None:
    """Send the reply byte by byte."""
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n")
    for _ in range(30):
        await peer.send(b"x")
        await asyncio.sleep(0.02)


async def test_read_timeout_is_between_bytes(make_transport: MakeTransport) -> None:
    """Bytes that keep coming keep the read timeout away, however long the whole reply takes."""
    transport = make_transport()
    async with serve(dribble) as server:
        assert b"x" * 30 == (await transport.roundtrip(server.origin, a_request(), Timeouts(read=0.4)))[2]
        await transport.aclose()


async def test_total_bounds_a_dribbling_server(make_transport: MakeTransport) -> None:
    """A server that sends byte after byte does not outlast the total."""
    transport = make_transport()
    async with serve(dribble) as server:
        with pytest.raises(httpx.ReadTimeout):
            await transport.roundtrip(server.origin, a_request(), Timeouts(read=10, total=0.1))


async def test_timers_do_not_outlive_their_exchange(make_transport: MakeTransport) -> None:
    """The timer of an exchange in time fires into nothing, and a shorter timeout later on is kept."""
    transport = make_transport()
    replies = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await replies.wait()
        await peer.send(OK)
        await stall(peer)

    async with serve(handler) as server:
        await transport.roundtrip(server.origin, a_request(), Timeouts(read=0.05))
        second = asyncio.create_task(transport.roundtrip(server.origin, a_request(), NONE))
        await asyncio.sleep(0.1)
        replies.set()
        assert b"ok" == (await second)[2]
        first_timer = asyncio.create_task(transport.roundtrip(server.origin, a_request(), Timeouts(read=60)))
        await settle()
        assert not first_timer.done()
        first_timer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first_timer


async def test_shorter_timeout_follows_a_longer_one(make_transport: MakeTransport) -> None:
    """A timer set for a patient request does not make the next, impatient one wait."""
    transport = make_transport()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await stall(peer)

    async with serve(handler) as server:
        await transport.roundtrip(server.origin, a_request(), Timeouts(read=60))
        with pytest.raises(httpx.ReadTimeout):
            await transport.roundtrip(server.origin, a_request(), Timeouts(read=0.05))
        assert 1 == server.accepted


BIG = b"x" * 30_000_000


@contextlib.asynccontextmanager
async def deaf() -> AsyncIterator[Origin]:
    """Offer a server that accepts by way of its backlog and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        yield Origin("http", "127.0.0.1", listener.getsockname()[1])


async def in_pieces(size: int = 1_000_000) -> AsyncIterator[bytes]:
    """Yield the big body in pieces."""
    for start in range(0, len(BIG), size):
        yield BIG[start : start + size]


@pytest.mark.parametrize("timeouts", [Timeouts(write=0.05, read=30), Timeouts(total=0.05)])
@pytest.mark.parametrize("streamed", [False, True])
async def test_write_timeout(make_transport: MakeTransport, timeouts: Timeouts, streamed: bool) -> None:  # noqa: FBT001
    """A server that takes nothing is given up."""
    transport = make_transport()
    request = a_request()
    request.body = in_pieces() if streamed else BIG
    async with deaf() as origin:
        with pytest.raises(httpx.WriteTimeout):
            await transport.roundtrip(origin, request, timeouts)


async def test_connection_lost_while_a_piece_is_made(make_transport: MakeTransport) -> None:
    """A piece that comes when the connection is gone is not written, which uvloop would take for a mistake."""
    gone = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"first")
        peer.reset()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await until(lambda: not transport.stats().open)
        gone.set()
        yield b"second"

    transport, request = make_transport(), a_request()
    request.body = pieces()
    async with serve(handler) as server:
        with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
            await transport.roundtrip(server.origin, request, NONE)
    assert gone.is_set()


async def test_total_bounds_the_callers_own_stream(make_transport: MakeTransport) -> None:
    """A body that never comes to its end does not outlast the total."""

    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    transport = make_transport()
    request = a_request()
    request.body = endless()
    async with serve(answer) as server:
        with pytest.raises(httpx.WriteTimeout):
            await transport.roundtrip(server.origin, request, Timeouts(total=0.05))


# Bodies


def pieces() -> Iterator[bytes]:
    """Yield a small body in pieces, an empty one among them."""
    yield from (b"hel", b"", b"lo")


async def async_pieces() -> AsyncIterator[bytes]:
    """Yield the same asynchronously."""
    for piece in pieces():
        yield piece


@pytest.mark.parametrize("length", [None, 5])
@pytest.mark.parametrize("body", [pieces, async_pieces])
async def test_streamed_body(make_transport: MakeTransport, length: int | None, body: object) -> None:
    """A body may come in pieces, with its length said before or chunked."""
    seen: list[tuple[bytes, bytes]] = []

    async def handler(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(OK)

    transport = make_transport()
    async with serve(handler) as server:
        request = WireRequest(b"POST", b"/", HeaderBlock([]), body(), length)  # type: ignore[operator]
        await transport.roundtrip(server.origin, request, NONE)
        await transport.roundtrip(server.origin, a_request(), NONE)
        await transport.aclose()
    assert [b"hello", b"hello"] == [received for _, received in seen]
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: 5"
    assert b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n" == seen[0][0]
    assert 1 == server.accepted


@pytest.mark.parametrize("length", [4, 6])
async def test_streamed_body_of_another_length(make_transport: MakeTransport, length: int) -> None:
    """A body that belies its length would pass for the next request: its connection ends."""
    transport = make_transport()
    async with serve(answer) as server:
        with pytest.raises(httpx.LocalProtocolError):
            await transport.roundtrip(
                server.origin, WireRequest(b"POST", b"/", HeaderBlock([]), pieces(), length), NONE
            )
        await settle()
        assert 0 == transport.stats().open


@pytest.mark.parametrize("streamed", [False, True])
async def test_big_body(make_transport: MakeTransport, streamed: bool) -> None:  # noqa: FBT001
    """A body larger than all buffers arrives whole, at the pace of the server, and the connection stays usable."""
    sizes: list[int] = []

    async def handler(peer: Peer) -> None:
        while True:
            sizes.append(len((await peer.request())[1]))
            await peer.send(OK)

    transport = make_transport()
    request = a_request()
    request.body = in_pieces() if streamed else BIG
    async with serve(handler) as server:
        await transport.roundtrip(server.origin, request, Timeouts(write=20, read=20))
        await transport.roundtrip(server.origin, a_request(), NONE)
        assert ([len(BIG), 5], 1) == (sizes, server.accepted)
        await transport.aclose()


@pytest.mark.parametrize("streamed", [False, True])
async def test_answered_before_all_is_sent(make_transport: MakeTransport, streamed: bool) -> None:  # noqa: FBT001
    """A server may refuse a body before it has it: its reply counts, its connection does not."""

    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    transport = make_transport()
    request = a_request()
    request.body = in_pieces() if streamed else BIG
    async with serve(handler) as server:
        assert 413 == (await transport.roundtrip(server.origin, request, NONE))[0]
        await settle()
        assert 0 == transport.stats().open


async def endless() -> AsyncIterator[bytes]:
    """Yield small pieces for as long as they are taken."""
    while True:
        yield b"piece"
        await asyncio.sleep(0)


async def test_a_body_that_was_not_sent_to_its_end_ends_the_connection(make_transport: MakeTransport) -> None:
    """A server that answers in the middle of a body gets no second request behind the half of the first."""

    async def half(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(OK)
        await (peer.gone() if peer.number == 1 else answer(peer))

    async with serve(half) as server, make_transport() as transport:
        request = a_request()
        request.body = endless()
        assert b"ok" == (await transport.roundtrip(server.origin, request, NONE))[2]
        assert b"ok" == (await transport.roundtrip(server.origin, a_request(), NONE))[2]
        assert 2 == server.accepted


@pytest.mark.parametrize("streamed", [False, True])
async def test_lost_while_sending(make_transport: MakeTransport, streamed: bool) -> None:  # noqa: FBT001
    """A connection that breaks under a body is a WriteError."""

    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        raw = peer.writer.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.reset()

    transport = make_transport()
    request = a_request()
    request.body = in_pieces() if streamed else BIG
    async with serve(handler) as server:
        with pytest.raises(httpx.WriteError):
            await transport.roundtrip(server.origin, request, NONE)


@pytest.mark.parametrize("error", [ValueError, TimeoutError, KeyError])
async def test_body_that_fails(make_transport: MakeTransport, error: type[Exception]) -> None:
    """What the caller's own body raises comes out as it is, and the half-sent request ends its connection."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise error

    transport = make_transport()
    request = a_request()
    request.body = failing()
    async with serve(answer) as server:
        with pytest.raises(error):
            await transport.roundtrip(server.origin, request, Timeouts(total=30))
        await settle()
        assert 0 == transport.stats().open
