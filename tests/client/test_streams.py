from __future__ import annotations

import asyncio

import pytest

from deskim.errors import ClientClosedError, StreamError
from deskim.testing import FakeDesk

pytestmark = pytest.mark.anyio


async def test_a_client_that_is_closed_finishes_its_streams() -> None:
    """The user has a whole message, and a writer who goes on learns why the rest is not in it."""
    desk = FakeDesk()
    client = desk.client()
    async with client.stream_to_session("s") as stream:
        await stream.write("one ")
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(StreamError, match="the client was closed") as caught:
            await stream.write("two")
    assert [(["one ", ""], True)] == [(seen.chunks, seen.finished) for seen in desk.streams]
    assert "two" == caught.value.unsent


async def test_a_client_whose_closing_is_cancelled_while_a_stream_ends_is_closed() -> None:
    """The cancellation goes on, and no later call is taken, nor is the client left with its connections."""
    desk = FakeDesk()
    client = desk.client()
    async with client.stream_to_session("s") as stream:
        await stream.write("one ")
        closing = asyncio.create_task(client.aclose())
        for _ in range(3):  # until it waits for the stream
            await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(ClientClosedError):
            await client.send_to_session("s", "two")
    assert [True] == [seen.finished for seen in desk.streams]
