from __future__ import annotations

import errno
import os
import ssl

import httpx
import pytest

from deskim._transport import DeskTransport, Origin, PoolStats, Timeouts
from deskim._transport._proxy import Proxy, UnusableProxyError, environment_proxy
from tests.support.proxy import forward_proxy
from tests.transport.conftest import MakeTransport
from tests.transport.raw_server import NONE, a_request, answer, cancelled_after, serve

pytestmark = pytest.mark.anyio

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all proxies out of the environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("proxy_encrypted", [False, True])
async def test_tunnel(
    make_transport: MakeTransport,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    encrypted: bool,  # noqa: FBT001
    proxy_encrypted: bool,  # noqa: FBT001
) -> None:
    """Requests of either scheme pass through one tunnel, behind a proxy of either scheme that wants a password."""
    proxy_context = server_context if proxy_encrypted else None
    async with (
        serve(answer, server_context if encrypted else None) as server,
        forward_proxy("user:p@ss word", context=proxy_context) as proxy,
    ):
        scheme = "https" if proxy_encrypted else "http"
        url = f"{scheme}://user:p%40ss%20word@127.0.0.1:{proxy.port}"
        transport = make_transport(proxy=url, verify=client_context)
        for _ in range(3):
            assert b"ok" == (await transport.roundtrip(server.origin, a_request(target=b"/?usersig=canary"), NONE))[2]
        assert 1 == proxy.tunnels
        assert f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode() in proxy.seen[0]
        assert b"canary" not in proxy.seen[0]
        assert not encrypted or b"canary" not in b"".join(proxy.seen)
        await transport.aclose()


@pytest.mark.parametrize(
    ("answer_bytes", "text"),
    [
        (
            b"HTTP/1.1 407 c2VjcmV0\r\nContent-Length: 4\r\n\r\nnope",
            "refused the tunnel: 407 Proxy Authentication Required$",
        ),
        (b"HTTP/1.1 502 Bad\r\n\r\n", "refused the tunnel: 502 Bad Gateway$"),
        (b"HTTP/1.0 799 \r\n\r\n", "refused the tunnel: 799$"),
        (b"SSH-2.0\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurprise", "sent bytes into the tunnel"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "does not speak HTTP"),
    ],
)
async def test_refused_tunnel(make_transport: MakeTransport, answer_bytes: bytes, text: str) -> None:
    """A proxy that does not open the tunnel is a ProxyError in words of our own, and nothing stays open."""
    async with forward_proxy(answer=answer_bytes) as proxy:
        transport = make_transport(proxy=f"http://user:c2VjcmV0@127.0.0.1:{proxy.port}")
        with pytest.raises(httpx.ProxyError, match=text) as caught:
            await transport.roundtrip(Origin("https", "desk.invalid", 443), a_request(), NONE)
        assert "c2VjcmV0" not in str(caught.value)
        assert PoolStats() == transport.stats()


async def test_wrong_password(make_transport: MakeTransport) -> None:
    """A proxy that wants another password refuses."""
    async with forward_proxy("user:right") as proxy:
        transport = make_transport(proxy=f"http://user:wrong@127.0.0.1:{proxy.port}")
        with pytest.raises(httpx.ProxyError, match="407"):
            await transport.roundtrip(Origin("http", "desk.invalid", 80), a_request(), NONE)


async def test_wrong_certificate_behind_a_proxy(make_transport: MakeTransport, server_context: ssl.SSLContext) -> None:
    """The origin's certificate is checked inside the tunnel."""
    async with serve(answer, server_context) as server, forward_proxy() as proxy:
        transport = make_transport(proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await transport.roundtrip(server.origin, a_request(), NONE)
        assert PoolStats() == transport.stats()


async def test_origin_that_hangs_up_in_the_handshake(
    make_transport: MakeTransport, client_context: ssl.SSLContext
) -> None:
    """A tunnel that breaks during the TLS handshake is a ConnectError."""

    async def hang_up(_: object) -> None:
        return

    async with serve(hang_up) as server, forward_proxy() as proxy:
        transport = make_transport(proxy=f"http://127.0.0.1:{proxy.port}", verify=client_context)
        with pytest.raises(httpx.ConnectError):
            await transport.roundtrip(Origin("https", "127.0.0.1", server.port), a_request(), NONE)


@pytest.mark.parametrize("turns", range(0, 30, 3))
async def test_cancelled_on_the_way(
    make_transport: MakeTransport, client_context: ssl.SSLContext, server_context: ssl.SSLContext, turns: int
) -> None:
    """Wherever a tunnel is when its request is cancelled, its slot goes on."""
    async with serve(answer, server_context) as server, forward_proxy() as proxy:
        transport = make_transport(proxy=f"http://127.0.0.1:{proxy.port}", verify=client_context, max_connections=1)
        await cancelled_after(turns, transport.roundtrip(server.origin, a_request(), NONE))
        assert 200 == (await transport.roundtrip(server.origin, a_request(), NONE))[0]
        await transport.aclose()
        assert 0 == transport.stats().open


async def test_the_proxy_is_named(make_transport: MakeTransport) -> None:
    """Where no connection comes about, the error names the proxy by its host alone."""
    transport = make_transport(proxy="http://user:canary@127.0.0.1:1")
    with pytest.raises(httpx.ConnectError) as caught:
        await transport.roundtrip(Origin("https", "desk.invalid", 443), a_request(), NONE)
    text = str(caught.value)
    assert (
        text == f"no connection to desk.invalid:443 through the proxy 127.0.0.1:1 ({os.strerror(errno.ECONNREFUSED)})"
    )
    assert "canary" not in text


async def test_silent_proxy(make_transport: MakeTransport) -> None:
    """A proxy that does not answer falls under the connect timeout."""

    async def silent(peer: object) -> None:
        await peer.gone()  # type: ignore[attr-defined]

    async with serve(silent) as server:
        transport = make_transport(proxy=server.url)
        with pytest.raises(httpx.ConnectTimeout):
            await transport.roundtrip(Origin("http", "desk.invalid", 80), a_request(), Timeouts(connect=0.05))


async def test_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used, unless NO_PROXY or `trust_env=False` says otherwise."""
    async with serve(answer) as server, forward_proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        for settings, no_proxy, tunnels in (
            ({}, "", 1),
            ({}, "example.com,127.0.0.1", 1),
            ({"trust_env": False}, "", 1),
            ({}, "", 2),
        ):
            monkeypatch.setenv("no_proxy", no_proxy)
            async with DeskTransport(**settings) as transport:
                assert 200 == (await transport.roundtrip(server.origin, a_request(), NONE))[0]
            assert tunnels == proxy.tunnels


@pytest.mark.parametrize(
    ("environment", "origin", "port"),
    [
        ({"https_proxy": "http://p:1"}, Origin("https", "desk.test", 443), 1),
        ({"https_proxy": "http://p:1"}, Origin("http", "desk.test", 80), None),
        ({"all_proxy": "http://p:2"}, Origin("http", "desk.test", 80), 2),
        ({"all_proxy": "http://p:2", "https_proxy": "https://p"}, Origin("https", "desk.test", 443), 443),
        ({"all_proxy": "http://p:2", "no_proxy": "*"}, Origin("http", "desk.test", 80), None),
        ({"all_proxy": "http://p:2", "no_proxy": ".test"}, Origin("http", "desk.test", 80), None),
        ({"all_proxy": "http://p:2", "no_proxy": "desk.test:80"}, Origin("http", "desk.test", 80), None),
        ({"all_proxy": "http://p:2", "no_proxy": "desk.test:81"}, Origin("http", "desk.test", 80), 2),
        ({"all_proxy": "http://p:2", "no_proxy": "::1"}, Origin("http", "::1", 80), None),
    ],
)
def test_choice_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], origin: Origin, port: int | None
) -> None:
    """The variable for the scheme comes first, then ALL_PROXY; NO_PROXY takes hosts, domains and ports out."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = environment_proxy(origin)
    assert port == (proxy and proxy.origin.port)


async def test_unusable_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy in the environment is refused in words that say what to do, before anything is sent."""
    monkeypatch.setenv("all_proxy", "socks5://user:canary@127.0.0.1:1")
    async with DeskTransport() as transport:
        with pytest.raises(UnusableProxyError, match=r"^ALL_PROXY of the environment .* http_client=") as caught:
            await transport.roundtrip(Origin("http", "desk.test", 80), a_request(), NONE)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("socks5://user:canary@p:1", "http_client="),
        ("socks5h://p:1", "http_client="),
        ("ftp://p:1", "scheme"),
        ("http://", "is not a URL"),
        ("http://canary\n:1", "is not a URL"),
        ("http://p:canary", "is not a URL"),
        (7, "is a str"),
    ],
)
def test_unusable_proxy(url: str, text: str) -> None:
    """A proxy that cannot be used is refused at once, without repeating its password."""
    with pytest.raises(ValueError, match=text) as caught:
        DeskTransport(proxy=url)
    assert "canary" not in str(caught.value)


def test_masked() -> None:
    """The repr of a proxy shows no password, encoded or not."""
    proxy = Proxy.read("http://user:canary@p:1")
    assert "Proxy(origin=Origin(scheme='http', host='p', port=1))" == repr(proxy)


def test_ipv6_target() -> None:
    """An IPv6 origin stands in brackets in the CONNECT line."""
    proxy = Proxy.read("http://p:1")
    assert isinstance(proxy, Proxy)
    assert b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n" == proxy.request(Origin("https", "::1", 443))
