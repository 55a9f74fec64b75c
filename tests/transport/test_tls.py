"""TLS as the transport speaks it: handshakes that fail, records of any size, ends of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from deskim._transport import DeskTransport, Origin, Timeouts
from deskim._transport._connection import Connection
from deskim._transport._dial import Route
from deskim._transport._h11 import H11Parser
from deskim._transport._tls import TlsStream
from tests.transport.conftest import MakeTransport
from tests.transport.raw_server import NONE, OK, Handler, Peer, a_request, answer, cancelled_after, serve, settle, until

pytestmark = pytest.mark.anyio

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CANARY = b"usersig-canary"


async def echo(peer: Peer) -> None:
    """Give every body back."""
    while True:
        _, body = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 1_000_000])
@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
async def test_records_of_any_size(
    make_transport: MakeTransport,
    server_context: ssl.SSLContext,
    authority: Any,
    version: ssl.TLSVersion,
    size: int,
) -> None:
    """A body arrives as it was sent, both ways, in either version of TLS, again and again on one connection."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    transport, request = make_transport(verify=context), a_request()
    request.body = os.urandom(size)
    async with serve(echo, server_context) as server:
        for _ in range(3):
            assert request.body == (await transport.roundtrip(server.origin, request, NONE))[2]
        assert 1 == server.accepted


async def test_records_that_come_in_pieces(
    make_transport: MakeTransport, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """A streamed body and a reply in many records pass, however the network cuts them."""

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(50):
            yield bytes([number]) * (number * 97)

    transport, request = make_transport(verify=client_context), a_request()
    request.body = pieces()
    async with serve(echo, server_context) as server:
        body = (await transport.roundtrip(server.origin, request, NONE))[2]
    assert b"".join(bytes([number]) * (number * 97) for number in range(50)) == body


async def speaks_plainly(peer: Peer) -> None:
    """Answer the ClientHello as if it were HTTP."""
    await peer.reader.read(1)
    await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await peer.gone()


async def hangs_up(peer: Peer) -> None:
    """Close once the ClientHello is there."""
    await peer.reader.read(65536)


async def resets(peer: Peer) -> None:
    """Reset once the first byte is there."""
    await peer.reader.read(1)
    peer.reset()


@pytest.mark.parametrize(
    ("handler", "text"),
    [(speaks_plainly, "WRONG_VERSION_NUMBER"), (hangs_up, "during the TLS handshake"), (resets, "127.0.0.1")],
)
async def test_no_handshake(
    make_transport: MakeTransport, client_context: ssl.SSLContext, handler: Handler, text: str
) -> None:
    """A server that does not speak TLS, or ends it early, is a ConnectError that says so; no slot is lost."""
    transport = make_transport(verify=client_context, max_connections=1)
    async with serve(handler) as server:
        for _ in range(2):
            with pytest.raises(httpx.ConnectError, match=text):
                await transport.roundtrip(Origin("https", "127.0.0.1", server.port), a_request(), NONE)
    assert 0 == transport.stats().open


async def test_stalled_handshake(make_transport: MakeTransport, client_context: ssl.SSLContext) -> None:
    """A handshake falls under the connect timeout; its socket is closed."""
    gone = asyncio.Event()

    async def stalls(peer: Peer) -> None:
        await peer.gone()
        gone.set()

    transport = make_transport(verify=client_context)
    async with serve(stalls) as server:
        with pytest.raises(httpx.ConnectTimeout):
            await transport.roundtrip(Origin("https", "127.0.0.1", server.port), a_request(), Timeouts(connect=0.05))
        await gone.wait()


@pytest.mark.parametrize("turns", range(12))
async def test_cancelled_in_the_handshake(
    make_transport: MakeTransport, server_context: ssl.SSLContext, client_context: ssl.SSLContext, turns: int
) -> None:
    """Wherever a handshake is when its request is cancelled, its slot goes on and nothing is complained of."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    transport = make_transport(verify=client_context, max_connections=1)
    async with serve(answer, server_context) as server:
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        await cancelled_after(turns, transport.roundtrip(server.origin, a_request(), NONE))
        assert 200 == (await transport.roundtrip(server.origin, a_request(), NONE))[0]
        await transport.aclose()
        gc.collect()
    assert [] == [each for each in complaints if "exception was never retrieved" in each["message"]]


async def test_the_server_hears_why(make_transport: MakeTransport, server_context: ssl.SSLContext) -> None:
    """A client that refuses a certificate tells the server, as TLS has it."""
    heard: list[str] = []

    def listen() -> None:
        server_socket.settimeout(10)
        connection, _ = server_socket.accept()
        with server_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as encrypted:
            encrypted.settimeout(10)
            try:
                encrypted.do_handshake()
                encrypted.recv(1)
            except ssl.SSLError as error:
                heard.append(str(error))

    with socket.create_server(("127.0.0.1", 0)) as server_socket:
        listening = asyncio.create_task(asyncio.to_thread(listen))
        origin = Origin("https", "127.0.0.1", server_socket.getsockname()[1])
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await make_transport().roundtrip(origin, a_request(), NONE)
        await listening
    assert "UNKNOWN_CA" in "".join(heard)


def broken_record(peer: Peer) -> None:
    """Send a record that nobody encrypted, below TLS."""
    raw = socket.fromfd(peer.writer.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM)
    with raw:
        raw.send(b"\x17\x03\x03\x00\x20" + bytes(32))


async def test_broken_record(
    make_transport: MakeTransport, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """A record that was tampered with ends the connection; the error shows nothing of request or reply."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + CANARY)
            broken_record(peer)
        else:
            await peer.send(OK)
        await peer.gone()

    transport, request = make_transport(verify=client_context), a_request()
    request.body = CANARY
    async with serve(handler, server_context) as server:
        with pytest.raises(httpx.ReadError, match="the connection broke") as caught:
            await transport.roundtrip(server.origin, request, NONE)
        shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
        of_ours = [frame for frame in shown.split("File ") if "_transport/_tls.py" in frame]
        assert 200 == (await transport.roundtrip(server.origin, a_request(), NONE))[0]
        assert (2, []) == (server.accepted, of_ours)


@pytest.mark.parametrize("end", [lambda peer: peer.writer.close(), Peer.cut, Peer.reset, broken_record])
async def test_end_while_idle(
    make_transport: MakeTransport,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    end: Callable[[Peer], None],
) -> None:
    """However an idle connection ends, the next request gets a new one."""
    ending = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            await ending.wait()
            end(peer)
        await peer.gone()

    transport = make_transport(verify=client_context)
    async with serve(handler, server_context) as server:
        await transport.roundtrip(server.origin, a_request(), NONE)
        ending.set()
        await until(lambda: not transport.stats().open)
        assert 200 == (await transport.roundtrip(server.origin, a_request(), NONE))[0]


@pytest.mark.parametrize("timeouts", [Timeouts(write=0.05, read=30), Timeouts(total=0.2)])
async def test_write_timeout(
    make_transport: MakeTransport, server_context: ssl.SSLContext, client_context: ssl.SSLContext, timeouts: Timeouts
) -> None:
    """A server that reads nothing more after the handshake is given up."""

    async def deaf(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    transport, request = make_transport(verify=client_context), a_request()
    request.body = bytes(30_000_000)
    async with serve(deaf, server_context) as server:
        with pytest.raises(httpx.WriteTimeout):
            await transport.roundtrip(server.origin, request, timeouts)


async def test_closed_connections_are_gone(
    make_transport: MakeTransport, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """A connection that is closed, and a handshake that fails, leave nothing to the collector."""

    async def closes(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    async def send(transport: DeskTransport) -> None:
        with contextlib.suppress(httpx.ConnectError):
            await transport.roundtrip(server.origin, a_request(), NONE)
        await until(lambda: not transport.stats().open)
        await settle()

    trusting, wary = make_transport(verify=client_context), make_transport()
    async with serve(closes, server_context) as server:
        gc.collect()
        gc.disable()
        try:
            for transport in (trusting, wary) * 3:
                await send(transport)
            left = [each for each in gc.get_objects() if isinstance(each, TlsStream)]
        finally:
            gc.enable()
        assert [] == left


class Lower(asyncio.Transport):
    """Count how often it is ended."""

    aborted = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send nothing anywhere."""

    def abort(self) -> None:
        self.aborted += 1


async def test_what_comes_after_a_failure_is_not_read(client_context: ssl.SSLContext) -> None:
    """The first failure is the one that is told, whatever still comes in."""
    stream, lower = TlsStream(asyncio.Protocol(), client_context, "localhost"), Lower()
    stream.connection_made(lower)
    stream.data_received(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    stream.data_received(b"\x16\x03\x03\x00\x05hello")
    stream.connection_lost(None)
    with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
        await stream.opened()
    assert 1 == lower.aborted


async def test_no_other_scheme(make_transport: MakeTransport) -> None:
    """A scheme that is not spelled as URLs have it is refused, and does not pass for one without TLS."""
    with pytest.raises(httpx.UnsupportedProtocol, match="HTTPS"):
        await make_transport().roundtrip(Origin("HTTPS", "localhost", 443), a_request(), NONE)


async def test_https_without_a_context_is_refused() -> None:
    """What has to be encrypted does not go out in clear for want of an SSLContext."""
    reached: list[Peer] = []

    async def handler(peer: Peer) -> None:
        reached.append(peer)

    async with serve(handler) as server:
        route = Route(Origin("https", "127.0.0.1", server.port), None, None)
        with pytest.raises(ValueError, match="needs an SSLContext"):
            await route.dial(Connection(asyncio.get_running_loop(), H11Parser(1000)))
    assert [] == reached
