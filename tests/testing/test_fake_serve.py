from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest

from deskim.testing import FakeDesk
from deskim.testing._asgi import exchange
from tests.support.poster import SEND_MSG, Poster, in_memory, message, on_a_socket, shown

pytestmark = pytest.mark.anyio

Event = MutableMapping[str, Any]


async def test_it_listens_on_a_free_port_of_this_machine(desk: FakeDesk) -> None:
    """Two servers of one fake run side by side, each on its own port."""
    async with desk.serve() as one, desk.serve() as two:
        assert one.base_url.startswith("http://127.0.0.1:")
        assert one.base_url != two.base_url


async def test_it_listens_on_ipv6(desk: FakeDesk) -> None:
    """The URL of an IPv6 address has its brackets."""
    try:
        async with desk.serve("::1") as served:
            assert served.base_url.startswith("http://[::1]:")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


async def test_a_port_that_is_taken_is_an_error(desk: FakeDesk) -> None:
    """What cannot listen says so."""
    async with desk.serve() as served:
        with pytest.raises(OSError, match="in use"):
            async with desk.serve(port=int(served.base_url.rpartition(":")[2])):
                pytest.fail("two servers on one port")


async def test_connections_are_kept_and_closed_at_the_end(desk: FakeDesk) -> None:
    """Many calls share a connection; leaving the block closes it, though the client keeps it open."""
    async with httpx.AsyncClient() as http:
        async with desk.serve() as served:
            poster = Poster(desk, http)
            ports = [await _client_port(poster, served.base_url) for _ in range(3)]
        assert 1 == len(set(ports))
        with pytest.raises(httpx.ConnectError):
            await poster.post(message(), path=served.base_url + SEND_MSG)


async def _client_port(poster: Poster, base_url: str) -> int:
    reply = await poster.post(message(), path=base_url + SEND_MSG)
    port: int = reply.extensions["network_stream"].get_extra_info("client_addr")[1]
    return port


async def test_leaving_the_block_ends_what_is_still_waiting(desk: FakeDesk) -> None:
    """A reply that is being held back does not hold up the end; its client is cut off."""
    desk.delay_next(30)
    async with httpx.AsyncClient() as http:
        async with desk.serve() as served:
            sending = asyncio.create_task(Poster(desk, http).post(message(), path=served.base_url + SEND_MSG))
            await shown(desk)
        with pytest.raises(httpx.TransportError):
            await sending


async def test_an_error_inside_the_block_passes_through(desk: FakeDesk) -> None:
    """The server is stopped, and the error is the caller's own."""
    with pytest.raises(KeyError, match="mine"):
        async with desk.serve():
            raise KeyError("mine")


async def test_nothing_is_logged_and_no_logger_is_changed(desk: FakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a request nor a cut leaves a line of the server's, and its UserSig is in no line at all."""
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")]
    before = [(logger.level, list(logger.handlers), logger.propagate, logger.disabled) for logger in loggers]
    caplog.set_level(1)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs the URL, which holds the UserSig in this test
    async with on_a_socket(desk) as poster:
        await poster.post(message())
        desk.drop_replies()
        with pytest.raises(httpx.RemoteProtocolError):
            await poster.post(message())
        usersig = poster.query()["usersig"]
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    lines = [
        record for record in caplog.records if record.name.startswith("uvicorn") and record.levelno >= logging.DEBUG
    ]
    assert [] == lines
    assert usersig not in caplog.text
    assert before == [(logger.level, list(logger.handlers), logger.propagate, logger.disabled) for logger in loggers]


async def test_a_large_body_arrives_whole(desk: FakeDesk) -> None:
    """A body that comes in many pieces is put together."""
    async with on_a_socket(desk) as poster:
        assert 0 == await poster.code(message(CloudCustomData="x" * 1_000_000))
    assert 1_000_000 == len(desk.messages[0].cloud_custom_data or "")


async def test_a_client_that_leaves_while_sending_is_forgotten(desk: FakeDesk) -> None:
    """Half a request is no request."""
    async with desk.serve() as served:
        host, port = served.base_url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {SEND_MSG} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert [] == desk.requests


async def test_without_uvicorn_the_error_names_the_extra(desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake itself needs nothing; its socket says what to install."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "deskim.testing._serve", raising=False)
    with pytest.raises(ImportError, match=r'pip install "deskim\[testing\]"'):
        async with desk.serve():
            pytest.fail("there is no server")


class Server:
    """Play an ASGI server that offers nothing of ours."""

    def __init__(self, *events: Event) -> None:
        self.waiting = list(events)
        self.sent: list[Event] = []

    async def receive(self) -> Event:
        return self.waiting.pop(0)

    async def send(self, event: Event) -> None:
        self.sent.append(event)


async def test_servers_may_announce_their_start_and_stop(desk: FakeDesk) -> None:
    """The lifespan protocol is answered."""
    server = Server({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await desk({"type": "lifespan"}, server.receive, server.send)
    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == [event["type"] for event in server.sent]


async def test_a_websocket_is_not_answered(desk: FakeDesk) -> None:
    """Desk speaks HTTP alone."""
    server = Server()
    await desk({"type": "websocket"}, server.receive, server.send)
    assert [] == server.sent


async def test_it_can_be_mounted_under_a_path(desk: FakeDesk) -> None:
    """Below the root path of another application its own paths hold."""
    async with in_memory(desk) as poster:
        query = httpx.QueryParams(poster.query())
    body = b'{"SessionId":"s","MsgRandom":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]}'
    server = Server(
        {"type": "http.request", "body": body[:9], "more_body": True}, {"type": "http.request", "body": body[9:]}
    )
    scope = {"type": "http", "method": "POST", "path": f"/desk{SEND_MSG}", "root_path": "/desk", "headers": []}
    await desk({**scope, "query_string": str(query).encode()}, server.receive, server.send)
    assert ["hi"] == [seen.text for seen in desk.messages]
    assert ["http.response.start", "http.response.body"] == [event["type"] for event in server.sent]


async def test_another_server_is_made_to_cut_by_a_broken_reply(desk: FakeDesk) -> None:
    """Where the connection cannot be cut from here, an error after the head of the reply makes the server do it."""
    desk.drop_replies()
    server = Server({"type": "http.request"})
    scope = {"type": "http", "method": "POST", "path": SEND_MSG, "headers": [], "query_string": b"", "extensions": None}
    with pytest.raises(ConnectionAbortedError, match="as it was told to"):
        await exchange(scope, server.receive, server.send, desk._respond)
    assert [("http.response.start", [(b"content-length", b"1")])] == [(e["type"], e["headers"]) for e in server.sent]


async def test_a_client_that_leaves_while_waiting_gets_nothing(desk: FakeDesk) -> None:
    """What a server says before it tells of the leaving is passed over."""
    desk.delay_next(30)
    server = Server({"type": "http.request"}, {"type": "http.request"}, {"type": "http.disconnect"})
    scope = {"type": "http", "method": "POST", "path": SEND_MSG, "headers": [], "query_string": b""}
    await desk(scope, server.receive, server.send)
    assert [] == server.sent
    assert 1 == len(desk.requests)
