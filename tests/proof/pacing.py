"""Pacing as the server sees it: never above the quota, and fair to who waits in front of a screen."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

from deskim import AsyncDeskClient
from tests.chaos.lag import watched
from tests.proof.again import measured
from tests.proof.load import DEFAULT, saturate
from tests.proof.rows import Row, Scale
from tests.proof.server import chaos, client

_MOST = DEFAULT.per_second + DEFAULT.burst


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Measure at servers in processes of their own; at full size one after the other, for this is about time."""
    proofs = [measured(_quota, scale), measured(_fairness, scale)]
    for row in await asyncio.gather(*proofs) if scale.quick else [await proof for proof in proofs]:
        yield row


async def _quota(scale: Scale) -> Row:
    """Send a batch and single messages together, at the default pacing.

    A process that the host keeps from running for a moment sends, or reads, a moment's worth of requests at once.
    """
    began, seconds = time.monotonic(), scale.of(60, 12)
    async with chaos(scale.seed) as server, client(server, rate_limit=DEFAULT) as desk, watched() as own:
        ends = time.monotonic() + seconds
        await asyncio.gather(saturate(desk, ends), _interactive(desk, ends, pause=0.25))
        books = await server.report()
    span, lag = books.times[-1] - books.times[0], own.worst + books.lag
    share = (len(books.times) - 1) / span / DEFAULT.per_second
    return Row(
        promise="Never above the quota",
        size=f"{span:.0f} s of a batch and single sends, the default pacing of {DEFAULT.per_second:g}/s",
        wanted=f"worst sliding second at most {_MOST:g}, and what gathers while the host stands still; used to 95 %",
        measured=f"worst sliding second {books.worst_second}, the host stood still for {lag * 1e3:.1f} ms; "
        f"used to {share:.1%}",
        holds=books.worst_second <= _MOST + DEFAULT.per_second * lag and share >= 0.95,
        seconds=time.monotonic() - began,
    )


async def _fairness(scale: Scale) -> Row:
    """Send single messages, first alone, then while a batch takes all that pacing allows."""
    began, seconds = time.monotonic(), scale.of(60, 10)
    async with chaos(scale.seed, latency=0.05) as server, client(server, rate_limit=DEFAULT) as desk:
        idle = await _interactive(desk, time.monotonic() + seconds)
        ends = time.monotonic() + seconds
        busy, _ = await asyncio.gather(_interactive(desk, ends), saturate(desk, ends))
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


async def _interactive(desk: AsyncDeskClient, ends: float, pause: float = 0.05) -> list[float]:
    """Return how long each single send took, one after the other, until then."""
    taken: list[float] = []
    while time.monotonic() < ends:
        began = time.perf_counter()
        await desk.send_to_session("session", f"single {len(taken)}")
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(pause)
    return taken
