"""Nothing lost, nothing doubled, nothing misreported, at a server that breaks one request in eight."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Final

from attrs import frozen

from deskim import AsyncDeskClient, Delivery, DeskError, Message, Outcome
from tests.proof.naive import NaiveClient
from tests.proof.rows import Row, Scale
from tests.proof.server import Books, Chaos, chaos, client

FAULTS: Final = {
    "reset_midway": 0.0125,
    "reset_before": 0.0125,
    "reset_after": 0.025,
    "bad_gateway": 0.05,
    "stall": 0.01,
    "throttle": 0.02,
}
WORKERS: Final = 64
_SHARES: Final = "5 % resets, half of them after accepting; 5 % HTTP 502; 1 % stalls; 2 % throttled"


@frozen
class Fate:
    """Hold what a client said about one message."""

    key: str
    delivery: Delivery
    resent: bool = False


Run = Callable[[Chaos, int], Awaitable[list[Fate]]]


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Send with each kind of client, one after the other, at servers of the same seed."""
    for name, run in {"single sends": singly, "a batch": as_batch, "naive client": naively}.items():
        yield await _one(scale, name, run)


async def _one(scale: Scale, name: str, run: Run) -> Row:
    began = time.monotonic()
    async with chaos(scale.seed, shares=FAULTS) as server:
        fates = await run(server, scale.of(100_000, 1_000))
        books = await server.report()
    return _row(name, fates, books, scale.seed, time.monotonic() - began)


def _row(name: str, fates: list[Fate], books: Books, seed: int, seconds: float) -> Row:
    lost = sum(not books.copies(fate.key) for fate in fates)
    doubled = sum(books.copies(fate.key) > 1 for fate in fates)
    wrong = sum(misreported(fate, books) for fate in fates)
    told = Counter(fate.delivery for fate in fates)
    given_up, unknown = told[Delivery.NOT_SENT] + told[Delivery.REJECTED], told[Delivery.UNKNOWN]
    return Row(
        promise=f"Nothing lost, doubled or misreported: {name}",
        size=f"{len(fates):,} messages; {_SHARES}",
        wanted="0 lost, 0 doubled, 0 misreported, 0 given up, at most 1 unknown" if name != "naive client" else "–",
        measured=f"{lost} lost, {doubled} doubled, {wrong} misreported, {given_up} given up, {unknown} unknown;"
        f" {sum(books.faults.values()):,} faults met, {books.arrivals:,} requests",
        holds=None if name == "naive client" else not (lost or doubled or wrong or given_up) and unknown <= 1,
        seed=seed,
        seconds=seconds,
    )


def misreported(fate: Fate, books: Books) -> bool:
    """Tell whether what was said about a message is not what the server's books say."""
    copies = books.copies(fate.key)
    if fate.delivery is Delivery.UNKNOWN:
        return False
    return (copies == 0) if fate.delivery is Delivery.SENT else copies > 0


def texts(count: int) -> Iterator[str]:
    """Yield the texts that messages are known by."""
    return (f"message {number}" for number in range(count))


async def singly(server: Chaos, count: int) -> list[Fate]:
    """Send each message by itself, so many at a time."""
    async with client(server) as desk:
        return await by_workers(texts(count), lambda text: _fate(desk, text))


async def _fate(desk: AsyncDeskClient, text: str) -> Fate:
    try:
        result = await desk.send_to_session("session", text)
    except DeskError as error:
        return Fate(text, error.delivery, error.resent)
    return Fate(text, Delivery.SENT, result.resent)


async def as_batch(server: Chaos, count: int) -> list[Fate]:
    """Send all messages as one batch."""
    fates: list[Fate] = []

    def note(outcome: Outcome) -> None:
        fates.append(Fate(outcome.key or "", outcome.delivery, outcome.resent))

    messages = (Message.to_session("session", text, key=text) for text in texts(count))
    async with client(server) as desk:
        await desk.send_batch(messages, concurrency=WORKERS, on_outcome=note)
    return fates


async def naively(server: Chaos, count: int) -> list[Fate]:
    """Send with the loop that many write: httpx, some attempts, each a new request."""
    async with NaiveClient(server.url) as desk:

        async def send(text: str) -> Fate:
            return Fate(text, Delivery.SENT if await desk.send(text) else Delivery.NOT_SENT)

        return await by_workers(texts(count), send)


async def by_workers(items: Iterable[str], send: Callable[[str], Awaitable[Fate]]) -> list[Fate]:
    """Return what became of every item; so many workers share the source."""
    source, fates = iter(items), list[Fate]()

    async def work() -> None:
        for item in source:
            fates.append(await send(item))

    await asyncio.gather(*[work() for _ in range(WORKERS)])
    return fates
