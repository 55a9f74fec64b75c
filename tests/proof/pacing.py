"""Pacing as the server sees it: never above the quota, quick to yield, and fair to who waits in front of a screen."""

from __future__ import annotations

import asyncio
import statistics
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator

from deskim import AsyncDeskClient, Message, RateLimit
from tests.proof.rows import Row, Scale
from tests.proof.server import chaos, client

_DEFAULT, _MOST = RateLimit(190), 195
_BATCH_WORKERS = 64


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Measure at servers in processes of their own; at full size one after the other, for this is about time."""
    proofs = [_quota(scale), _yielding(scale), _fairness(scale)]
    for row in await asyncio.gather(*proofs) if scale.quick else [await proof for proof in proofs]:
        yield row


async def _quota(scale: Scale) -> Row:
    """Send a batch and single messages together, at the default pacing."""
    began, seconds = time.monotonic(), scale.of(60, 12)
    async with chaos(scale.seed) as server, client(server, rate_limit=_DEFAULT) as desk:
        ends = time.monotonic() + seconds
        await asyncio.gather(_saturate(desk, ends), _interactive(desk, ends, pause=0.25))
        books = await server.report()
    span = books.times[-1] - books.times[0]
    share = (len(books.times) - 1) / span / _DEFAULT.per_second
    return Row(
        promise="Never above the quota",
        size=f"{span:.0f} s of a batch and single sends, the default pacing of {_DEFAULT.per_second:g}/s",
        wanted=f"worst sliding second at most {_MOST}, used to 95 %",
        measured=f"worst sliding second {books.worst_second}, used to {share:.1%}",
        holds=books.worst_second <= _MOST and share >= 0.95,
        seconds=time.monotonic() - began,
    )


async def _yielding(scale: Scale) -> Row:
    """Send a batch to a server 20 ms away that lowers its limit from 200 to 50 a second for a while."""
    began, steady, lean, after = time.monotonic(), 4.0, 30.0, 14.0
    async with chaos(scale.seed, limit=200, latency=0.02) as server, client(server, rate_limit=_DEFAULT) as desk:
        batch = asyncio.create_task(_saturate(desk, time.monotonic() + steady + lean + after))
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
    wanted = 0.9 * _DEFAULT.per_second
    for index, at in enumerate(times):
        if at > lifted + 1 and index - bisect_left(times, at - 1.0) + 1 >= wanted:
            return at - lifted
    return float("inf")


async def _fairness(scale: Scale) -> Row:
    """Send single messages, first alone, then while a batch takes all that pacing allows."""
    began, seconds = time.monotonic(), scale.of(60, 10)
    async with chaos(scale.seed, latency=0.05) as server, client(server, rate_limit=_DEFAULT) as desk:
        idle = await _interactive(desk, time.monotonic() + seconds)
        ends = time.monotonic() + seconds
        busy, _ = await asyncio.gather(_interactive(desk, ends), _saturate(desk, ends))
    alone, beside = _p99(idle), _p99(busy)
    return Row(
        promise="Fair under load",
        size=f"{len(idle)} single sends alone, {len(busy)} beside a batch; 50 ms latency",
        wanted="p99 beside the batch at most twice that alone",
        measured=f"p99 {beside * 1e3:.1f} ms beside the batch, {alone * 1e3:.1f} ms alone: {beside / alone:.2f} times",
        holds=beside <= 2 * alone,
        seconds=time.monotonic() - began,
    )


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[-1]


async def _saturate(desk: AsyncDeskClient, ends: float) -> None:
    """Send a batch as fast as pacing lets it, until then."""

    def messages() -> Iterator[Message]:
        number = 0
        while time.monotonic() < ends:
            yield Message.to_session("batch", f"batch {(number := number + 1)}")

    await desk.send_batch(messages(), concurrency=_BATCH_WORKERS)


async def _interactive(desk: AsyncDeskClient, ends: float, pause: float = 0.05) -> list[float]:
    """Return how long each single send took, one after the other, until then."""
    taken: list[float] = []
    while time.monotonic() < ends:
        began = time.perf_counter()
        await desk.send_to_session("session", f"single {len(taken)}")
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(pause)
    return taken
