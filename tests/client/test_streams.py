from __future__ import annotations

import asyncio

import pytest

from deskim.errors import StreamError
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
