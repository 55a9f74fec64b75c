"""The two lanes, over real sockets and over transports of others."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import logging
import os
import ssl
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest
import trustme

from deskim import AsyncDeskClient, Delivery, errors
from deskim._lanes import MAX_REPLY, Attempt, BorrowedLane, Failure, OwnLane, _MaskUserSig, mask_httpx_logs
from deskim._protocol import Identity, Reply, Signature
from deskim._transport import DeskTransport
from deskim._usersig import Secret
from deskim.testing import FakeDesk
from tests.client.stage import APP_ID, KEY, OK, FakeWorld, answer, client_class, fails, on_stage, randoms
from tests.client.test_retries import LANES, failure, send
from tests.transport.raw_server import Peer, serve

pytestmark = pytest.mark.anyio
LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2])
DESK_KEY = "0123456789abcdef" * 4


def client_of(wire: Any, **settings: Any) -> AsyncDeskClient:
    """Return a desk client over a borrowed client, without pacing and without pauses."""
    known = {"base_url": "https://desk.test", "rate_limit": None, "retry": None}
    return AsyncDeskClient(APP_ID, secret_key=KEY, http_client=wire, **{**known, **settings})


# The request


@LANES
@pytest.mark.parametrize("number", [0, 2**32 - 1])
async def test_the_target_is_exactly_the_pages(lane: str, number: int) -> None:
    """Path and parameters have the names and the order of 1229/68821, the identifier is percent-encoded."""
    world = FakeWorld(numbers=[number])
    settings: dict[str, Any] = {"usersig": "eJwtzMEKgkA*-_", "identifier": "a&b=c/中 文"}
    async with on_stage(lane=lane, world=world, **settings) as (client, script):
        await send(client)
    (seen,) = script.seen
    assert seen.target == (
        "/v4/desk_http_svc/send_msg?sdkappid=1400000000&identifier=a%26b%3Dc%2F%E4%B8%AD%20%E6%96%87"
        f"&usersig=eJwtzMEKgkA*-_&random={number}&contenttype=json"
    )
    assert "usersig" not in seen.url


@LANES
async def test_every_attempt_draws_its_own_random(lane: str) -> None:
    """The URL's number says nothing about the message: it is drawn anew, its MsgRandom is not."""
    world = FakeWorld(numbers=[7, 2**32 - 1, 0])
    async with on_stage(fails(httpx.ReadError), answer(60011), lane=lane, world=world) as (client, script):
        await send(client)
    assert [7, 2**32 - 1, 0] == randoms(script.seen)


@LIBRARIES
async def test_a_borrowed_client_adds_and_follows_nothing(library: Any) -> None:
    """Its auth is not used, its redirects are not followed, its own headers stay."""
    heads: list[bytes] = []

    async def redirect(peer: Peer) -> None:
        while True:
            heads.append((await peer.request())[0])
            await peer.send(b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:9/else\r\nContent-Length: 0\r\n\r\n")

    async with serve(redirect) as server:
        wire = library.AsyncClient(auth=("user", "password"), follow_redirects=True, trust_env=False)
        async with wire, client_of(wire, base_url=server.url) as client:
            error = await failure(send(client))
    assert (errors.ReplyError, Delivery.REJECTED, 307) == (type(error), error.delivery, error.status)  # type: ignore[attr-defined]
    assert "redirects are not followed" in str(error)
    assert 1 == len(heads)
    assert b"authorization" not in heads[0].lower()
    assert heads[0].startswith(b"POST /v4/desk_http_svc/send_msg?sdkappid=1400000000&identifier=administrator&usersig=")
    for line in (b"accept: application/json", b"content-type: application/json", b"accept-encoding: identity"):
        assert line in heads[0].lower()


# Transports that ignore the target


@pytest.mark.parametrize("transport", ["ASGITransport", "MockTransport"])
async def test_a_transport_that_ignores_the_target_is_noticed(transport: str) -> None:
    """Desk misses its parameters then, and the error names the way out, which works."""
    desk = FakeDesk(APP_ID, KEY)
    through: Any = httpx.ASGITransport(desk)
    if transport == "MockTransport":

        async def handle(request: httpx.Request) -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(desk)) as inner:
                return await inner.send(httpx.Request("POST", request.url, content=request.content))

        through = httpx.MockTransport(handle)
    wire = httpx.AsyncClient(transport=through)
    async with client_of(wire) as client:
        error = await failure(send(client))
    assert 60012 == error.code
    assert 'signature_in="url"' in str(error)
    async with client_of(wire, signature_in="url") as client:
        assert 1 == (await send(client)).attempts
    assert ["hello"] == [message.text for message in desk.messages]


async def test_a_reply_made_in_memory_is_read() -> None:
    """A mock may answer with a response that is read already, packed or not."""
    for headers, content in (({}, b""), ({"content-encoding": "gzip"}, b"x")):
        body = json.dumps(OK).encode() + content.replace(b"x", b"")
        packed = gzip.compress(body) if headers else body
        wire = httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _, h=headers, p=packed: httpx.Response(200, headers=h, content=p))
        )
        async with client_of(wire) as client:
            assert OK == (await send(client)).raw


async def test_a_client_that_builds_no_request_is_told_so() -> None:
    """Nothing was sent, and trying again would not help."""

    class Odd:
        is_closed = False

        def build_request(self, *_: object) -> object:
            raise AssertionError

        async def send(self, *_: object) -> object:
            raise AssertionError

    async with client_of(Odd()) as client:
        error = await failure(send(client))
    assert (errors.ConfigurationError, Delivery.NOT_SENT, False) == (type(error), error.delivery, error.retryable)
    assert "cannot build a request: TypeError" in str(error)


# Packed and oversized replies


def attempt(base_url: str) -> Attempt:
    """Return an attempt of no importance."""
    return Attempt(base_url, "/v4/desk_http_svc/send_msg", 1, b"{}", 5.0, 5.0)


def signature() -> Signature:
    """Return a signature of no importance."""
    return Signature(Identity(APP_ID, "administrator"), Secret("eJwtzMEKgkAUR-"))


async def posted(reply: bytes, library: Any = httpx) -> Reply | Failure:
    """Return what the borrowed lane makes of the bytes that a server answers with."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(reply)

    async with serve(handler) as server, library.AsyncClient(trust_env=False) as wire:
        return await BorrowedLane(wire, in_url=False).post(attempt(server.url), signature())


def packed(content: bytes, encoding: str) -> bytes:
    """Return a response with a packed body."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-Gzip", gzip.compress),
        (" deflate", zlib.compress),
        ("identity", bytes),
        ("gzip", bytes),
    ],
)
async def test_packed_replies_are_unpacked(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """No packing was asked for; a proxy that packs, or says so without doing it, does no harm."""
    reply = await posted(packed(pack(b'{"ErrorCode":0}'), encoding))
    assert isinstance(reply, Reply)
    assert b'{"ErrorCode":0}' == reply.content


@LIBRARIES
async def test_a_bomb_is_not_unpacked(library: Any) -> None:
    """A reply of some kilobytes that would fill the memory is left at the bound."""
    bomb = gzip.compress(bytes(8 * MAX_REPLY))
    tracemalloc.start()
    reply = await posted(packed(bomb, "gzip"), library)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(reply, Failure)
    assert (errors.ReplyLostError, Delivery.UNKNOWN) == (type(reply.error), reply.error.delivery)
    assert "unpacks to more than" in str(reply.error)
    assert peak < 4 * MAX_REPLY


@pytest.mark.parametrize("lane", [httpx, httpx2, None])
async def test_an_endless_reply_is_left_early(lane: Any) -> None:
    """Reading stops soon after the bound, and the connection is closed under the server."""
    taken = 0

    async def endless(peer: Peer) -> None:
        nonlocal taken
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            await peer.send(bytes(65536))
            taken += 65536

    async with serve(endless) as server:
        wire = None if lane is None else lane.AsyncClient(trust_env=False)
        async with AsyncDeskClient(
            APP_ID, secret_key=KEY, base_url=server.url, http_client=wire, retry=None, rate_limit=None
        ) as client:
            error = await failure(send(client))
        while server.tasks:
            await asyncio.wait(server.tasks)
        if wire is not None:
            await wire.aclose()
    assert (errors.ReplyLostError, Delivery.UNKNOWN) == (type(error), error.delivery)
    assert taken < 64 * 1024 * 1024  # the bound, and what the sockets' buffers hold


# Which failures are whose


def raising(error: Exception) -> Any:
    """Return a client that fails."""

    def handle(_: httpx.Request) -> httpx.Response:
        raise error

    return httpx.AsyncClient(transport=httpx.MockTransport(handle))


@pytest.mark.parametrize(
    ("error", "host_failed"),
    [
        (httpx.ConnectError("refused"), True),
        (httpx.ConnectTimeout("silence"), True),
        (httpx2.ConnectError("refused"), True),
        (httpx.ProxyError("502"), True),
        (httpx.PoolTimeout("all busy"), False),
        (httpx.UnsupportedProtocol("ftp"), False),
        (httpx.ReadTimeout("silence"), False),
        (httpx.RemoteProtocolError("cut"), False),
    ],
)
async def test_only_a_connection_that_fails_speaks_against_the_host(error: Exception, host_failed: bool) -> None:  # noqa: FBT001
    """A pool that is full, or a reply that is lost, is no reason to leave the main host."""
    failed = await BorrowedLane(raising(error), in_url=False).post(attempt("https://desk.test"), signature())
    assert isinstance(failed, Failure)
    assert host_failed == failed.host_failed
    assert type(error).__name__ in str(failed.error)
    assert (None, None, None) == (failed.error.__cause__, failed.error.__context__, failed.error.__traceback__)


async def test_a_host_that_nobody_listens_at_is_told_once() -> None:
    """The text says where, why and what to look at, and repeats none of it."""
    async with AsyncDeskClient(APP_ID, secret_key=KEY, base_url="http://127.0.0.1:1", retry=None) as client:
        error = await failure(send(client))
    assert isinstance(error, errors.ConnectionFailedError)
    reason = os.strerror(errno.ECONNREFUSED)
    assert (
        f"no connection to 127.0.0.1:1 ({reason}), nothing was sent; check base_url, region, proxy and network"
    ) == str(error)


@pytest.mark.parametrize("proxy", ["socks5://user:canary@127.0.0.1:2", "ftp://canary@p", "http://p:canary"])
async def test_a_proxy_that_cannot_be_used_is_tried_once(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """No further attempt mends a variable of the environment; the error names it, and speaks against no host."""
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    async with AsyncDeskClient(APP_ID, secret_key=KEY, base_url="http://127.0.0.1:1") as client:
        error = await failure(send(client))
    assert isinstance(error, errors.ConfigurationError)
    assert str(error).startswith("HTTP_PROXY of the environment cannot be used: ")
    assert "canary" not in str(error)
    assert (1, Delivery.NOT_SENT, False) == (error.attempts, error.delivery, error.retryable)
    lane = OwnLane(DeskTransport())
    failed = await lane.post(attempt("http://127.0.0.1:1"), signature())
    await lane.aclose()
    assert isinstance(failed, Failure)
    assert not failed.host_failed


async def test_an_error_of_ours_from_a_transport_comes_without_its_chain() -> None:
    """Whatever it came from may hold the request."""

    def handle(request: httpx.Request) -> httpx.Response:
        raise errors.ReplyLostError("mine") from ValueError(str(request.extensions["target"]))

    wire = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    failed = await BorrowedLane(wire, in_url=False).post(attempt("https://desk.test"), signature())
    assert isinstance(failed, Failure)
    assert ("mine", None, None) == (str(failed.error), failed.error.__cause__, failed.error.__context__)


@LANES
async def test_the_standby_host_takes_over_for_a_minute(lane: str) -> None:
    """A connection that fails sends the next attempts to the standby host; after a minute the main one has its turn."""
    async with on_stage(fails(httpx.ConnectError), lane=lane, base_url=None, region="singapore") as (client, script):
        await send(client)
        script.world.now += 30.0
        await send(client)
        script.world.now += 30.0
        await send(client)
        script.steps.extend([fails(httpx.PoolTimeout), fails(httpx.ReadTimeout)])
        await send(client)
    hosts = ["sgp.im" if "adminapisgp.im.qcloud.com" in seen.url else "standby" for seen in script.seen]
    assert ["sgp.im", "standby", "standby", "sgp.im", "sgp.im", "sgp.im", "sgp.im"] == hosts


async def test_a_standby_host_that_fails_too_leads_back_to_the_main_one() -> None:
    """Attempts go back and forth while neither can be reached."""
    async with on_stage(*[fails(httpx.ConnectError)] * 3, base_url=None) as (client, script):
        await send(client)
    assert ["console", "adminapi", "console", "adminapi"] == [
        seen.url.split("//")[1].split(".")[0] for seen in script.seen
    ]


async def test_a_dead_main_host_on_real_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message arrives at the standby host, once, and later ones go there directly."""
    world = FakeWorld()
    desk = FakeDesk(APP_ID, DESK_KEY, clock=world.wall)
    async with serve(_nobody) as gone:
        dead = gone.url
    async with desk.serve() as served:
        monkeypatch.setattr("deskim._client.base_urls", lambda *_: (dead, served.base_url))
        async with client_class(world)(APP_ID, secret_key=DESK_KEY, rate_limit=None) as client:
            first, second = await send(client), await client.send_to_session("session", "again")
    assert (2, False, 1) == (first.attempts, first.resent, second.attempts)
    assert ["hello", "again"] == [message.text for message in desk.messages]


async def _nobody(peer: Peer) -> None:
    await peer.gone()


@pytest.mark.parametrize("borrowed", [True, False])
async def test_a_certificate_that_is_not_trusted_is_not_tried_again(borrowed: bool) -> None:  # noqa: FBT001
    """It does not pass by waiting; the error names the two settings to look at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with serve(_nobody, context) as server:
        wire = httpx.AsyncClient(trust_env=False) if borrowed else None
        async with AsyncDeskClient(APP_ID, secret_key=KEY, base_url=server.url, http_client=wire) as client:
            error = await failure(send(client))
        if wire is not None:
            await wire.aclose()
    assert (errors.ConnectionFailedError, Delivery.NOT_SENT, 1) == (type(error), error.delivery, error.attempts)
    assert "check base_url and verify=" in str(error)


# The log filter of signature_in="url"


@pytest.fixture
def without_filters() -> Iterator[None]:
    """Take the masking filters off again."""
    yield
    for name in ("httpx", "httpx2"):
        logger = logging.getLogger(name)
        for each in [each for each in logger.filters if isinstance(each, _MaskUserSig)]:
            logger.removeFilter(each)


@pytest.mark.usefixtures("without_filters")
def test_the_filter_is_set_once_and_spares_other_records() -> None:
    """However many clients there are; and a record that cannot be formatted is left to its handler."""
    mask_httpx_logs()
    mask_httpx_logs()
    filters = [each for each in logging.getLogger("httpx").filters if isinstance(each, _MaskUserSig)]
    assert 1 == len(filters)
    wanted = {("GET %s", ("/?a=1",)): "GET /?a=1", ("%s", ("/?usersig=eJw&random=1",)): "/?usersig=***&random=1"}
    for (message, args), text in wanted.items():
        record = logging.LogRecord("httpx", logging.INFO, "", 1, message, args, None)
        assert filters[0].filter(record)
        assert text == record.getMessage()
    broken = logging.LogRecord("httpx", logging.INFO, "", 1, "%d %d", ("x",), None)
    assert filters[0].filter(broken)
    assert ("x",) == broken.args
