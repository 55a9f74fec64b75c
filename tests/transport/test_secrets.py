from __future__ import annotations

import asyncio
import base64
import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import httpx
import pytest

from deskim._transport import HeaderBlock, Timeouts, WireRequest
from tests.support.proxy import forward_proxy
from tests.transport.conftest import MakeTransport
from tests.transport.raw_server import OK, Handler, Peer, once, serve

pytestmark = pytest.mark.anyio

CANARY = "eJw1jcEKgkAURX"


def secretive() -> WireRequest:
    """Return a request whose target and headers hold the canary."""
    return WireRequest(
        b"POST",
        b"/v4/send_msg?usersig=" + CANARY.encode(),
        HeaderBlock([(b"Host", b"example"), (b"Authorization", CANARY.encode())]),
        b"{}",
    )


def everything_in(error: BaseException) -> str:
    """Return what an error tracker would record: the chain, each frame's locals (but the test's), the attributes."""
    assert error.__traceback__ is not None
    told = traceback.TracebackException(type(error), error, error.__traceback__.tb_next, capture_locals=True)
    return "".join(told.format()) + repr(vars(error)) + repr(error.__context__) + repr(error.__cause__)


async def reset(peer: Peer) -> None:
    """Read the request and break the connection."""
    await peer.request()
    peer.reset()


async def stall(peer: Peer) -> None:
    """Read the request and say nothing."""
    await peer.request()
    await peer.gone()


FAILURES: dict[str, tuple[Handler, Timeouts, type[Exception]]] = {
    "closed": (once(b"", close=True), Timeouts(), httpx.RemoteProtocolError),
    "cut off": (once(OK[:-1], close=True), Timeouts(), httpx.RemoteProtocolError),
    "an echo": (once(b"what is " + CANARY.encode() + b"?\r\n\r\n"), Timeouts(), httpx.RemoteProtocolError),
    "an echo in a header": (once(OK[:17] + CANARY.encode() + b"\r\n\r\n"), Timeouts(), httpx.RemoteProtocolError),
    "garbage": (once(b"garbage\r\n\r\n"), Timeouts(), httpx.RemoteProtocolError),
    "compressed garbage": (
        once(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"),
        Timeouts(),
        httpx.RemoteProtocolError,
    ),
    "too large": (
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"x" * 200),
        Timeouts(),
        httpx.RemoteProtocolError,
    ),
    "reset": (reset, Timeouts(), httpx.TransportError),
    "stalled": (stall, Timeouts(read=0.05), httpx.ReadTimeout),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_secret_in_errors(make_transport: MakeTransport, failure: str) -> None:
    """Neither the text of an error nor the locals of any frame it passed through show the target or a header."""
    handler, timeouts, kind = FAILURES[failure]
    transport = make_transport(max_response_bytes=100)
    async with serve(handler) as server:
        with pytest.raises(kind) as caught:
            await transport.roundtrip(server.origin, secretive(), timeouts)
    assert CANARY not in everything_in(caught.value)


def test_no_secret_for_printers_that_read_fields() -> None:
    """Printers that go by the fields of attrs classes, as those of rich, leave the target and the body out."""
    shown = {field.name: getattr(secretive(), field.name) for field in attrs.fields(WireRequest) if field.repr}
    assert {"method", "headers", "length"} == shown.keys()
    assert CANARY not in repr(shown)


async def test_no_secret_when_cancelled(make_transport: MakeTransport) -> None:
    """A cancellation on its way through shows nothing either."""
    arrived = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.gone()

    transport = make_transport()
    async with serve(handler) as server:
        task = asyncio.create_task(transport.roundtrip(server.origin, secretive(), Timeouts()))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert CANARY not in everything_in(caught.value)


async def test_no_secret_under_httpx(make_transport: MakeTransport, caplog: pytest.LogCaptureFixture) -> None:
    """Under a plain httpx.AsyncClient neither its log nor its errors show the target."""
    caplog.set_level(logging.DEBUG)

    async def call(client: httpx.AsyncClient, url: str) -> httpx.Response:
        target = b"/?usersig=" + CANARY.encode()
        request = client.build_request("POST", url, content=b"{}", extensions={"target": target})
        del target
        return await client.send(request)

    async with (
        serve(once(OK)) as good,
        serve(once(b"", close=True)) as bad,
        httpx.AsyncClient(transport=make_transport()) as client,
    ):
        assert 200 == (await call(client, good.url)).status_code
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await call(client, bad.url)
    assert CANARY not in everything_in(caught.value)
    assert CANARY not in caplog.text


REFUSED: dict[str, Callable[[], WireRequest]] = {
    "target": lambda: WireRequest(b"POST", CANARY.encode() + b" ", HeaderBlock([])),
    "method": lambda: WireRequest(b"A B", CANARY.encode(), HeaderBlock([])),
    "header": lambda: WireRequest(b"GET", b"/", HeaderBlock([(b"Cookie", CANARY.encode() + b"\n")])),
}


@pytest.mark.parametrize("refused", REFUSED)
async def test_no_secret_in_refusals(make_transport: MakeTransport, refused: str) -> None:
    """What cannot be sent is not repeated."""
    transport = make_transport()
    async with serve(once(OK)) as server:
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await transport.roundtrip(server.origin, REFUSED[refused](), Timeouts())
    assert CANARY not in everything_in(caught.value)


async def test_no_proxy_password_in_errors(make_transport: MakeTransport) -> None:
    """A proxy that repeats its password in its refusal does not get it into the error."""
    encoded = base64.b64encode(f"user:{CANARY}".encode())
    async with forward_proxy(answer=b"HTTP/1.1 407 " + encoded + b"\r\n\r\n") as proxy:
        transport = make_transport(proxy=f"http://user:{CANARY}@127.0.0.1:{proxy.port}")
        async with serve(once(OK)) as server:
            with pytest.raises(httpx.ProxyError) as caught:
                await transport.roundtrip(server.origin, secretive(), Timeouts())
    shown = everything_in(caught.value)
    assert (False, False) == (CANARY in shown, encoded.decode() in shown)


@pytest.mark.parametrize("leak", [repr, str, ascii])
def test_masked(leak: Callable[[Any], str]) -> None:
    """A request and its headers show nothing of themselves."""
    request = secretive()
    assert CANARY not in leak(request) + leak(request.headers)


def test_not_pickled() -> None:
    """A request is not written to disk or to another process by accident."""
    for copier in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not pickled"):
            copier(secretive())
