"""A batch outlasts an outage: what was under way is held, sent again inside the window, and nothing is left unknown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from deskim import BatchReport, Message, RateLimit
from tests.proof.rows import Row, Scale
from tests.proof.server import Books, Chaos, chaos, client

_RATE: Final = 190
_BEFORE: Final = 2.0
_WAYS: Final = {
    "refuse": "connections refused",
    "error": "every call answered 503",
    "silent": "no answer at all",
}


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Take the server away in three ways, in the middle of a batch."""
    seconds, count = scale.of(60, 6), scale.of(2_000, 800)
    for row in await asyncio.gather(*[_one(scale, way, name, seconds, count) for way, name in _WAYS.items()]):
        yield row


async def _one(scale: Scale, way: str, name: str, seconds: int, count: int) -> Row:
    began = time.monotonic()
    async with chaos(scale.seed) as server, client(server, rate_limit=RateLimit(_RATE)) as desk:
        messages = (Message.to_session("session", f"message {number}", key=f"{number}") for number in range(count))
        outage = asyncio.create_task(_take_away(server, way, seconds))
        report = await desk.send_batch(messages)
        await outage
        books = await server.report()
    return _row(name, f"{seconds} s in a batch of {count:,} at {_RATE} a second", report, books, began)


async def _take_away(server: Chaos, way: str, seconds: int) -> None:
    await asyncio.sleep(_BEFORE)
    await server.set(down=way)
    await asyncio.sleep(seconds)
    await server.set(down="")


def _row(name: str, size: str, report: BatchReport, books: Books, began: float) -> Row:
    doubled = sum(copies > 1 for copies in books.shown.values())
    whole = report.sent == report.total == len(books.shown)
    return Row(
        promise=f"A batch outlasts an outage: {name}",
        size=size,
        wanted="all sent, 0 doubled, 0 unknown",
        measured=f"{report.summary()}; users saw {len(books.shown):,}, {doubled} doubled; {books.arrivals:,} requests",
        holds=whole and not doubled and report.stop_reason is None,
        seconds=time.monotonic() - began,
    )
