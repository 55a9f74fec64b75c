"""A canary key and a canary UserSig, and every place where they must not be."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import pickle
import ssl
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import httpx2
import pytest
import trustme
from attrs import define

from deskim import AsyncDeskClient, Card, Message, RetryPolicy, UserSigSigner, errors, sign_usersig
from deskim._lanes import _MaskUserSig
from deskim.testing import FakeDesk
from tests.client.stage import APP_ID, Notes
from tests.client.test_retries import failure, send
from tests.transport.raw_server import Handler, Peer, serve

pytestmark = pytest.mark.anyio


class Canary:
    """Keep the secrets where no test's locals show them."""

    key = "c0a1a51e" * 8
    usersig = sign_usersig(APP_ID, key, "administrator", now=1_700_000_000, expire=10**9)
    proxy_password = "kanarienvogel"

    @classmethod
    def found(cls, text: str | bytes) -> list[str]:
        """Return which secrets a text shows, whole or in a telling part."""
        text = text.decode("latin-1") if isinstance(text, bytes) else text
        pieces = {
            "key": cls.key[:24],
            "usersig": cls.usersig[40:64],
            "quoted usersig": quote(cls.usersig, safe="")[60:84],
            "proxy password": cls.proxy_password,
        }
        return [name for name, piece in pieces.items() if piece in text]


class Library(logging.Handler):
    """Keep whatever any logger says, at any level, with all that a log shipper would send."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.write(f"{record.name} {self.format(record)} {record.args!r} {record.__dict__!r}\n")


@pytest.fixture
def said() -> Iterator[Callable[[], str]]:
    """Listen to every logger at DEBUG; take the masking filters off again."""
    root, handler = logging.getLogger(), Library()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.said.getvalue
    root.setLevel(level)
    root.removeHandler(handler)
    for name in ("httpx", "httpx2"):
        logger = logging.getLogger(name)
        for each in [each for each in logger.filters if isinstance(each, _MaskUserSig)]:
            logger.removeFilter(each)


WIRES: dict[str, Callable[..., Any]] = {
    "own": lambda **_: None,
    "httpx": httpx.AsyncClient,
    "httpx2": httpx2.AsyncClient,
}
LANES = pytest.mark.parametrize("lane", WIRES)
WAYS = [("own", "target"), ("httpx", "target"), ("httpx", "url"), ("httpx2", "target"), ("httpx2", "url")]


@contextlib.asynccontextmanager
async def client_on(
    lane: str, base_url: str, *, verify: ssl.SSLContext | bool = True, trust_env: bool = False, **settings: Any
) -> AsyncIterator[AsyncDeskClient]:
    """Give a client on one of the lanes."""
    wire = WIRES[lane](verify=verify, trust_env=trust_env)
    known: dict[str, Any] = {"rate_limit": None, "retry": None, "base_url": base_url, "http_client": wire}
    if wire is None:
        known["verify"] = verify
    if "usersig" not in settings:
        known["secret_key"] = Canary.key
    async with AsyncDeskClient(APP_ID, **{**known, **settings}) as client:
        try:
            yield client
        finally:
            if wire is not None:
                await wire.aclose()


def everything(error: BaseException) -> str:
    """Return all that an error shows: its texts, attributes, pickle, chain, and its traceback with local variables."""
    shown = [str(error), repr(error), repr(vars(error)), pickle.dumps(error).decode("latin-1")]
    shown.extend(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    shown.extend(everything(linked) for linked in (error.__cause__, error.__context__) if linked is not None)
    return "\n".join(shown)


def test_the_canary_is_noticed() -> None:
    """The search finds what it is to find: in a text, in bytes, quoted, and in a frame."""
    assert ["key"] == Canary.found(f"key={Canary.key}")
    assert "usersig" in Canary.found(b"?usersig=" + Canary.usersig.encode())
    assert "quoted usersig" in Canary.found(quote(Canary.usersig, safe=""))
    with pytest.raises(ValueError, match="no number") as caught:
        _stumble(Canary.key)
    assert ["key"] == Canary.found(everything(caught.value))


def _stumble(key: str) -> None:
    raise ValueError("no number")


# Logs


@pytest.mark.parametrize(("lane", "signature_in"), WAYS)
async def test_no_log_shows_a_secret(lane: str, signature_in: str, said: Callable[[], str]) -> None:
    """Whatever happens to a message, no logger of any library has the signature at DEBUG."""
    desk = FakeDesk(APP_ID, Canary.key)
    policy = RetryPolicy(transient_base=0.001, throttle_base=0.001)
    async with (
        desk.serve() as served,
        client_on(lane, served.base_url, retry=policy, signature_in=signature_in) as client,
    ):
        await client.send_to_session("session", "text", Card(header="title"))
        desk.fail_next(60011)
        desk.drop_replies()
        desk.respond_next(status=502, body=b"<html>")
        assert 4 == (await send(client)).attempts
        for code in (70001, 90001):
            desk.fail_next(code)
        await failure(send(client))
        desk.delay_next(5.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.send_to_session("session", "cancelled")
    assert [] == Canary.found(said())
    loop = asyncio.get_running_loop()
    assert "asyncio" in said() or not isinstance(loop, asyncio.BaseEventLoop)  # uvloop tells less
    if lane != "own":
        assert f"{lane} HTTP Request: POST" in said()
        assert (signature_in == "url") == ("usersig=***" in said())


# Objects


async def test_no_public_object_shows_a_secret() -> None:
    """Neither repr nor str nor pickle of what a user may hold."""
    desk, notes = FakeDesk(APP_ID, Canary.key), Notes()
    async with desk.client(hooks=[notes]) as client:
        result = await send(client)
        desk.fail_next(90001)
        error = await failure(send(client))
        signer = UserSigSigner(APP_ID, Canary.key)
        await signer()
        caller = client._caller
        objects: list[object] = [client, result, error, signer, desk, desk.requests, desk.messages, caller, caller.lane]
        objects += [caller._signature, caller.signatures, caller.world, notes, Message.to_session("session", "text")]
        objects += [caller._begin, vars(caller._signature), vars(caller.signatures), vars(client)]
        shown = " ".join(f"{each!r} {each!s}" for each in objects)
    assert [] == Canary.found(shown)
    for each in (result, error, notes.requests, notes.results):
        assert [] == Canary.found(pickle.dumps(each))
    for secretive in (client, signer, caller, caller._signature, caller.signatures):
        with pytest.raises((TypeError, AttributeError)):
            pickle.dumps(secretive)


WRONG: list[dict[str, Any]] = [
    {"sdk_app_id": -1},
    {"identifier": ""},
    {"region": "mars"},
    {"timeout": -1},
    {"base_url": "http://desk.example"},
    {"http_client": object()},
    {"http_client": httpx.AsyncClient()},
    {"verify": "x"},
    {"max_connections": 0},
    {"hooks": [1]},
    {"rate_limit": 1},
    {"retry": 1},
    {"secret_key": Canary.key, "usersig": Canary.usersig},
    {"secret_key": Canary.key.encode()},
    {"secret_key": None, "usersig": Canary.usersig.encode()},
    {"secret_key": None, "usersig": [Canary.usersig]},
    {"proxy": f"socks5://user:{Canary.proxy_password}@proxy"},
    {"proxy": f"http://user:{Canary.proxy_password}é@proxy:x"},
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_no_frame_of_the_constructor_shows_a_secret(number: int) -> None:
    """A setting that is refused leaves no other setting in the traceback's local variables."""
    with pytest.raises(errors.ConfigurationError) as caught:
        _construct(number)
    assert [] == Canary.found(everything(_below_the_test(caught.value)))


def _construct(number: int) -> None:
    known = {"sdk_app_id": APP_ID, "secret_key": Canary.key, "proxy": f"http://user:{Canary.proxy_password}@proxy"}
    AsyncDeskClient(**{**known, **WRONG[number]})


def _below_the_test(error: BaseException) -> BaseException:
    """Return the error without the frames of this file, whose locals hold what they hand over."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    return error.with_traceback(frame)


@pytest.mark.parametrize(
    "overrides", [{"sdk_app_id": "x"}, {"timeout": -1}, {"colour": 1}, {"secret_key": Canary.key.encode()}]
)
def test_no_frame_of_from_env_shows_a_secret(overrides: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's key is in no local variable of a traceback, nor is one that overrides it."""
    monkeypatch.setenv("DESKIM_SDK_APP_ID", str(APP_ID))
    monkeypatch.setenv("DESKIM_SECRET_KEY", Canary.key)
    for more in ({}, {"usersig": Canary.usersig}):
        with pytest.raises((errors.ConfigurationError, TypeError)) as caught:
            AsyncDeskClient.from_env(**more, **overrides)
        assert [] == Canary.found(everything(_below_the_test(caught.value)))


# Errors

CLOSE, HANG, CUT = b"", b"hang", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"


def replying(reply: bytes) -> Handler:
    """Answer with some bytes, which name the request line as LINE, and close; or hang."""

    async def handler(peer: Peer) -> None:
        line = (await peer.request())[0].split(b"\r\n")[0]
        if reply == HANG:
            await peer.gone()
        await peer.send(reply.replace(b"LINE", line))

    return handler


def reply(content_type: str, body: str, status: str = "200 OK", more: str = "") -> bytes:
    """Return a reply that ends with the connection, for its length depends on the request line."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{more}Connection: close\r\n\r\n{body}".encode()


FAILURES = {
    "closed": CLOSE,
    "hanging": HANG,
    "cut": CUT,
    "garbage": b"LINE LINE\r\n\r\n",
    "echoed in JSON": reply("application/json", '{"ErrorCode":90001,"ActionStatus":"FAIL","ErrorInfo":"LINE"}'),
    "echoed in other JSON": reply("application/json", '{"request":"LINE"}'),
    "echoed in HTML": reply("text/html", "<html>LINE</html>", "502 Bad Gateway"),
    "echoed in a header": reply("LINE", "x", "404 Not Found", "X-Echo: LINE\r\n"),
    "echoed in the reason": reply("text/html", "x", "500 LINE"),
    "echoed in a redirect": reply("text/html", "x", "302 Found", "Location: LINE\r\n"),
    "success with an echo": reply("application/json", '{"ErrorCode":0,"echo":"LINE"}'),
}
HTTP_LIBRARY_LOGS = {"echoed in a header", "echoed in the reason", "echoed in a redirect", "garbage"}


@LANES
@pytest.mark.parametrize("failing", FAILURES)
async def test_no_error_shows_a_secret(lane: str, failing: str, said: Callable[[], str]) -> None:
    """Whatever goes wrong and whatever the server repeats, the error is clean, down to its frames and its pickle."""
    async with serve(replying(FAILURES[failing])) as server, client_on(lane, server.url, timeout=0.2) as client:
        if failing.startswith("success"):
            assert [] == Canary.found(repr(await send(client)))
            return
        error = await failure(send(client))
    assert [] == Canary.found(everything(error))
    assert (None, None) == (error.__cause__, error.__context__)
    if lane == "own" or failing not in HTTP_LIBRARY_LOGS:  # httpcore logs at DEBUG what a server says in its head
        assert [] == Canary.found(said())


@pytest.mark.parametrize(("lane", "signature_in"), WAYS)
async def test_no_cancelled_call_shows_a_secret(lane: str, signature_in: str) -> None:
    """The traceback of a CancelledError goes through the frames that sent the request, without their locals."""
    async with serve(replying(HANG)) as server, client_on(lane, server.url, signature_in=signature_in) as client:
        sending = asyncio.create_task(send(client))
        while not server.accepted:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
    assert [] == Canary.found(everything(caught.value))


async def test_no_connection_that_fails_shows_a_secret() -> None:
    """Nor does a refused connection, in any lane."""
    async with serve(replying(CLOSE)) as server:
        pass
    for lane in WIRES:
        async with client_on(lane, server.url) as client:
            error = await failure(send(client))
        assert isinstance(error, errors.ConnectionFailedError)
        assert [] == Canary.found(everything(error))


async def test_a_hook_of_the_borrowed_client_that_raises_shows_no_secret() -> None:
    """Errors of httpx name the URL and hold the request; ours does neither."""

    async def check(response: httpx.Response) -> None:
        response.raise_for_status()

    async with serve(replying(reply("text/html", "x", "500 Oops"))) as server:
        wire = httpx.AsyncClient(event_hooks={"response": [check]}, trust_env=False)
        async with client_on("own", server.url, http_client=wire, signature_in="url") as client:
            error = await failure(send(client))
        await wire.aclose()
    assert isinstance(error, errors.ReplyLostError)
    assert "usersig=***" in str(error)
    assert [] == Canary.found(everything(error))


# Proxies


@define
class Recorder:
    """Be an HTTP proxy that opens tunnels and keeps every byte that comes from clients."""

    received: bytes = b""

    async def handle(self, peer: Peer) -> None:
        head = await self._head(peer)
        if not head.startswith(b"CONNECT "):
            await peer.send(b"HTTP/1.1 405 Only tunnels\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = head.split(b" ")[1].decode().partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = asyncio.create_task(self._copy(reader, peer.writer))
        try:
            await self._copy(peer.reader, writer, keep=True)
        finally:
            writer.transport.abort()
            back.cancel()
            await asyncio.wait([back])

    async def _head(self, peer: Peer) -> bytes:
        try:
            head = await peer.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            self.received += error.partial
            raise
        self.received += head
        return head

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool = False) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if keep:
                    self.received += data
                writer.write(data)
                await writer.drain()


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Give a server's and a client's context."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def _accept(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"ErrorCode":0}')


@pytest.mark.parametrize(
    ("lane", "signature_in", "scheme", "works"),
    [
        *[(*way, "https", way != ("httpx", "target")) for way in WAYS],
        ("own", "target", "http", True),
        ("httpx", "target", "http", False),
        ("httpx2", "target", "http", False),
    ],
)
async def test_no_byte_of_the_signature_reaches_a_proxy_of_the_environment(  # noqa: PLR0917 - the columns of a table
    lane: str,
    signature_in: str,
    scheme: str,
    works: bool,  # noqa: FBT001 - a column
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our own lane tunnels; over httpx nothing leaves; httpx2's tunnel shows the proxy the host alone."""
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    recorder = Recorder()
    async with serve(_accept, tls[0] if scheme == "https" else None) as server, serve(recorder.handle) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://user:{Canary.proxy_password}@127.0.0.1:{proxy.port}")
        async with client_on(lane, server.url, verify=tls[1], trust_env=True, signature_in=signature_in) as client:
            error = None if works else await failure(send(client))
            if error is None:
                assert 1 == (await send(client)).attempts
    assert 1 == proxy.accepted
    if error is None:
        assert recorder.received.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
        if scheme == "https":
            assert [] == Canary.found(recorder.received)
    else:
        assert (errors.ConfigurationError, b"", 0) == (type(error), recorder.received, server.accepted)
        assert "give proxy= to AsyncDeskClient" in str(error)
        assert [] == Canary.found(everything(error))


async def test_a_proxy_of_ones_own_is_used(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """``proxy=`` tunnels, and its credentials show nowhere when it refuses."""
    recorder = Recorder()
    async with serve(_accept, tls[0]) as server, serve(recorder.handle) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        async with client_on("own", server.url, verify=tls[1], proxy=url) as client:
            assert 1 == (await send(client)).attempts
    assert [] == Canary.found(recorder.received)
    async with serve(replying(reply("text/html", "LINE", "407 LINE"))) as proxy, _through(proxy.port) as client:
        error = await failure(send(client))
    assert isinstance(error, errors.ConnectionFailedError)
    assert [] == Canary.found(everything(error))


def _through(port: int) -> AsyncDeskClient:
    proxy = f"http://user:{Canary.proxy_password}@127.0.0.1:{port}"
    return AsyncDeskClient(APP_ID, secret_key=Canary.key, proxy=proxy, retry=None, rate_limit=None)
