"""A batch gives way to a server that lowers its limit, and is soon back when it lifts it."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator

from tests.proof.again import measured
from tests.proof.load import DEFAULT, saturate
from tests.proof.rows import Row, Scale
from tests.proof.server import chaos, client


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Measure at a server in a process of its own."""
    yield await measured(_yielding, scale)


async def _yielding(scale: Scale) -> Row:
    """Send a batch to a server 20 ms away that lowers its limit from 200 to 50 a second for a while."""
    began, steady, lean, after = time.monotonic(), 4.0, 30.0, 14.0
    async with chaos(scale.seed, limit=200, latency=0.02) as server, client(server, rate_limit=DEFAULT) as desk:
        batch = asyncio.create_task(saturate(desk, time.monotonic() + steady + lean + after))
        await asyncio.sleep(steady)
        before = await server.report()
        await server.set(limit=50)
        await asyncio.sleep(lean)
        during, lifted = await server.report(), time.monotonic()
        await server.set(limit=200)
        await batch
        books = await server.report()
    refused = during.faults.get("over the limit", 0) - before.faults.get("over the limit", 0)
    share, back = refused / (during.arrivals - before.arrivals), _back_at(books.times, lifted)
    return Row(
        promise="Yields to the server's limit",
        size=f"a batch; the limit falls from 200 to 50 a second for {lean:.0f} s",
        wanted="at most 3 % throttled; back above 90 % within 10 s",
        measured=f"{share:.1%} throttled ({refused} of {during.arrivals - before.arrivals:,}); back after {back:.1f} s",
        holds=share <= 0.03 and back <= 10.0,
        seconds=time.monotonic() - began,
    )


def _back_at(times: list[float], lifted: float) -> float:
    """Return after how many seconds a sliding second held 90 % of the rate again; both clocks are this machine's."""
    wanted = 0.9 * DEFAULT.per_second
    for index, at in enumerate(times):
        if at > lifted + 1 and index - bisect_left(times, at - 1.0) + 1 >= wanted:
            return at - lifted
    return float("inf")
