"""Retries do not make an outage worse, and the client is back at full speed soon after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from attrs import define, field

from deskim import AsyncDeskClient, DeskError
from deskim.hooks import Hooks, RequestEvent
from tests.proof.again import measured
from tests.proof.rows import Row, Scale
from tests.proof.server import chaos, client

_RATE: Final = 100
_BEFORE, _AFTER, _SLOW = 2.0, 12.0, 1.0
_WAYS: Final = {
    "refuse": "connections refused",
    "error": "every call answered 503",
    "silent": "no answer at all",
}


@define(eq=False)
class Watch(Hooks):
    """Keep when attempts began, and which were first ones."""

    attempts: list[tuple[float, bool]] = field(factory=list)

    def on_request(self, event: RequestEvent, /) -> None:
        """Note an attempt."""
        self.attempts.append((time.monotonic(), event.attempt == 1))

    def between(self, start: float, end: float) -> tuple[int, int]:
        """Return how many attempts, and how many first ones, began in this time."""
        inside = [first for at, first in self.attempts if start <= at < end]
        return len(inside), sum(inside)


@define
class Load:
    """Send at a fixed rate, whatever becomes of it, and keep when each call that went wrong had begun."""

    desk: AsyncDeskClient
    bad: list[float] = field(factory=list)
    calls: int = 0

    async def run(self, seconds: float) -> None:
        """Begin so many calls a second, and await them all."""
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * _RATE)):
                await asyncio.sleep(begin + number / _RATE - time.monotonic())
                group.create_task(self._call(number))

    async def _call(self, number: int) -> None:
        self.calls += 1
        began = time.monotonic()
        try:
            await self.desk.send_to_session("session", f"message {number}")
        except DeskError:
            self.bad.append(began)
        else:
            if time.monotonic() - began > _SLOW:
                self.bad.append(began)


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Take the server away in three ways, under a load of single sends."""
    seconds = float(scale.of(60, 6))
    ways = [partial(_one, way=way, name=name, seconds=seconds) for way, name in _WAYS.items()]
    for row in await asyncio.gather(*[measured(one, scale) for one in ways]):
        yield row


async def _one(scale: Scale, way: str, name: str, seconds: float) -> Row:
    begin, watch = time.monotonic(), Watch()
    async with chaos(scale.seed) as server, client(server, hooks=[watch]) as desk:
        load = Load(desk)
        running = asyncio.create_task(load.run(_BEFORE + seconds + _AFTER))
        await asyncio.sleep(_BEFORE)
        down = time.monotonic()
        await server.set(down=way)
        await asyncio.sleep(seconds)
        await server.set(down="")
        up = time.monotonic()
        await running
    requests, firsts = watch.between(down, up)
    late = max([at - up for at in load.bad if at >= up], default=0.0)
    ratio = requests / firsts
    return Row(
        promise=f"Retries do not worsen an outage: {name}",
        size=f"{seconds:.0f} s, {_RATE} single sends a second",
        wanted="requests at most 1.10 times the calls; full speed within 5 s",
        measured=f"{ratio:.3f} times ({requests:,} for {firsts:,}); full speed after {late:.1f} s",
        holds=ratio <= 1.1 and late <= 5.0,
        seconds=time.monotonic() - begin,
    )
