from __future__ import annotations

import asyncio
import contextlib
import io
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import uvicorn

from tests.transport.conftest import MakeTransport
from tests.transport.raw_server import OK, Peer, answer, handshakes_may_fail, once, serve, until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(make_transport: MakeTransport, client_context: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """Offer a plain httpx client over the transport."""
    async with httpx.AsyncClient(transport=make_transport(verify=client_context)) as client:
        yield client


class Recorder:
    def __init__(self, reply: bytes = OK) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.reply = reply

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.requests.append(await peer.request())
            await peer.send(self.reply)


async def test_target_extension(client: httpx.AsyncClient) -> None:
    """The `target` extension stands in the request line, the URL does not."""
    recorder = Recorder()
    async with serve(recorder) as server:
        reply = await client.get(server.url + "/shown", extensions={"target": b"/sent?usersig=x"})
    assert ("ok", "HTTP/1.1 200 OK") == (reply.text, f"{reply.http_version} {reply.status_code} {reply.reason_phrase}")
    assert recorder.requests[0][0].startswith(b"GET /sent?usersig=x HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in recorder.requests[0][0]


async def test_bodies(client: httpx.AsyncClient) -> None:
    """Every kind of body that httpx sends arrives whole."""

    async def generated() -> AsyncIterator[bytes]:
        yield b"he"
        yield b"llo"

    recorder = Recorder()
    async with serve(recorder) as server:
        await client.post(server.url, content=b"hello")
        await client.post(server.url, json={"a": 1})
        await client.post(server.url, content=generated())
        await client.post(server.url, content=generated(), headers={"Content-Length": "5"})
        await client.post(server.url, files={"f": ("n", io.BytesIO(b"x" * 100_000))})
        await client.post(server.url)
    bodies = [body for _, body in recorder.requests]
    assert [b"hello", b'{"a":1}', b"hello", b"hello", b""] == bodies[:4] + bodies[5:]
    assert b"x" * 100_000 in bodies[4]
    chunked = [b"transfer-encoding: chunked" in head.lower() for head, _ in recorder.requests]
    assert [False, False, True, False, False, False] == chunked
    assert all(
        1 == head.lower().count(b"content-length") + head.lower().count(b"chunked") for head, _ in recorder.requests
    )


async def test_bare_request(make_transport: MakeTransport) -> None:
    """A request made without httpx's own preparation gets the Host header that HTTP wants."""
    recorder = Recorder()
    async with serve(recorder) as server:
        request = httpx.Request("POST", server.url, stream=httpx.ByteStream(b"hello"))
        transport = make_transport()
        assert 200 == (await transport.handle_async_request(request)).status_code
        await transport.aclose()
    head, body = recorder.requests[0]
    assert (b"hello", True) == (body, b"Host: 127.0.0.1" in head)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("gzip, deflate, br, zstd", b"gzip, deflate"), ("br;q=1.0, gzip;q=0.8", b"gzip"), ("br", b"identity")],
)
async def test_only_bounded_encodings_are_asked_for(client: httpx.AsyncClient, asked: str, sent: bytes) -> None:
    """A client that would take any encoding asks for those that stay within the bound."""
    recorder = Recorder()
    async with serve(recorder) as server:
        await client.get(server.url, headers={"Accept-Encoding": asked})
    assert b"\r\nAccept-Encoding: " + sent + b"\r\n" in recorder.requests[0][0]


async def test_head(client: httpx.AsyncClient) -> None:
    """HEAD works, and leaves the connection for others."""
    async with serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        for method in ("HEAD", "GET", "HEAD"):
            assert 200 == (await client.request(method, server.url)).status_code
        assert 1 == server.accepted


async def test_timeouts_of_the_client(client: httpx.AsyncClient) -> None:
    """The timeout settings of the httpx client count."""

    async def stall(peer: Peer) -> None:
        await peer.gone()

    async with serve(stall) as server:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=httpx.Timeout(30, read=0.05))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///path"])
async def test_unsupported_url(make_transport: MakeTransport, url: str) -> None:
    """Other schemes, and URLs without a host, are refused."""
    with pytest.raises(httpx.UnsupportedProtocol):
        await make_transport().handle_async_request(httpx.Request("GET", url))


async def test_wrong_certificate(make_transport: MakeTransport, server_context: ssl.SSLContext) -> None:
    """A certificate from nowhere is a ConnectError: nothing was sent."""
    async with serve(answer, server_context) as server:
        async with httpx.AsyncClient(transport=make_transport()) as client:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(server.url)
        async with httpx.AsyncClient(transport=make_transport(verify=False)) as client:
            assert "ok" == (await client.get(server.url)).text


async def test_wrong_host_name(
    make_transport: MakeTransport, authority: trustme.CA, client_context: ssl.SSLContext
) -> None:
    """A certificate for another host is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    transport = make_transport(verify=client_context)
    async with serve(answer, context) as server, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(server.url)


# Real servers


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Give the body back."""
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    headers = [] if scope["path"] == "/chunked" else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def uvicorn_server(context: ssl.SSLContext) -> AsyncIterator[str]:
    """Run uvicorn."""
    config = uvicorn.Config(application, port=0, log_level="error", lifespan="off")
    config.load()
    config.ssl = context
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())  # serve() would take the signals over
    await until(lambda: server.started)
    try:
        with handshakes_may_fail():
            yield f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@pytest.mark.parametrize("path", ["/length", "/chunked"])
async def test_uvicorn(client: httpx.AsyncClient, server_context: ssl.SSLContext, path: str) -> None:
    """Many requests at once go through a real server over TLS."""
    async with uvicorn_server(server_context) as url:
        replies = await asyncio.gather(
            *[client.post(url + path, content=b"x" * size) for size in range(0, 200_000, 5000)]
        )
        await client.aclose()
    assert list(range(0, 200_000, 5000)) == [len(reply.content) for reply in replies]


NGINX = """
daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off; keepalive_requests 5; default_type text/plain; gzip on; gzip_min_length 1; gzip_types *;
    client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u;
    scgi_temp_path {root}/s;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem;
        location / {{ return 200 "ok"; }}
        location /file {{ root {root}; }}
    }}
}}
"""


@pytest.fixture
def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def nginx(authority: trustme.CA, tmp_path: Path, free_port: int) -> Iterator[str]:
    """Run nginx, where it is installed."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if binary is None:
        pytest.skip("nginx is not installed")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (tmp_path / "file").write_bytes(b"line\n" * 10_000)
    (tmp_path / "nginx.conf").write_text(NGINX.format(root=tmp_path, port=free_port))
    command = [binary, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        yield f"https://127.0.0.1:{free_port}"
        process.terminate()


async def up(client: httpx.AsyncClient, url: str) -> None:
    """Wait until the server answers."""
    while True:
        with contextlib.suppress(httpx.ConnectError):
            await client.get(url)
            return
        await asyncio.sleep(0.02)


async def test_nginx(client: httpx.AsyncClient, nginx: str) -> None:
    """Though nginx closes each connection after five requests, no request is lost by it, and gzip is undone."""
    await up(client, nginx)
    replies = []
    for _ in range(10):
        replies += await asyncio.gather(*[client.get(nginx) for _ in range(4)])
    assert {(200, "ok")} == {(reply.status_code, reply.text) for reply in replies}
    assert b"line\n" * 10_000 == (await client.get(nginx + "/file")).content
    await client.aclose()
