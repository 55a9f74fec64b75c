from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

import pytest

from deskim import AsyncDeskClient, DeskError
from tests.transport.raw_server import Peer, serve

pytestmark = pytest.mark.anyio


@contextmanager
def collected() -> Iterator[list[object]]:
    """Give what only the garbage collector would free of what was made meanwhile."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_a_call_that_fails_leaves_no_frames_to_the_garbage_collector() -> None:
    """Its error and the frames it went through are gone with it: under load they would stop the loop for a while."""

    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with (
        serve(silent) as server,
        AsyncDeskClient(1400000000, secret_key="k", base_url=server.url, rate_limit=None) as desk,
    ):
        with collected() as found:
            for _ in range(3):
                with suppress(DeskError):
                    await desk.send_to_session("s", "hello", deadline=0.05)
            await asyncio.sleep(0)
        assert [] == [each for each in found if isinstance(each, FrameType | TracebackType)]
