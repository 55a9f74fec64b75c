"""Calls over a borrowed client, cancelled while it works: they end at once, and nothing of ours stays taken.

Each test cancels in a state of rest. What a thousand cancellations at random moments do to the pool of httpx 0.28 is
another matter: it dies of them without deskim, too, as ``python tests/transport/churn.py --stock`` shows.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attrs import define, field

from deskim import Delivery, SendResult
from deskim._lanes import Attempt, _Waits
from tests.client.stage import Notes
from tests.client.test_lanes import LIBRARIES, client_of
from tests.client.test_retries import send
from tests.support import simulated
from tests.transport.raw_server import Peer, serve, settle

pytestmark = pytest.mark.anyio
BODY = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


@define
class HeldDesk:
    """Answer the first request with ``piece`` and no more until its caller is gone, the others whole."""

    piece: bytes = b""
    requests: int = 0
    asked: asyncio.Event = field(factory=asyncio.Event)
    left: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.request()
            self.requests += 1
            if self.requests == 1:
                return await self._hold(peer)
            await peer.send(HEAD + BODY)

    async def _hold(self, peer: Peer) -> None:
        if self.piece:
            await peer.send(self.piece)
        self.asked.set()
        await peer.gone()
        self.left.set()


class CountingPacer:
    """Give a slot to everyone, and count them."""

    given = 0

    async def acquire(self, _: str) -> None:
        self.given += 1

    def slow_down(self, retry_after: float | None) -> None:
        raise AssertionError(retry_after)


async def cancelled(sending: asyncio.Task[SendResult]) -> str:
    """Cancel a call when nothing moves, and return whose cancellation came out of it."""
    await settle()
    sending.cancel("the caller's")
    with pytest.raises(asyncio.CancelledError) as caught:
        await sending
    return str(caught.value)


@LIBRARIES
@pytest.mark.parametrize("piece", [b"", HEAD + BODY[:9]], ids=["no reply yet", "half a reply"])
async def test_a_call_that_waits_for_its_reply_may_be_cancelled(library: Any, piece: bytes) -> None:
    """The connection is closed, the hooks hear that its fate is unknown, and the next call goes through."""
    desk, notes, pacer = HeldDesk(piece), Notes(), CountingPacer()
    settings: dict[str, Any] = {"hooks": [notes], "rate_limit": pacer}
    async with serve(desk) as server, library.AsyncClient(trust_env=False) as wire:
        async with client_of(wire, base_url=server.url, **settings) as client:
            sending = asyncio.create_task(send(client))
            await desk.asked.wait()
            assert "the caller's" == await cancelled(sending)
            await desk.left.wait()
            assert [(Delivery.UNKNOWN, 1, None)] == [(e.delivery, e.attempts, e.error) for e in notes.results]
            assert 0 == client._life._calls
            assert 1 == (await send(client)).attempts
        assert not wire.is_closed
    assert (2, 2) == (desk.requests, pacer.given)


@LIBRARIES
async def test_a_call_that_waits_for_a_connection_may_be_cancelled(library: Any) -> None:
    """It never reaches Desk, and neither it nor the call before it keeps the only connection."""
    desk, limits = HeldDesk(), library.Limits(max_connections=1)
    async with (
        serve(desk) as server,
        library.AsyncClient(trust_env=False, limits=limits) as wire,
        client_of(wire, base_url=server.url) as client,
    ):
        first = asyncio.create_task(send(client))
        await desk.asked.wait()
        second = asyncio.create_task(send(client))
        assert "the caller's" == await cancelled(second)
        assert (1, False) == (client._life._calls, first.done())
        assert "the caller's" == await cancelled(first)
        assert 0 == client._life._calls
        assert 1 == (await send(client)).attempts
    assert 2 == desk.requests


def test_a_wait_that_begins_late_gets_what_is_left() -> None:
    """Else waits that follow each other outlast the call, which then cancels the client from outside."""

    async def get() -> list[tuple[float | None, ...]]:
        waits = _Waits(Attempt("https://desk.test", "/", 1, b"", 5.0, 8.0))
        got = []
        for _ in range(3):
            got.append(tuple(waits.get(name) for name in ("pool", "connect", "write", "read", "else")))
            await asyncio.sleep(6.0)
        return got

    assert [(8.0, 5.0, 5.0, 5.0, None), (2.0,) * 4 + (None,), (0.0,) * 4 + (None,)] == simulated.run(get())
